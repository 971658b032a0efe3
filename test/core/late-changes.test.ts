import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, test } from "node:test";
import type { SessionStore } from "../../src/core/contracts.ts";
import { SessionError } from "../../src/core/errors.ts";
import type { Conflict } from "../../src/core/merge.ts";
import { createSessions } from "../../src/core/sessions.ts";
import type { SessionSettings } from "../../src/core/settings.ts";
import { djangoCodec } from "../../src/django/codec.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { memoryStore } from "../../src/stores/memory.ts";

const codec = djangoCodec({ secretKey: "a secret key for tests, 32 characters at least" });
const interrupted = { name: "SessionError", code: "ERR_SESSION_INTERRUPTED", status: 400 };

/** A session of these data, and a request that has loaded it. */
async function application(data: object, settings: Partial<SessionSettings> = {}, store: SessionStore = memoryStore()) {
  const sessions = createSessions<Record<string, any>>(storeEngine(store, codec), settings);
  const first = await sessions.open(undefined).session();
  first.update(data);
  await first.save();
  const key = first.key!;
  const open = (of: string = key) => sessions.open(`sessionid=${of}`);
  const late = open();
  return { sessions, key, open, late, session: await late.session(), stored: (of: string) => dataOf(store, of) };
}

async function dataOf(store: SessionStore, key: string) {
  const record = await store.load(key);
  return record && { ...codec.decode(record.payload)!.data };
}

async function eventsDuring(name: string, act: () => Promise<unknown>): Promise<unknown[]> {
  const events: unknown[] = [];
  const listener = (event: unknown) => events.push(event);
  subscribe(name, listener);
  await act().finally(() => unsubscribe(name, listener));
  return events;
}

describe("a change whose session was deleted meanwhile", () => {
  test("is refused, and reported", async () => {
    const { late, session, sessions, key, stored } = await application({ uid: "alice" });
    session.set("theme", "dark");
    await sessions.delete(key);
    const events = await eventsDuring("sojourn:interrupted", async () =>
      assert.rejects(async () => late.commit(200), interrupted),
    );
    assert.equal(events.length, 1);
    assert.equal(await stored(key), null);
  });

  test("is lost where it is to be dropped: the response goes out, and its cookie is left alone", async () => {
    const { late, session, sessions, key, stored } = await application({ uid: "alice" }, { onInterrupted: "drop" });
    session.set("theme", "dark");
    await sessions.delete(key);
    const events = await eventsDuring("sojourn:interrupted", async () =>
      // No cookie is deleted either: the browser may have another one by now, of the next log-in.
      assert.deepEqual(await late.commit(200), { setCookie: [], varyByCookie: true }),
    );
    assert.equal(events.length, 1);
    assert.equal(await stored(key), null);
  });

  test("is lost for good: what the handler changes after a dropped save is lost, too", async () => {
    const { late, session, sessions, key } = await application({ uid: "alice" }, { onInterrupted: "drop" });
    session.set("theme", "dark");
    await sessions.delete(key);
    await session.save();
    assert.equal(session.key, null);
    assert.equal(session.get("uid"), undefined);
    session.set("n", 1);
    await session.cycleKey();
    assert.deepEqual(await late.commit(200), { setCookie: [], varyByCookie: true });
  });

  test("begins a new session where that is wanted, of which nothing is the old one's", async () => {
    const data = { uid: "alice", user: { name: "Alice", visits: 1 }, list: [1], n: 1 };
    const { late, session, sessions, key, stored } = await application(data, { onInterrupted: "new" });
    session.get("user").visits = 2;
    session.set("theme", "dark");
    session.delete("n");
    await sessions.delete(key);
    const { setCookie } = await late.commit(200);
    assert.notEqual(session.key, key);
    assert.equal(setCookie.length, 1);
    assert.match(setCookie[0]!, new RegExp(`^sessionid=${session.key};`));
    assert.deepEqual(JSON.parse(JSON.stringify(await stored(session.key!))), { user: { visits: 2 }, theme: "dark" });
    assert.equal(await stored(key), null);
  });

  test("is lost until the request logs in anew: that is another session", async () => {
    const { late, session, sessions, key, stored } = await application({ uid: "alice" }, { onInterrupted: "drop" });
    session.set("theme", "dark");
    await sessions.delete(key);
    await session.save();
    await session.flush();
    session.set("uid", "bob");
    await session.cycleKey();
    assert.match((await late.commit(200)).setCookie[0]!, new RegExp(`^sessionid=${session.key};`));
    assert.deepEqual(await stored(session.key!), { uid: "bob" });
  });

  test("begins one that no second logout with the old key ends, also with cycleKey", async () => {
    const { session, sessions, key, open, stored } = await application({ uid: "alice" }, { onInterrupted: "new" });
    const second = await open().session();
    await sessions.delete(key);
    session.set("step", 2);
    await session.cycleKey();
    await second.flush();
    assert.deepEqual(await stored(session.key!), { step: 2 });
  });

  test("begins one also with cycleKey, without what was copied", async () => {
    const { session, sessions, key, stored } = await application({ uid: "alice" }, { onInterrupted: "new" });
    await sessions.delete(key);
    session.set("step", 2);
    await session.cycleKey();
    assert.deepEqual(await stored(session.key!), { step: 2 });
  });

  test("begins none where there is no change: saving was all it did", async () => {
    const { late, sessions, key } = await application(
      { uid: "alice" },
      { onInterrupted: "new", saveEveryRequest: true },
    );
    await sessions.delete(key);
    assert.deepEqual(await late.commit(200), { setCookie: [], varyByCookie: true });
  });

  test("is refused in a transaction, whatever the policy: its result would not be true", async () => {
    for (const onInterrupted of ["error", "drop", "new"] as const) {
      const { sessions, key } = await application({ n: 1 }, { onInterrupted });
      const increment = sessions.transact(key, async (session) => {
        await sessions.delete(key);
        session.set("n", 2);
      });
      await assert.rejects(increment, interrupted);
    }
  });
});

