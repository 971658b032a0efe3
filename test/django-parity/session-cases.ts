import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { SessionEvents } from "../../src/core/events.ts";
import { fingerprint, newSessionKey } from "../../src/core/key.ts";
import type { Session } from "../../src/core/session.ts";
import { signer, timestampSign } from "../../src/django/signing.ts";
import { type ParityEngine, SECRET_KEY } from "./parity-engine.ts";

/** Django's test functions by their names, each with what it shows here. */
export type ParityCases = Readonly<Record<string, (engine: ParityEngine) => void | Promise<void>>>;

/** Of SessionTestsMixin what is true of every engine. */
export const sessionCases: ParityCases = {
  "test_new_session: neither modified nor accessed": async ({ session }) => {
    assert.deepEqual(flags(await session()), { modified: false, accessed: false });
  },
  "test_get_empty: a missing key is undefined": async ({ session }) => {
    assert.equal((await session()).get("cat"), undefined);
  },
  "test_store: set marks the session as modified": async ({ session }) => {
    const dog = await session();
    dog.set("cat", "dog");
    assert.equal(dog.modified, true);
    assert.equal(dog.pop("cat"), "dog");
  },
  "test_pop: of a key that is there changes the session": async (engine) => {
    const session = await stored(engine, { "some key": "exists" });
    assert.equal(session.pop("some key"), "exists");
    assert.deepEqual(flags(session), { modified: true, accessed: true });
    assert.equal(session.get("some key"), undefined);
  },
  "test_pop_default: the fallback, and nothing is changed": async ({ session }) => {
    const empty = await session();
    assert.equal(empty.pop("some key", "does not exist"), "does not exist");
    assert.deepEqual(flags(empty), { modified: false, accessed: true });
  },
  "test_pop_default_named_argument: a fallback of null is one, too": async ({ session }) => {
    const empty = await session();
    assert.equal(empty.pop("some key", null), null);
    assert.deepEqual(flags(empty), { modified: false, accessed: true });
  },
  "test_pop_no_default_keyerror_raised: undefined instead, as Map has it": async ({ session }) => {
    assert.equal((await session()).pop("some key"), undefined);
  },
  "test_setdefault: the first value stays": async ({ session }) => {
    const foo = await session();
    assert.equal(foo.setDefault("foo", "bar"), "bar");
    assert.equal(foo.setDefault("foo", "baz"), "bar");
    assert.deepEqual(flags(foo), { modified: true, accessed: true });
  },
  "test_update: sets all keys": async ({ session }) => {
    const updated = await session();
    updated.update({ "update key": 1 });
    assert.deepEqual(flags(updated), { modified: true, accessed: true });
    assert.equal(updated.get("update key"), 1);
  },
  "test_has_key: reads without changing": async (engine) => {
    const session = await stored(engine, { "some key": 1 });
    assert.equal(session.has("some key"), true);
    assert.deepEqual(flags(session), { modified: false, accessed: true });
  },
  "test_values: none, then those stored; reads without changing": async (engine) => {
    const empty = await engine.session();
    assert.deepEqual([...empty.values()], []);
    assert.equal(empty.accessed, true);
    const session = await stored(engine, { "some key": 1 });
    assert.deepEqual([...session.values()], [1]);
    assert.deepEqual(flags(session), { modified: false, accessed: true });
  },
  "test_keys: reads without changing": async (engine) => {
    const session = await stored(engine, { x: 1 });
    assert.deepEqual([...session.keys()], ["x"]);
    assert.deepEqual(flags(session), { modified: false, accessed: true });
  },
  "test_items: reads without changing": async (engine) => {
    const session = await stored(engine, { x: 1 });
    assert.deepEqual([...session.entries()], [["x", 1]]);
    assert.deepEqual([...session], [["x", 1]]);
    assert.deepEqual(flags(session), { modified: false, accessed: true });
  },
  "test_clear: removes all data, and keeps the session": async (engine) => {
    const session = await stored(engine, { x: 1 });
    assert.deepEqual([...session.entries()], [["x", 1]]);
    session.clear();
    assert.deepEqual([...session.entries()], []);
    assert.deepEqual(flags(session), { modified: true, accessed: true });
    assert.notEqual(session.key, null);
  },
  "test_cycle_with_no_session_cache: a session that was not looked at keeps its data": async (engine) => {
    const session = await stored(engine, { a: "c", b: "d" });
    assert.equal(session.accessed, false);
    await session.cycleKey();
    assert.deepEqual(data(await engine.session(session.key)), { a: "c", b: "d" });
  },
  "test_save_doesnt_clear_data: what was saved is still there": async ({ session }) => {
    const saved = await session();
    saved.set("a", "b");
    await saved.save();
    assert.equal(saved.get("a"), "b");
  },
  "test_invalid_key: a cookie that cannot be a key leads to a new session": async ({ session }) => {
    const fresh = await session("1");
    await fresh.save();
    assert.notEqual(fresh.key, "1");
    assert.equal(fresh.get("cat"), undefined);
    await fresh.flush();
  },
  "test_session_key_empty_string_invalid: is no key, and reaches no store": async (engine) => {
    assert.equal(engine.engine.isToken(""), false);
    assert.equal((await engine.session("")).key, null);
  },
  "test_session_key_too_short_invalid: seven characters are no key, and reach no store": async (engine) => {
    assert.equal(engine.engine.isToken("1234567"), false);
    assert.equal((await engine.session("1234567")).key, null);
  },
  "test_session_key_is_read_only: assigning it is a TypeError": async ({ session }) => {
    const readOnly: { key: string | null } = await session();
    assert.throws(() => {
      readOnly.key = newSessionKey();
    }, TypeError);
  },
  "test_default_expiry: the cookie's age, also for a session that ends with the browser": (engine) =>
    defaultExpiry(engine, 1_209_600),
  "test_custom_expiry_seconds: from the time of saving": (engine) => tenSecondsAfter(engine, () => 10),
  "test_custom_expiry_timedelta: from the time of setting": (engine) =>
    tenSecondsAfter(engine, () => ({ seconds: 10 })),
  "test_custom_expiry_datetime: at that instant": (engine) =>
    tenSecondsAfter(engine, (modification) => new Date(modification.getTime() + 10_000)),
  "test_custom_expiry_reset: null brings the cookie's age back": (engine) => expiryReset(engine, 1_209_600),
  "test_get_expire_at_browser_close: by setExpiry, else by the setting": async ({ sessions }) => {
    for (const SESSION_EXPIRE_AT_BROWSER_CLOSE of [false, true]) {
      const session = await sessions({ SESSION_EXPIRE_AT_BROWSER_CLOSE }).open(undefined).session();
      for (const [expiry, expected] of [
        [10, false],
        [0, true],
        [null, SESSION_EXPIRE_AT_BROWSER_CLOSE],
      ] as const) {
        session.setExpiry(expiry);
        assert.equal(session.expiresAtBrowserClose(), expected, `${expiry}`);
      }
    }
  },
  "test_decode: what was encoded is decoded": async (engine) => {
    assert.deepEqual(data(await stored(engine, { "a test key": "a test value" })), { "a test key": "a test value" });
  },
  "test_actual_expiry: a session whose end has come is not there": async ({ session }) => {
    const ended = await session();
    ended.set("foo", "bar");
    ended.setExpiry({ seconds: -10 });
    await ended.save();
    const found = await session(ended.key);
    assert.equal(found.has("foo"), false);
    assert.equal(found.key, null);
  },
  "test_session_load_does_not_create_record: an unknown key is not adopted": async ({ session, sessions, store }) => {
    const unknown = await session("someunknownkey");
    assert.equal(unknown.key, null);
    assert.equal(await sessions().exists("someunknownkey"), false);
    assert.equal((await store?.load("someunknownkey")) ?? null, null);
    await unknown.save();
    assert.notEqual(unknown.key, "someunknownkey");
  },
};

