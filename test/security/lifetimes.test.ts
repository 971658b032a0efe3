import assert from "node:assert/strict";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import { encryptedCodec } from "../../src/codecs/encrypted.ts";
import { type ConnectedStore, connect } from "../../src/connect.ts";
import type { SessionEngine, SessionStore } from "../../src/core/contracts.ts";
import { createSessions } from "../../src/core/sessions.ts";
import type { SessionSettings } from "../../src/core/settings.ts";
import { djangoAuth } from "../../src/django/auth.ts";
import { djangoCodec, djangoCookieCodec } from "../../src/django/codec.ts";
import { cookieEngine } from "../../src/engines/cookie-engine.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { createSessions as createApplication } from "../../src/index.ts";
import { cachedStore } from "../../src/stores/cached/store.ts";
import { hashedKeys } from "../../src/stores/hashed-keys.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { temporaryDirectory } from "../support/servers/server.ts";
import { receive } from "./headers-user-agent.ts";

/*
 * When a session begins and ends: OWASP ASVS 5.0 V7.2.4, V7.3 and V7.4.1, NIST SP 800-63B-4 sections 2 and 5.1. On the
 * engines whose clock can be given; what ends a session in Redis and memcached is their own clock, and the stores' suites.
 */

const secretKey = "a secret key for tests, 32 characters at least";
const START = new Date("2026-11-20T12:00:00Z");
const [MINUTE, HOUR, DAY] = [60, 3600, 86_400];

function newClock() {
  let time = START.getTime();
  return {
    now: () => new Date(time),
    pass(seconds: number) {
      time += seconds * 1000;
    },
  };
}

type Clock = ReturnType<typeof newClock>;
const directory = temporaryDirectory();
let counter = 0;

const opened: ConnectedStore[] = [];
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

async function open(url: string, { now }: Clock): Promise<SessionStore> {
  const store = await connect(url, { now });
  opened.push(store);
  await store.migrate();
  return store;
}

const STORES: Record<string, (clock: Clock) => Promise<SessionStore>> = {
  memory: async ({ now }) => memoryStore({ now }),
  SQLite: (clock) => open(`sqlite:${join(directory, `${counter++}.sqlite3`)}`, clock),
  files: (clock) => open(`file:${join(directory, `${counter++}`)}`, clock),
  "a cache over a database": async ({ now }) => cachedStore(memoryStore({ now }), memoryStore({ now }), { now }),
  "hashed keys": async ({ now }) => hashedKeys(memoryStore({ now })),
};

const KEPT: Record<string, (clock: Clock) => Promise<SessionEngine>> = Object.fromEntries(
  Object.entries(STORES).map(([name, openStore]) => [
    name,
    async (clock: Clock) => storeEngine(await openStore(clock), djangoCodec({ secretKey })),
  ]),
);

const ENGINES: typeof KEPT = {
  ...KEPT,
  "signed cookies": async () => cookieEngine(djangoCookieCodec({ secretKey })),
  "encrypted cookies": async () => cookieEngine(encryptedCodec({ secretKey })),
};

/** A browser that keeps what it was once given, whatever the server says. */
async function visitor(engine: SessionEngine, clock: Clock, settings: Partial<SessionSettings> = {}) {
  const sessions = createSessions<Record<string, any>>(engine, { ...settings, now: clock.now });
  let cookie: string | undefined;
  async function visit<T>(handle: (session: any) => T | Promise<T>, presented = cookie) {
    const request = sessions.open(presented);
    const result = await handle(await request.session());
    const { setCookie } = await request.commit(200);
    const [set] = setCookie;
    if (set && !/Max-Age=0/.test(set)) cookie = set.split(";")[0];
    return { result, set };
  }
  return { visit, cookie: () => cookie!, sessions };
}

const uid = (session: { get(key: string): unknown }) => session.get("uid");