describe("a logout that overlaps a cycleKey", () => {
  test("ends the moved session, if it only knows the old key", async () => {
    const { session, open, stored } = await application({ uid: "alice" });
    const logout = await open().session();
    await session.cycleKey();
    await session.cycleKey();
    assert.deepEqual(await stored(session.key!), { uid: "alice" });
    await logout.flush();
    assert.equal(await stored(session.key!), null);
  });

  test("ends it also when it comes with the old cookie afterwards", async () => {
    const { session, open, stored } = await application({ uid: "alice" });
    await session.cycleKey();
    const logout = await open().session();
    assert.equal(logout.key, null);
    await logout.flush();
    assert.equal(await stored(session.key!), null);
  });

  test("does not for ever: five minutes later the old key leads nowhere", async () => {
    let now = new Date("2026-11-20T12:00:00Z");
    const clock = () => now;
    const { session, open, stored } = await application({ uid: "alice" }, { now: clock }, memoryStore({ now: clock }));
    const logout = await open().session();
    await session.cycleKey();
    now = new Date(now.getTime() + 300_000);
    await logout.flush();
    assert.deepEqual(await stored(session.key!), { uid: "alice" });
  });

  test("of two log-ins on one cookie the one that succeeded", async () => {
    const { open, stored } = await application({ cart: 1 });
    const [first, second, logout] = await Promise.all([open().session(), open().session(), open().session()]);
    const outcomes = await Promise.allSettled([first.cycleKey(), second.cycleKey()]);
    assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    const winner = outcomes[0]!.status === "fulfilled" ? first : second;
    assert.deepEqual(await stored(winner.key!), { cart: 1 });
    await logout.flush();
    assert.equal(await stored(winner.key!), null);
  });

  test("the record that leads from one to the other holds neither key, and is no session to anybody", async () => {
    const inner = memoryStore();
    const written = new Map<string, string>();
    const store: SessionStore = {
      ...inner,
      create(key, record) {
        written.set(key, String(record.payload));
        return inner.create(key, record);
      },
    };
    const { session, key, open } = await application({ uid: "alice" }, {}, store);
    await session.cycleKey();
    const [forwarding] = [...written].filter(([name]) => name !== key && name !== session.key);
    const text = JSON.stringify(codec.decode(forwarding![1])!.data);
    for (const secret of [key, session.key!]) {
      assert.ok(!text.includes(secret) && !text.includes(Buffer.from(secret).toString("hex")), text);
    }
    assert.equal((await open(forwarding![0]).session()).key, null);
  });
});

describe("the same path changed by two requests", () => {
  async function collide(settings: Partial<SessionSettings>, mine: unknown, theirs: unknown) {
    const { open, stored, key, late, session } = await application({ n: 1, keep: true }, settings);
    const other = await open().session();
    if (theirs === undefined) other.delete("n");
    else other.set("n", theirs);
    await other.save();
    if (mine === undefined) session.delete("n");
    else session.set("n", mine);
    const events = await eventsDuring("sojourn:conflict", async () => late.commit(200));
    assert.deepEqual((events[0] as { paths: unknown }).paths, [["n"]]);
    return stored(key);
  }

  test("is what the later one made of it", async () => {
    assert.deepEqual(await collide({}, 2, 3), { n: 2, keep: true });
    assert.deepEqual(await collide({}, undefined, 3), { keep: true });
  });

  test("is what a resolver says, which is told all three sides", async () => {
    const asked: Conflict[] = [];
    const onConflict = (conflict: Conflict) => {
      asked.push(conflict);
      return (conflict.mine as number) + (conflict.theirs as number) - (conflict.base as number);
    };
    assert.deepEqual(await collide({ onConflict }, 5, 10), { n: 14, keep: true });
    assert.deepEqual(asked, [{ path: ["n"], base: 1, mine: 5, theirs: 10 }]);
    assert.deepEqual(await collide({ onConflict: () => undefined }, 5, 10), { keep: true });
    assert.deepEqual(await collide({ onConflict: ({ theirs }) => theirs }, 5, undefined), { keep: true });
  });
});