/** Of SessionTestsMixin what is true where sessions are kept at the server; `signed-cookies.test.ts` has the rest. */
export const keptCases: ParityCases = {
  "test_save: a saved session exists, also an empty one": async ({ session, sessions }) => {
    const saved = await session();
    await saved.save();
    assert.equal(await sessions().exists(saved.key!), true);
  },
  "test_delete: a deleted session does not": async ({ session, sessions }) => {
    const deleted = await session();
    await deleted.save();
    await sessions().delete(deleted.key!);
    assert.equal(await sessions().exists(deleted.key!), false);
  },
  "test_flush: deletes the session, and forgets its key": async (engine) => {
    const session = await stored(engine, { foo: "bar" });
    const before = session.key!;
    await session.flush();
    assert.equal(await engine.sessions().exists(before), false);
    assert.equal(session.key, null);
    assert.deepEqual(data(session), {});
    assert.deepEqual(flags(session), { modified: true, accessed: true });
  },
  "test_cycle: the same data under a new key, and the old one is dead": async ({ session, sessions }) => {
    const cycled = await session();
    cycled.update({ a: "c", b: "d" });
    await cycled.save();
    const before = cycled.key!;
    await cycled.cycleKey();
    assert.equal(await sessions().exists(before), false);
    assert.notEqual(cycled.key, before);
    assert.deepEqual(data(cycled), { a: "c", b: "d" });
    assert.deepEqual(data(await session(cycled.key)), { a: "c", b: "d" });
  },
  "test_session_key_valid_string_saved: a session of eight characters is found": async (engine) => {
    const { key } = await stored(engine, { cat: "dog" });
    const { payload } = (await engine.store!.load(key!))!;
    await engine.store!.create("12345678", { payload, expiresAt: inAnHour() });
    const found = await engine.session("12345678");
    assert.equal(found.key, "12345678");
    assert.equal(found.get("cat"), "dog");
    await found.flush();
  },
  "test_decode_failure_logged_to_security: what does not verify is no session, and reported": async (engine) => {
    for (const payload of ["Zmxhc2tkajphbGtkamY=", "bad:encoded:value"]) {
      const key = await plant(engine, payload);
      assert.deepEqual(await corrupted(engine, key), [{ session: fingerprint(key) }]);
    }
  },
  "test_decode_serializer_exception: what verifies and cannot be read is no session": async (engine) => {
    // Of an engine without signatures this is the same as above.
    const salt = "django.contrib.sessions.SessionStore";
    const key = await plant(engine, timestampSign("invalid data", new Date(), signer(SECRET_KEY, salt)));
    assert.deepEqual(await corrupted(engine, key), [{ session: fingerprint(key) }]);
  },
  "test_session_save_does_not_resurrect_session_logged_out_in_other_context: ERR_SESSION_INTERRUPTED": async (
    engine,
  ) => {
    const session = await stored(engine, { test_data: "value1" });
    await (await engine.session(session.key)).flush();
    session.set("test_data", "value2");
    await assert.rejects(session.save(), { code: "ERR_SESSION_INTERRUPTED" });
    assert.deepEqual(data(await engine.session(session.key)), {});
  },
};

