import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, test } from "node:test";
import type { SessionCodec, SessionData, SessionStore } from "../../src/core/contracts.ts";
import type { SessionEvents } from "../../src/core/events.ts";
import { fingerprint } from "../../src/core/key.ts";
import { type ResponseHeaders, writeResponseHeaders } from "../../src/core/response-headers.ts";
import { createSessions } from "../../src/core/sessions.ts";
import type { SessionSettings } from "../../src/core/settings.ts";
import { djangoCodec } from "../../src/django/codec.ts";
import { parse, stringify } from "../../src/django/python-json.ts";
import { resolveDjangoSettings } from "../../src/django/settings/resolve.ts";
import { dumps, loads, signer } from "../../src/django/signing.ts";
import { cookieEngine } from "../../src/engines/cookie-engine.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { vectors } from "../support/vectors.ts";

const secretKey = "a secret key for tests, 32 characters at least";
const codec = djangoCodec({ secretKey });
const UNKNOWN = "abcdefghijklmnopqrstuvwxyz012345";

/** A memory store that counts what is asked of it. */
function countingStore(now?: () => Date): SessionStore & { calls: string[] } {
  const store = memoryStore(now ? { now } : {});
  const calls: string[] = [];
  const counted = Object.entries(store).map(([name, method]) => [
    name,
    (...args: unknown[]) => {
      calls.push(name);
      return (method as (...args: unknown[]) => unknown)(...args);
    },
  ]);
  return Object.assign(Object.fromEntries(counted), { calls });
}

function application(settings: Partial<SessionSettings> = {}) {
  const store = countingStore(settings.now);
  const sessions = createSessions<Record<string, any>>(storeEngine(store, codec), settings);
  return { store, sessions, open: (cookie?: string) => sessions.open(cookie) };
}

async function applicationWithSession(
  data: Record<string, unknown> = { uid: "123" },
  settings?: Partial<SessionSettings>,
) {
  const app = application(settings);
  const session = await app.open().session();
  session.update(data);
  await session.save();
  const key = session.key!;
  app.store.calls.length = 0;
  return { ...app, key, cookie: `${settings?.cookieName ?? "sessionid"}=${key}` };
}