describe("a transaction whose outcome nobody knows", () => {
  test("is an error, and is not stored again with the response: it would count twice", async () => {
    const inner = memoryStore();
    let isBroken = false;
    const store: SessionStore = {
      ...inner,
      async update(...args) {
        const answer = await inner.update(...args);
        if (!isBroken) return answer;
        isBroken = false;
        throw new Error("ECONNRESET");
      },
    };
    const { sessions, key, stored } = await application({ n: 0 }, {}, store);
    const request = {};
    const requestSession = sessions.open(`sessionid=${key}`, request);
    isBroken = true;
    const increment = () => sessions.transact(request, (session) => session.set("n", session.get("n") + 1));
    await assert.rejects(increment(), { code: "ERR_SESSION_UNAVAILABLE" });
    // Another request counts, too, and the first one answers in spite of its error.
    await sessions.transact(key, (session) => session.set("n", session.get("n") + 1));
    assert.deepEqual(await requestSession.commit(200), { setCookie: [], varyByCookie: true });
    assert.deepEqual(await stored(key), { n: 2 });
  });
});

describe("a route that is worth showing without its session", () => {
  async function outage(error = new Error("ECONNREFUSED")) {
    const inner = memoryStore();
    let isDown = false;
    const store: SessionStore = {
      ...inner,
      load: (key) => (isDown ? Promise.reject(error) : inner.load(key)),
    };
    const app = await application({ uid: "alice" }, {}, store);
    isDown = true;
    return { ...app, recover: () => (isDown = false) };
  }

  test("gets nobody's session, to be read and not changed, and the browser keeps its cookie", async () => {
    const { sessions, key } = await outage();
    const request = {};
    const requestSession = sessions.open(`sessionid=${key}`, request);
    const session = await sessions.get(request, { onUnavailable: "anonymous" });
    assert.equal(session.unavailable, true);
    assert.equal(session.get("uid"), undefined);
    assert.equal(session.key, null);
    const refused = { code: "ERR_SESSION_UNAVAILABLE", status: 503 };
    assert.throws(() => session.set("a", 1), refused);
    assert.throws(() => session.clear(), refused);
    for (const verb of ["save", "flush", "cycleKey"] as const) {
      await assert.rejects(async () => session[verb](), refused);
    }
    await assert.rejects(
      sessions.transact(request, () => {}),
      refused,
    );
    assert.deepEqual(await requestSession.commit(200), { setCookie: [], varyByCookie: true });
  });

  test("gets its session where there is one, and the error where it did not ask otherwise", async () => {
    const { sessions, key, recover } = await outage();
    const down = {};
    sessions.open(`sessionid=${key}`, down);
    await assert.rejects(sessions.get(down), { code: "ERR_SESSION_UNAVAILABLE" });
    recover();
    const up = {};
    sessions.open(`sessionid=${key}`, up);
    const session = await sessions.get(up, { onUnavailable: "anonymous" });
    assert.equal(session.unavailable, false);
    assert.equal(session.get("uid"), "alice");
    await assert.rejects(sessions.get(up, { onUnavailable: "ignore" as never }), { code: "ERR_CONFIG" });
  });

  test("gets every other error: a wrong setting is no outage", async () => {
    const { sessions, key } = await outage(new SessionError("ERR_CONFIG", "no table"));
    const request = {};
    sessions.open(`sessionid=${key}`, request);
    await assert.rejects(sessions.get(request, { onUnavailable: "anonymous" }), { code: "ERR_CONFIG" });
  });
});

describe("a logout that fails", () => {
  test("is an error, and the browser keeps its cookie, whether there was a session or not", async () => {
    for (const isThere of [true, false]) {
      const inner = memoryStore();
      const store: SessionStore = { ...inner, delete: () => Promise.reject(new Error("ECONNRESET")) };
      const { key, open } = await application({ uid: "alice" }, {}, store);
      if (!isThere) await inner.delete(key);
      const request = open();
      const session = await request.session();
      await assert.rejects(session.flush(), { code: "ERR_SESSION_UNAVAILABLE" });
      assert.deepEqual(await request.commit(503), { setCookie: [], varyByCookie: true });
    }
  });
});

describe("a transaction that met another", () => {
  test("is stored once: a logout after it is no conflict with its response", async () => {
    const { sessions, key, stored } = await application({ n: 0 });
    const request = {};
    const requestSession = sessions.open(`sessionid=${key}`, request);
    const increment = (session: { get(key: string): number; set(key: string, value: number): unknown }) => {
      session.set("n", session.get("n") + 1);
    };
    await requestSession.session();
    await sessions.transact(key, increment);
    await sessions.transact(request, increment);
    assert.deepEqual(await stored(key), { n: 2 });
    await sessions.delete(key);
    await requestSession.commit(200);
    assert.equal(await stored(key), null);
  });
});