export function flags({ modified, accessed }: Session) {
  return { modified, accessed };
}

export function data(session: Session): Record<string, unknown> {
  return { ...session.toJSON() };
}

/** A session with these data that was saved, and then opened by another request. */
export async function stored(engine: ParityEngine, values: Record<string, unknown>): Promise<Session> {
  const session = await engine.session();
  session.update(values);
  await session.save();
  return engine.session(session.key);
}

/** What is reported of this key's session, which is none. */
export async function corrupted(engine: ParityEngine, key: string): Promise<unknown[]> {
  const reports: unknown[] = [];
  const listen = (event: unknown) => void reports.push(event);
  const name: keyof SessionEvents = "sojourn:corrupted";
  subscribe(name, listen);
  try {
    const session = await engine.session(key);
    assert.equal(session.key, null);
    assert.deepEqual(data(session), {});
  } finally {
    unsubscribe(name, listen);
  }
  return reports;
}

export function inAnHour(): Date {
  return new Date(Date.now() + 3_600_000);
}

async function plant({ store }: ParityEngine, payload: string): Promise<string> {
  const key = newSessionKey();
  assert.equal(await store!.create(key, { payload, expiresAt: inAnHour() }), true);
  return key;
}

export async function defaultExpiry(engine: ParityEngine, age: number): Promise<void> {
  const session = await engine.session();
  assert.equal(session.expiryAge(), age);
  session.setExpiry(0);
  assert.equal(session.expiryAge(), age);
}

export async function expiryReset(engine: ParityEngine, age: number): Promise<void> {
  const session = await engine.session();
  for (const expiry of [null, 10, null]) session.setExpiry(expiry);
  assert.equal(session.expiryAge(), age);
}

async function tenSecondsAfter(
  { sessions }: ParityEngine,
  expiry: (modification: Date) => Parameters<Session["setExpiry"]>[0],
): Promise<void> {
  const modification = new Date();
  const session = await sessions({}, () => modification)
    .open(undefined)
    .session();
  session.setExpiry(expiry(modification));
  assert.deepEqual(session.expiryDate(modification), new Date(modification.getTime() + 10_000));
  assert.equal(session.expiryAge(modification), 10);
}