describe("the lifecycle of a request", () => {
  test("an untouched request costs nothing: no store operation, no header", async () => {
    const { store, open, cookie } = await applicationWithSession();
    for (const header of [undefined, cookie, `sessionid=${UNKNOWN}`, "other=1"]) {
      assert.deepEqual(open(header).commit(200), { setCookie: [], varyByCookie: false });
    }
    assert.deepEqual(store.calls, []);
  });

  test("reading without a cookie costs no store operation", async () => {
    const { store, open } = application();
    const request = open();
    (await request.session()).get("uid");
    assert.deepEqual(await request.commit(200), { setCookie: [], varyByCookie: true });
    assert.deepEqual(store.calls, []);
  });

  test("reading costs one operation, however often", async () => {
    const { store, open, cookie } = await applicationWithSession();
    const request = open(cookie);
    for (let n = 0; n < 3; n++) assert.equal((await request.session()).get("uid"), "123");
    assert.deepEqual(await request.commit(200), { setCookie: [], varyByCookie: true });
    assert.deepEqual(store.calls, ["load"]);
  });

  test("writing costs one more", async () => {
    const { store, open, cookie } = await applicationWithSession();
    const request = open(cookie);
    (await request.session()).set("a", 1).set("b", 2);
    assert.match((await request.commit(200)).setCookie[0]!, /^sessionid=[a-z0-9]{32}; expires=/);
    assert.deepEqual(store.calls, ["load", "update"]);
  });

  test("a session saved by hand is not saved again, and its cookie is set", async () => {
    const { store, open } = application();
    const request = open();
    const session = await request.session();
    await session.set("a", 1).save();
    assert.match((await request.commit(200)).setCookie[0]!, new RegExp(`^sessionid=${session.key};`));
    assert.deepEqual(store.calls, ["create"]);
  });

  test("a session that was asked for makes the response vary, whatever of it was looked at", async () => {
    const { open, cookie } = await applicationWithSession();
    for (const header of [undefined, cookie]) {
      const request = open(header);
      const session = await request.session();
      assert.equal(session.isEmpty, header === undefined);
      assert.equal(session.accessed, false);
      assert.deepEqual(await request.commit(200), { setCookie: [], varyByCookie: true });
    }
  });

  test("hostile cookies reach no store", async () => {
    const { store, open } = application();
    for (const value of [
      "",
      "0",
      "null",
      "a".repeat(41),
      "../../etc/passwd",
      "x' OR 1=1 --",
      "a\u0000bcdefgh",
      "ÀÀÀÀÀÀÀÀ",
      "a".repeat(100_000),
    ]) {
      const session = await open(`sessionid=${value}`).session();
      assert.deepEqual([session.key, session.size], [null, 0]);
    }
    assert.deepEqual(store.calls, []);
  });

  test("cookies called like pieces of a token are not ours where sessions are in a store", async () => {
    const { open, cookie } = await applicationWithSession();
    const request = open(`${cookie}; sessionid.1=x; sessionid.2=y`);
    await (await request.session()).flush();
    assert.deepEqual((await request.commit(200)).setCookie.length, 1);
  });

  test("reading with an unknown cookie deletes the cookie and stores nothing", async () => {
    const { store, open } = application();
    const request = open(`sessionid=${UNKNOWN}`);
    (await request.session()).get("uid");
    assert.match(
      (await request.commit(200)).setCookie[0]!,
      /^sessionid=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0/,
    );
    assert.deepEqual(store.calls, ["load"]);
  });

  for (const [name, act] of Object.entries({
    clear: (s: any) => s.clear(),
    flush: (s: any) => s.flush(),
    "set and delete": (s: any) => s.set("a", 1).delete("a"),
  })) {
    // Django CVE-2015-5963: an anonymous logout created an empty record.
    test(`${name} without a session stores nothing and sets no cookie`, async () => {
      const { store, open } = application();
      const request = open();
      await act(await request.session());
      assert.deepEqual(await request.commit(200), { setCookie: [], varyByCookie: true });
      assert.deepEqual(store.calls, []);
    });

    test(`${name} with an unknown cookie is no error, and deletes the cookie`, async () => {
      const { store, open } = application();
      const request = open(`sessionid=${UNKNOWN}`);
      await act(await request.session());
      assert.match((await request.commit(200)).setCookie[0]!, /^sessionid=""/);
      assert.equal(store.calls.includes("create") || store.calls.includes("update"), false);
    });
  }

  for (const status of [500, 502, 503, 599]) {
    test(`nothing is saved with status ${status}`, async () => {
      const { store, open, cookie } = await applicationWithSession();
      const request = open(cookie);
      (await request.session()).set("a", 1);
      assert.deepEqual(await request.commit(status), { setCookie: [], varyByCookie: true });
      assert.deepEqual(store.calls, ["load"]);
    });
  }

  for (const status of [200, 204, 302, 304, 404, 499]) {
    test(`changes are saved with status ${status}`, async () => {
      const { store, open, cookie } = await applicationWithSession();
      const request = open(cookie);
      (await request.session()).set("a", 1);
      assert.equal((await request.commit(status)).setCookie.length, 1);
      assert.deepEqual(store.calls, ["load", "update"]);
    });
  }

  test("the cookie follows cycleKey even on an error page, or the user would be logged out", async () => {
    const { open, cookie } = await applicationWithSession();
    const request = open(cookie);
    const session = await request.session();
    await session.cycleKey();
    assert.match((await request.commit(500)).setCookie[0]!, new RegExp(`^sessionid=${session.key};`));
  });

  test("a session deleted meanwhile interrupts the request, and is not brought back", async () => {
    const { store, sessions, open, cookie, key } = await applicationWithSession();
    const request = open(cookie);
    (await request.session()).set("a", 1);
    await sessions.delete(key);
    await assert.rejects(async () => request.commit(200), { code: "ERR_SESSION_INTERRUPTED" });
    assert.equal(await store.load(key), null);
  });

  for (const [name, act] of Object.entries({
    "a flush": (session: any) => session.flush(),
    "a flush after a change": (session: any) => session.set("a", 1).flush(),
    "a flush after a save": (session: any) => {
      session.set("a", 1).save();
      session.flush();
    },
  })) {
    test(`${name} that the handler did not await still logs out, before the response begins`, async () => {
      const { store, open, cookie, key } = await applicationWithSession();
      const request = open(cookie);
      const session = await request.session();
      session.get("uid");
      act(session);
      assert.match((await request.commit(200)).setCookie[0]!, /^sessionid=""/);
      assert.equal(await store.load(key), null);
      assert.equal(store.calls.includes("create"), false);
    });
  }

  test("a cycleKey that the handler did not await is finished before the response begins", async () => {
    const { store, open, cookie, key } = await applicationWithSession();
    const request = open(cookie);
    const session = await request.session();
    void session.cycleKey();
    assert.match((await request.commit(200)).setCookie[0]!, new RegExp(`^sessionid=${session.key};`));
    assert.notEqual(session.key, key);
    assert.equal(await store.load(key), null);
  });

  test("a transaction that the handler did not await is finished before the response begins", async () => {
    const { store, sessions, cookie, key } = await applicationWithSession({ n: 1 });
    const handle = {};
    const request = sessions.open(cookie, handle);
    const session = await request.session();
    const running = new Promise<void>((resolve) => {
      void sessions.transact(handle, async (newest) => {
        resolve();
        await null;
        newest.set("n", newest.get("n") + 1);
      });
    });
    await running;
    assert.match((await request.commit(200)).setCookie[0]!, new RegExp(`^sessionid=${session.key};`));
    assert.equal(codec.decode((await store.load(key))!.payload)!.data.n, 2);
  });

  test("changing a session after its response began is an error, not a silent loss", async () => {
    const { open, cookie } = await applicationWithSession();
    const request = open(cookie);
    const session = await request.session();
    await request.commit(200);
    assert.throws(() => session.set("a", 1), { code: "ERR_SESSION_CLOSED", message: /too late to be saved/ });
    assert.throws(() => session.clear(), { code: "ERR_SESSION_CLOSED" });
    await assert.rejects(async () => session.flush(), { code: "ERR_SESSION_CLOSED" });
    assert.equal(session.get("uid"), "123");
  });

  test("a session asked for only after the response began can be read, not changed", async () => {
    const { open, cookie } = await applicationWithSession();
    const request = open(cookie);
    await request.commit(200);
    const session = await request.session();
    assert.equal(session.get("uid"), "123");
    assert.throws(() => session.set("a", 1), { code: "ERR_SESSION_CLOSED" });
  });

  test("a session that is never changed in time keeps its cookie's life", async () => {
    const now = new Date("2026-01-01T00:00:00Z");
    const { open, cookie } = await applicationWithSession({ uid: 1 }, { now: () => now });
    const request = open(cookie);
    (await request.session()).setExpiry(Number.POSITIVE_INFINITY);
    // RFC 6265bis: browsers cap at 400 days.
    assert.match((await request.commit(200)).setCookie[0]!, /Max-Age=34560000;/);
    assert.equal((await open(cookie).session()).expiryDate().getUTCFullYear(), 9999);
  });
});