describe("an idle session ends at the server, however long the browser keeps its cookie (V7.3.1)", () => {
  for (const [name, open] of Object.entries(ENGINES)) {
    test(name, async () => {
      const clock = newClock();
      const { visit } = await visitor(await open(clock), clock, { cookieAge: HOUR });
      await visit((session) => session.set("uid", "alice"));
      clock.pass(HOUR - 1);
      assert.equal((await visit(uid)).result, "alice");
      // As in Django, reading is no activity.
      clock.pass(1);
      assert.equal((await visit(uid)).result, undefined);
    });

    test(`${name}, with saveEveryRequest: each request is activity`, async () => {
      const clock = newClock();
      const { visit } = await visitor(await open(clock), clock, { cookieAge: HOUR, saveEveryRequest: true });
      await visit((session) => session.set("uid", "alice"));
      for (let request = 0; request < 10; request++) {
        clock.pass(HOUR - 1);
        assert.equal((await visit(uid)).result, "alice");
      }
      clock.pass(HOUR);
      assert.equal((await visit(uid)).result, undefined);
    });
  }
});

describe("with absoluteAge a session ends, whatever is done to it (V7.3.2)", () => {
  const settings = { absoluteAge: DAY, cookieAge: HOUR, saveEveryRequest: true };

  const DEEDS: Record<string, (session: any) => unknown> = {
    reading: uid,
    writing: (session) => session.set("n", (session.get("n") ?? 0) + 1),
    saving: (session) => session.save(),
    "moving to another key": (session) => session.cycleKey(),
    "a transaction": (session) => session.transact((inner: any) => inner.set("n", 1)),
    "asking for more time": (session) => session.setExpiry(Number.POSITIVE_INFINITY),
    "clearing and writing": (session) => {
      session.clear();
      session.set("uid", "alice");
    },
    "writing what it says of its start": (session) => session.set("_session_started", Date.now() / 1000 + 365 * DAY),
    "deleting what it says of its start": (session) => session.delete("_session_started"),
  };

  for (const [name, open] of Object.entries(ENGINES)) {
    for (const [deed, act] of Object.entries(DEEDS)) {
      test(`${name}, though it is kept up by ${deed}`, async () => {
        const clock = newClock();
        const { visit } = await visitor(await open(clock), clock, settings);
        await visit((session) => session.set("uid", "alice"));
        for (let passed = 0; passed < DAY - HOUR; passed += HOUR / 2) {
          clock.pass(HOUR / 2);
          const { result, set } = await visit(async (session) => {
            const found = uid(session);
            await act(session);
            return found;
          });
          assert.equal(result, "alice", `after ${passed} s`);
          // Nor does the cookie promise more than is left.
          const promised = Number(/Max-Age=(\d+)/.exec(set ?? "")?.[1] ?? 0);
          assert.ok(promised <= DAY - passed - HOUR / 2, `${promised} after ${passed}`);
        }
        clock.pass(HOUR - MINUTE);
        await visit(act);
        clock.pass(MINUTE);
        assert.equal((await visit(uid)).result, undefined);
      });
    }
  }

  test("and the next one, after a flush, has its own day", async () => {
    const clock = newClock();
    const { visit } = await visitor(await KEPT.memory!(clock), clock, settings);
    await visit((session) => session.set("uid", "alice"));
    clock.pass(HOUR / 2);
    await visit(async (session) => {
      await session.flush();
      session.set("uid", "alice");
    });
    for (let passed = 0; passed < DAY - HOUR / 2; passed += HOUR / 2) {
      clock.pass(HOUR / 2);
      assert.equal((await visit(uid)).result, passed < DAY - HOUR / 2 ? "alice" : undefined);
    }
  });

  test("also one that Django began, which does not say when: from its first save here", async () => {
    const clock = newClock();
    const store = memoryStore({ now: clock.now });
    const engine = storeEngine(store, djangoCodec({ secretKey }));
    const django = await visitor(engine, clock);
    await django.visit((session) => session.set("uid", "alice"));
    const { visit } = await visitor(engine, clock, settings);
    await visit(uid, django.cookie());
    clock.pass(HOUR);
    assert.equal((await visit(uid)).result, undefined);
  });
});