describe("when the store fails", () => {
  function failing(method: keyof SessionStore) {
    const store = memoryStore();
    const cause = new Error("connection refused");
    const broken = { ...store, [method]: async () => Promise.reject(cause) };
    return { store, sessions: createSessions<Record<string, any>>(storeEngine(broken, codec)), cause };
  }

  test("a load that fails is unavailable, never an empty session, and no cookie is touched", async () => {
    const { sessions, cause } = failing("load");
    const request = sessions.open(`sessionid=${UNKNOWN}`);
    await assert.rejects(request.session(), {
      code: "ERR_SESSION_UNAVAILABLE",
      status: 503,
      cause,
      headers: { "Retry-After": "5" },
    });
    assert.deepEqual(await request.commit(503), { setCookie: [], varyByCookie: true });
  });

  test("a handler that answers in spite of it is not overruled, and no cookie is touched", async () => {
    const request = failing("load").sessions.open(`sessionid=${UNKNOWN}`);
    await request.session().catch(() => {});
    assert.deepEqual(await request.commit(200), { setCookie: [], varyByCookie: true });
  });

  for (const method of ["create", "update"] as const) {
    test(`a ${method} that fails fails the commit`, async () => {
      const { store, sessions } = failing(method);
      const key = UNKNOWN;
      if (method === "update") {
        await store.create(key, { payload: codec.encode({ a: 1 }, new Date()), expiresAt: new Date(Date.now() + 1e6) });
      }
      const request = sessions.open(`sessionid=${key}`);
      (await request.session()).set("b", 1);
      await assert.rejects(async () => request.commit(200), { code: "ERR_SESSION_UNAVAILABLE" });
    });
  }

  test("a flush that fails is an error, and does not pretend to have logged out", async () => {
    const { store, sessions } = failing("delete");
    await store.create(UNKNOWN, { payload: codec.encode({ a: 1 }, new Date()), expiresAt: new Date(Date.now() + 1e6) });
    const session = await sessions.open(`sessionid=${UNKNOWN}`).session();
    await assert.rejects(session.flush(), { code: "ERR_SESSION_UNAVAILABLE" });
    assert.deepEqual([session.key, session.get("a")], [UNKNOWN, 1]);
  });

  test("a save that failed, and that the handler survived, is tried again with the response", async () => {
    const store = memoryStore();
    let failures = 1;
    const flaky: SessionStore = {
      ...store,
      create: async (key, record) => (failures-- > 0 ? Promise.reject(new Error("down")) : store.create(key, record)),
    };
    const request = createSessions<Record<string, any>>(storeEngine(flaky, codec)).open(undefined);
    const session = await request.session();
    await assert.rejects(session.set("a", 1).save(), { code: "ERR_SESSION_UNAVAILABLE" });
    assert.equal((await request.commit(200)).setCookie.length, 1);
    assert.deepEqual({ ...codec.decode((await store.load(session.key!))!.payload)!.data }, { a: 1 });
  });

  test("a flush that the handler did not await fails the commit", async () => {
    const { store, sessions } = failing("delete");
    await store.create(UNKNOWN, {
      payload: codec.encode({ a: 1 }, new Date()),
      expiresAt: new Date(Date.now() + 1e6),
    });
    const request = sessions.open(`sessionid=${UNKNOWN}`);
    const session = await request.session();
    void session.flush();
    await assert.rejects(async () => request.commit(200), { code: "ERR_SESSION_UNAVAILABLE" });
  });

  test("no error shows the session key", async () => {
    for (const method of ["load", "create", "update", "delete"] as const) {
      const { sessions } = failing(method);
      for (const act of ["set", "flush", "cycleKey"] as const) {
        const request = sessions.open(`sessionid=${UNKNOWN}`);
        try {
          const session = await request.session();
          if (act === "set") session.set("a", 1);
          else await session[act]();
          await request.commit(200);
        } catch (error) {
          assert.equal(String((error as Error).stack).includes(UNKNOWN), false);
        }
      }
    }
  });
});

/** Runs `body`, and returns the events of `name` that it caused. */
async function events<Name extends keyof SessionEvents>(
  name: Name,
  body: () => Promise<void>,
): Promise<SessionEvents[Name][]> {
  const seen: SessionEvents[Name][] = [];
  const listener = (event: unknown) => seen.push(event as SessionEvents[Name]);
  subscribe(name, listener);
  try {
    await body();
  } finally {
    unsubscribe(name, listener);
  }
  return seen;
}

describe("a stored session that does not verify", () => {
  async function corrupted() {
    const app = application();
    const other = djangoCodec({ secretKey: "another application's secret key, long enough" });
    await app.store.create(UNKNOWN, {
      payload: other.encode({ uid: 1 }, new Date()),
      expiresAt: new Date(Date.now() + 1e6),
    });
    return { ...app, cookie: `sessionid=${UNKNOWN}` };
  }

  test("is no session, is reported, and is neither deleted nor is its cookie", async () => {
    const { open, cookie, store } = await corrupted();
    const seen = await events("sojourn:corrupted", async () => {
      const request = open(cookie);
      const session = await request.session();
      assert.deepEqual([session.key, session.get("uid")], [null, undefined]);
      assert.deepEqual(await request.commit(200), { setCookie: [], varyByCookie: true });
    });
    assert.deepEqual(seen, [{ session: fingerprint(UNKNOWN) }]);
    assert.notEqual(await store.load(UNKNOWN), null);
  });

  test("is left as it is when a new session is written beside it", async () => {
    const { open, cookie, store } = await corrupted();
    const request = open(cookie);
    const session = await request.session();
    session.set("a", 1);
    await request.commit(200);
    assert.notEqual(session.key, UNKNOWN);
    assert.notEqual(await store.load(UNKNOWN), null);
  });

  test("is deleted by flush: a logout is a logout, whatever secret is deployed next", async () => {
    const { open, cookie, store } = await corrupted();
    const request = open(cookie);
    await (await request.session()).flush();
    assert.match((await request.commit(200)).setCookie[0]!, /^sessionid=""/);
    assert.equal(await store.load(UNKNOWN), null);
  });
});