describe("who logs in gets a new key, and the old one is dead (V7.2.4)", () => {
  const auth = djangoAuth({ secretKey });
  const alice = { id: 1, password: "pbkdf2_sha256$1000000$salt$hash" };
  const bob = { id: 2, password: "pbkdf2_sha256$1000000$pepper$hash" };

  for (const [name, open] of Object.entries(KEPT)) {
    test(`at the login, at each further one, and with a new password: ${name}`, async () => {
      const clock = newClock();
      const engine = await open(clock);
      const { visit, cookie } = await visitor(engine, clock);
      const others = await visitor(engine, clock);
      // An attacker's own session, planted in the victim's browser.
      await others.visit((session) => session.set("cart", ["book"]));
      let planted = others.cookie();
      for (const step of [
        (session: any) => auth.login(session, alice),
        (session: any) => auth.login(session, alice),
        (session: any) => auth.updateHash(session, { ...alice, password: "pbkdf2_sha256$1000000$new$hash" }),
        (session: any) => auth.login(session, bob),
        (session: any) => session.cycleKey(),
      ]) {
        await visit(step, planted);
        assert.notEqual(cookie(), planted);
        const seen = await others.visit((session) => [session.key, session.size], planted);
        assert.deepEqual(seen.result, [null, 0]);
        planted = cookie();
      }
      assert.equal((await visit((session) => auth.userId(session))).result, "2");
    });
  }

  test("with cookies that hold the session, the token is another: whose copy stays good until it expires", async () => {
    const clock = newClock();
    const { visit, cookie } = await visitor(await ENGINES["encrypted cookies"]!(clock), clock);
    await visit((session) => session.set("cart", ["book"]));
    const before = cookie();
    await visit((session) => auth.login(session, alice));
    assert.notEqual(cookie(), before);
    const old = await visit((session) => [session.get("cart"), auth.userId(session)], before);
    assert.deepEqual(old.result, [["book"], null]);
  });
});

describe("who logs out is out, with every copy of the cookie (V7.4.1)", () => {
  for (const [name, open] of Object.entries(KEPT)) {
    test(`${name}: also those from before it moved, and the ones that requests still have in hand`, async () => {
      const clock = newClock();
      const { visit, cookie, sessions } = await visitor(await open(clock), clock);
      await visit((session) => session.set("uid", "alice"));
      const copies = [cookie()];
      await visit((session) => session.cycleKey());
      copies.push(cookie());
      const late = sessions.open(cookie());
      (await late.session()).set("late", true);
      const { set } = await visit((session) => session.flush());
      assert.ok(receive(set!, { secure: true, host: "localhost", path: "/" })!.expired);
      await assert.rejects(async () => late.commit(200), { code: "ERR_SESSION_INTERRUPTED" });
      for (const copy of copies) assert.equal((await visit(uid, copy)).result, undefined);
    });

    test(`${name}: by the key, as an administrator ends it`, async () => {
      const clock = newClock();
      const { visit, cookie, sessions } = await visitor(await open(clock), clock);
      await visit((session) => session.set("uid", "alice"));
      await sessions.delete(cookie().split("=")[1]!);
      assert.equal((await visit(uid)).result, undefined);
    });
  }

  for (const name of ["signed cookies", "encrypted cookies"]) {
    test(`${name} do not keep this: a copy is good until the session would have ended, and no longer`, async () => {
      const clock = newClock();
      const { visit, cookie } = await visitor(await ENGINES[name]!(clock), clock, { cookieAge: HOUR });
      await visit((session) => session.set("uid", "alice"));
      const copy = cookie();
      const { set } = await visit((session) => session.flush());
      assert.match(set!, /Max-Age=0/);
      assert.equal((await visit(uid, copy)).result, "alice");
      clock.pass(HOUR);
      assert.equal((await visit(uid, copy)).result, undefined);
    });
  }

  test("a change of the secret key ends all sessions at once", async () => {
    const clock = newClock();
    const store = memoryStore({ now: clock.now });
    const { visit, cookie } = await visitor(storeEngine(store, djangoCodec({ secretKey })), clock);
    await visit((session) => session.set("uid", "alice"));
    const key = "another secret key, of the same length at least";
    const rotated = await visitor(storeEngine(store, djangoCodec({ secretKey: key })), clock);
    assert.equal((await rotated.visit(uid, cookie())).result, undefined);
  });
});