describe("several cookies of our name", () => {
  test("are tried, and the one that is a session is used", async () => {
    const { open, key } = await applicationWithSession();
    for (const header of [
      `sessionid=${key}; sessionid=${UNKNOWN}`,
      `sessionid=${UNKNOWN}; sessionid=${key}`,
      `sessionid=x; sessionid=${key}`,
    ]) {
      assert.equal((await open(header).session()).key, key);
    }
  });

  test("of which two are sessions are none, are reported, and no cookie is touched", async () => {
    const { sessions, open, key } = await applicationWithSession();
    const planted = await sessions.open(undefined).session();
    await planted.set("uid", "mallory").save();
    const seen = await events("sojourn:ambiguous", async () => {
      const request = open(`sessionid=${key}; sessionid=${planted.key}`);
      const session = await request.session();
      assert.deepEqual([session.key, session.get("uid")], [null, undefined]);
      assert.deepEqual(await request.commit(200), { setCookie: [], varyByCookie: true });
    });
    assert.deepEqual(seen, [{ sessions: [fingerprint(key), fingerprint(planted.key!)] }]);
  });

  test("are tried four at most", async () => {
    const { store, open } = application();
    const header = Array.from({ length: 100 }, (_, n) => `sessionid=abcdefgh${n}`).join("; ");
    await open(header).session();
    assert.deepEqual(store.calls, ["load", "load", "load", "load"]);
  });
});

describe("save every request", () => {
  test("renews a session that nobody touched, with cookie and Vary (Django CVE-2026-35192)", async () => {
    let time = 0;
    const settings = { saveEveryRequest: true, now: () => new Date(time) };
    const { store, open, cookie } = await applicationWithSession({ uid: 1 }, settings);
    time = 1_000_000_000;
    const headers = await open(cookie).commit(200);
    assert.match(headers.setCookie[0]!, /Max-Age=1209600/);
    assert.equal(headers.varyByCookie, true);
    assert.deepEqual(store.calls, ["load", "update"]);
    time = 2_000_000_000;
    assert.equal((await open(cookie).session()).get("uid"), 1);
  });

  test("creates nothing for an unknown cookie (Django does), and deletes the cookie", async () => {
    const { store, open } = application({ saveEveryRequest: true });
    assert.match((await open(`sessionid=${UNKNOWN}`).commit(200)).setCookie[0]!, /^sessionid=""/);
    assert.deepEqual(store.calls, ["load"]);
  });

  test("costs nothing where no cookie came", async () => {
    const { store, open } = application({ saveEveryRequest: true });
    assert.deepEqual(await open().commit(200), { setCookie: [], varyByCookie: false });
    assert.deepEqual(store.calls, []);
  });

  test("does not fail a request whose handler did not need the store", async () => {
    const store = { ...memoryStore(), load: async () => Promise.reject(new Error("down")) };
    const sessions = createSessions(storeEngine(store, codec), { saveEveryRequest: true });
    assert.deepEqual(await sessions.open(`sessionid=${UNKNOWN}`).commit(200), { setCookie: [], varyByCookie: true });
  });
});

describe("conflicts", () => {
  test("are reported with the session's fingerprint and the paths", async () => {
    const { open, cookie, key } = await applicationWithSession({ user: { name: "Ada" }, n: 1 });
    const seen = await events("sojourn:conflict", async () => {
      const [one, two] = [open(cookie), open(cookie)];
      (await one.session()).get("user").name = "Bob";
      (await two.session()).get("user").name = "Eve";
      await one.commit(200);
      await two.commit(200);
    });
    assert.deepEqual(seen, [{ session: fingerprint(key), paths: [["user", "name"]] }]);
    assert.equal((await open(cookie).session()).get("user").name, "Eve");
  });
});