describe('the preset "strict"', () => {
  async function application(clock: Clock, settings: object = {}) {
    const keys: string[] = [];
    const store = memoryStore({ now: clock.now });
    const spied = Object.fromEntries(
      Object.entries(store).map(([name, method]) => [
        name,
        (key: string, ...rest: unknown[]) => {
          keys.push(key);
          return (method as (...args: unknown[]) => unknown)(key, ...rest);
        },
      ]),
    ) as unknown as SessionStore;
    const sessions = createApplication<Record<string, any>>({
      ...{ preset: "strict", secretKey, store: spied, now: clock.now },
      ...settings,
    });
    return { sessions, keys };
  }

  async function visit(sessions: any, cookie: string | undefined, handle: (session: any) => unknown = uid) {
    const request = sessions.open(cookie);
    const result = await handle(await request.session());
    const { setCookie } = await request.commit(200);
    return { result, set: setCookie[0] as string | undefined };
  }

  test("is a __Host- cookie: Secure, HttpOnly, SameSite=Lax, this host only, and at most an hour", async () => {
    const { sessions } = await application(newClock());
    const { set } = await visit(sessions, undefined, (session) => session.set("uid", "alice"));
    const origin = { secure: true, host: "app.example.com", path: "/" };
    const { name, secure, httpOnly, sameSite, hostOnly, path } = receive(set!, origin)!;
    assert.deepEqual(
      { name, secure, httpOnly, sameSite, hostOnly, path },
      { name: "__Host-sessionid", secure: true, httpOnly: true, sameSite: "lax", hostOnly: true, path: "/" },
    );
    assert.equal(receive(set!, { ...origin, secure: false }), null);
    assert.match(set!, /Max-Age=3600/);
  });

  test("ends after an idle hour, where every request is activity, and after a day (NIST SP 800-63B-4, AAL2)", async () => {
    const clock = newClock();
    const { sessions } = await application(clock);
    let cookie = (await visit(sessions, undefined, (session) => session.set("uid", "alice"))).set!.split(";")[0];
    for (let passed = 0; passed < DAY - HOUR; passed += 45 * MINUTE) {
      clock.pass(45 * MINUTE);
      const { result, set } = await visit(sessions, cookie);
      assert.equal(result, "alice");
      cookie = set!.split(";")[0];
    }
    clock.pass(HOUR);
    assert.equal((await visit(sessions, cookie)).result, undefined);

    const { set } = await visit(sessions, undefined, (session) => session.set("uid", "alice"));
    clock.pass(HOUR);
    assert.equal((await visit(sessions, set!.split(";")[0])).result, undefined);
  });

  test("tells the store no key that a cookie has, through a whole session's life", async () => {
    const clock = newClock();
    const { sessions, keys } = await application(clock);
    const seen: string[] = [];
    let cookie: string | undefined;
    for (const act of [
      (session: any) => session.set("uid", "alice"),
      uid,
      (session: any) => session.cycleKey(),
      (session: any) => session.set("n", 1),
      (session: any) => session.flush(),
    ]) {
      const { set } = await visit(sessions, cookie, act);
      if (set && !/Max-Age=0/.test(set)) cookie = set.split(";")[0];
      seen.push(cookie!.split("=")[1]!);
    }
    assert.ok(keys.length >= 8);
    for (const key of keys) assert.ok(!seen.includes(key) && /^[a-z0-9]{40}$/.test(key));
    // And what stands in the store is no cookie: it is hashed once more.
    for (const key of [...keys]) assert.equal((await visit(sessions, `__Host-sessionid=${key}`)).result, undefined);
  });

  test("refuses an engine that would undo it, and a cookie that it says browsers must refuse", async () => {
    const plain = cookieEngine(djangoCookieCodec({ secretKey }));
    for (const engine of [plain, storeEngine(memoryStore(), djangoCodec({ secretKey }))]) {
      assert.throws(() => createApplication({ preset: "strict", engine }), { code: "ERR_CONFIG" });
    }
    for (const settings of [{ cookieSecure: false }, { cookieDomain: "example.com" }, { cookiePath: "/app" }]) {
      await assert.rejects(application(newClock(), settings), { code: "ERR_CONFIG" });
    }
    createApplication({
      preset: "strict",
      engine: cookieEngine(encryptedCodec({ secretKey, cookieName: "__Host-sessionid" })),
    });
  });
});