describe("Django's middleware, request by request", () => {
  const now = new Date(vectors("5.2").now * 1000);

  /** The differences we want, each a row of docs/django-differences.md. */
  const DIFFERENT: Record<string, { status?: number; setCookie: RegExp; vary?: string[] }> = {
    "clear with cookie (cache)": { status: 200, setCookie: /^sessionid=""; /, vary: ["Cookie"] },
    "save every request, untouched, cookie (cache)": { setCookie: /^sessionid=""; / },
    // Nobody asked for the session, and the cookie is no signed text.
    "save every request, untouched, cookie (signed_cookies)": { setCookie: /^$/, vary: [] },
  };

  for (const v of vectors("5.2").middleware) {
    test(`${v.label} (${v.engine})`, async () => {
      const django = resolveDjangoSettings({ SECRET_KEY: secretKey, ...v.settings });
      const inCookie = v.engine === "signed_cookies";
      const engine = inCookie
        ? cookieEngine(shortKeyCodec(vectors("5.2").default_key))
        : storeEngine(memoryStore({ now: () => now }), codec);
      const sessions = createSessions<any>(engine, { ...django.settings, now: () => now });
      const request = sessions.open(v.request.cookie);
      const url = new URL(v.request.path, "http://localhost");
      const headers = new Headers();
      let status = 200;
      try {
        status = await views[url.pathname]!(() => request.session(), url.searchParams, headers);
      } catch {
        status = 500;
      }
      writeResponseHeaders(await request.commit(status), headers);

      const different = DIFFERENT[`${v.label} (${v.engine})`];
      assert.equal(status, different?.status ?? v.status);
      assert.deepEqual(headers.has("Vary") ? [headers.get("Vary")] : [], different?.vary ?? v.vary);
      if (different) assert.match(headers.getSetCookie().join(), different.setCookie);
      else if (inCookie) assert.deepEqual(headers.getSetCookie(), v.set_cookie);
      else assert.deepEqual(headers.getSetCookie().map(withoutKey), v.set_cookie.map(withoutKey));
    });
  }

  /** `djangoCookieCodec` with the vectors' key, which is shorter than we allow. */
  function shortKeyCodec(key: string): SessionCodec {
    const signers = [signer(key, "django.contrib.sessions.backends.signed_cookies")];
    return {
      ...codec,
      encode: (data, at) => dumps(stringify(data), at, signers[0]!, true),
      decode(payload) {
        const json = loads(payload as string, signers);
        return json === null ? null : { data: parse(json).value as SessionData, savedAt: now };
      },
    };
  }

  type View = (session: () => Promise<any>, query: URLSearchParams, headers: Headers) => Promise<number>;

  const views: Record<string, View> = {
    "/noop/": async () => 200,
    async "/get_session/"(session, query) {
      (await session()).get(query.get("key"));
      return 200;
    },
    async "/set_session/"(session) {
      (await session()).set("a", 1);
      return 200;
    },
    async "/expiry/"(session, query) {
      (await session()).setExpiry(Number(query.get("v")));
      return 200;
    },
    async "/flush/"(session) {
      await (await session()).flush();
      return 200;
    },
    async "/clear_session/"(session) {
      (await session()).clear();
      return 200;
    },
    async "/status/"(session, query) {
      (await session()).set("status", Number(query.get("code")));
      return Number(query.get("code"));
    },
    async "/error/"(session) {
      (await session()).set("a", 1);
      throw new Error("the view failed");
    },
    async "/vary/"(session, query, headers) {
      headers.set("Vary", query.get("v") ?? "Accept-Encoding");
      if (query.has("touch")) (await session()).get("x");
      return 200;
    },
  };

  /** Everything but the session key in a cookie that sets one. */
  function withoutKey(header: string): string {
    return header.replace(/^(\w+)=[^";]+/, "$1=…");
  }
});

describe("headers of a response that sets the cookie", () => {
  const committed: ResponseHeaders = { setCookie: ["sessionid=x"], varyByCookie: true };

  for (const [before, after] of [
    [null, "no-store"],
    ["public, max-age=60", "private, max-age=60"],
    ["s-maxage=60, max-age=5", "private, max-age=5"],
    ["public", "no-store"],
    ["max-age=60", "private, max-age=60"],
    ["private, max-age=60", "private, max-age=60"],
    ["no-store", "no-store"],
    ["no-cache", "private, no-cache"],
    ["Public, No-Store", "Public, No-Store"],
  ] as const) {
    // Flask CVE-2023-30861, Symfony CVE-2022-24894, Django CVE-2026-48588.
    test(`Cache-Control: ${before} becomes ${after}`, () => {
      const headers = new Headers(before === null ? {} : { "Cache-Control": before });
      writeResponseHeaders(committed, headers);
      assert.equal(headers.get("Cache-Control"), after);
    });
  }

  test("that only varies may be cached as the handler said", () => {
    const headers = new Headers({ "Cache-Control": "public" });
    writeResponseHeaders({ setCookie: [], varyByCookie: true }, headers);
    assert.equal(headers.get("Cache-Control"), "public");
  });
});

describe("finding a request's session", () => {
  test("works from the request, and from contexts that hold it", async () => {
    const { sessions, cookie } = await applicationWithSession();
    const request = {};
    sessions.open(cookie, request);
    for (const carrier of [request, { req: request }, { raw: request }, { request }, { req: { raw: request } }]) {
      assert.equal((await sessions.get(carrier)).get("uid"), "123");
    }
  });

  test("of a request that no adapter has seen says what to install", async () => {
    await assert.rejects(application().sessions.get({}), { code: "ERR_CONFIG", message: /app\.use\(expressSessions/ });
  });

  test("several applications' sessions on one request do not mix", async () => {
    const one = await applicationWithSession({ uid: "one" });
    const two = await applicationWithSession({ uid: "two" }, { cookieName: "other" });
    const request = {};
    one.sessions.open(`${one.cookie}; ${two.cookie}`, request);
    two.sessions.open(`${one.cookie}; ${two.cookie}`, request);
    assert.equal((await one.sessions.get(request)).get("uid"), "one");
    assert.equal((await two.sessions.get(request)).get("uid"), "two");
  });
});
