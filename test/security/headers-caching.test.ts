import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fetchSessions } from "../../src/adapters/fetch.ts";
import { encryptedCodec } from "../../src/codecs/encrypted.ts";
import type { SessionEngine } from "../../src/core/contracts.ts";
import { Session } from "../../src/core/session.ts";
import { createSessions } from "../../src/core/sessions.ts";
import type { SessionSettings } from "../../src/core/settings.ts";
import { djangoCodec, djangoCookieCodec } from "../../src/django/codec.ts";
import { cookieEngine } from "../../src/engines/cookie-engine.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { quietly } from "../../src/testing/adapter-case.ts";

/*
 * No cache gives one visitor's response to another: OWASP ASVS 5.0 V14.2.2, V14.2.5 and V14.3.2, RFC 9111 sections 3 and 4.1.
 * Flask CVE-2026-27205: some ways to look into a session were not noticed.
 */

const secretKey = "a secret key for tests, 32 characters at least";

const engines: Record<string, () => SessionEngine> = {
  "a store": () => storeEngine(memoryStore(), djangoCodec({ secretKey })),
  "signed cookies": () => cookieEngine(djangoCookieCodec({ secretKey })),
  "encrypted cookies": () => cookieEngine(encryptedCodec({ secretKey })),
};

type AnySession = Session<Record<string, any>>;

/** Every way to learn something of a session's data, or to change them. */
const TOUCHES: Record<string, (session: AnySession) => unknown> = {
  key: (session) => session.key,
  isEmpty: (session) => session.isEmpty,
  accessed: (session) => session.accessed,
  modified: (session) => session.modified,
  unavailable: (session) => session.unavailable,
  get: (session) => session.get("uid"),
  "get, of a key that is not there": (session) => session.get("nothing", 1),
  has: (session) => session.has("uid"),
  keys: (session) => session.keys(),
  values: (session) => session.values(),
  entries: (session) => session.entries(),
  "Symbol(Symbol.iterator)": (session) => [...session],
  size: (session) => session.size,
  data: (session) => session.data,
  "data, by in": (session) => "uid" in session.data,
  toJSON: (session) => session.toJSON(),
  "toJSON, by JSON.stringify": (session) => JSON.stringify({ session }),
  set: (session) => session.set("a", 1),
  delete: (session) => session.delete("uid"),
  "delete, of a key that is not there": (session) => session.delete("nothing"),
  pop: (session) => session.pop("uid"),
  "pop, of a key that is not there": (session) => session.pop("nothing"),
  setDefault: (session) => session.setDefault("uid", "bob"),
  update: (session) => session.update({ a: 1 }),
  "update, with nothing": (session) => session.update({}),
  clear: (session) => session.clear(),
  setExpiry: (session) => session.setExpiry(60),
  "setExpiry, to what it is": (session) => session.setExpiry(null),
  expiryAge: (session) => session.expiryAge(),
  expiryDate: (session) => session.expiryDate(),
  expiresAtBrowserClose: (session) => session.expiresAtBrowserClose(),
  setTestCookie: (session) => session.setTestCookie(),
  testCookieWorked: (session) => session.testCookieWorked(),
  deleteTestCookie: (session) => session.deleteTestCookie(),
  flush: (session) => session.flush(),
  cycleKey: (session) => session.cycleKey(),
  save: (session) => session.save(),
  transact: (session) => session.transact((inner) => inner.get("uid")),
};

/** What only the lifecycle calls. */
const NO_TOUCHES = ["unsaved", "saved", "close", "busy", "finish", "closeUnavailable", "dropped"];

function application(
  engine: SessionEngine,
  touch: (session: AnySession) => unknown,
  headers: Record<string, string> = {},
  settings: Partial<SessionSettings> = {},
) {
  const sessions = createSessions<Record<string, any>>(engine, settings);
  const handle = fetchSessions(sessions, async (request) => {
    const session = await sessions.get(request);
    if (new URL(request.url).pathname === "/login") session.update({ uid: "alice" });
    else await touch(session);
    return new Response("ok", { headers });
  });
  return async (path: string, cookie?: string) =>
    (await handle(new Request(`http://localhost${path}`, cookie === undefined ? {} : { headers: { cookie } }))).headers;
}

async function login(ask: ReturnType<typeof application>): Promise<string> {
  return (await ask("/login")).getSetCookie()[0]!.split(";")[0]!;
}

describe("a response varies by cookie after", () => {
  test("every way that a session has, each of which is below", () => {
    const members = Reflect.ownKeys(Session.prototype).map(String);
    const tested = new Set(Object.keys(TOUCHES).map((name) => name.split(",")[0]!));
    for (const member of members) {
      assert.ok(
        member === "constructor" || tested.has(member) || NO_TOUCHES.includes(member),
        `${member} is not tested`,
      );
    }
    for (const name of tested) assert.ok(members.includes(name), `${name} is no member`);
  });

  for (const [name, touch] of Object.entries(TOUCHES)) {
    test(name, async () => {
      for (const makeEngine of Object.values(engines)) {
        const ask = application(makeEngine(), touch, { "Cache-Control": "public, max-age=600" });
        const cookie = await login(ask);
        const dead = cookie.replace(/=.{32}/, `=${"a".repeat(32)}`);
        for (const presented of [cookie, undefined, dead]) {
          assert.equal((await ask("/", presented)).get("Vary"), "Cookie", `${presented}`);
        }
      }
    });
  }

  test("a load that failed, although the handler answers", () =>
    quietly(async () => {
      const store = memoryStore();
      const broken = { ...store, load: () => Promise.reject(new Error("down")) };
      const sessions = createSessions(storeEngine(broken, djangoCodec({ secretKey })));
      const handle = fetchSessions(sessions, async (request) => {
        await sessions.get(request).catch(() => {});
        return new Response("ok");
      });
      const headers = { cookie: `sessionid=${"a".repeat(32)}` };
      const response = await handle(new Request("http://localhost/", { headers }));
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("Vary"), "Cookie");
      assert.deepEqual(response.headers.getSetCookie(), []);
    }));

  test("what the handler said it varies by, which stays", async () => {
    for (const [before, after] of [
      ["Accept-Encoding", "Accept-Encoding, Cookie"],
      ["cookie", "cookie"],
      ["Accept, COOKIE , Origin", "Accept, COOKIE , Origin"],
      ["Cookie-Consent", "Cookie-Consent, Cookie"],
      ["*", "*"],
    ] as const) {
      const ask = application(engines["a store"]!(), (session) => session.get("uid"), { Vary: before });
      assert.equal((await ask("/")).get("Vary"), after);
    }
  });
});

describe("a response with the session's cookie", () => {
  /** RFC 9111 section 3: what a shared cache must not store, whatever else is said. */
  const isPrivate = (headers: Headers) =>
    /(?:^|,)\s*(?:no-store|private)\s*(?:,|$)/i.test(headers.get("Cache-Control") ?? "");

  const SAID = [
    undefined,
    "public",
    "public, max-age=31536000, immutable",
    "s-maxage=600",
    "PUBLIC, S-MAXAGE = 600",
    "max-age=600, stale-while-revalidate=60",
    "no-cache",
    "must-revalidate, proxy-revalidate, public",
    'private="Set-Cookie", public',
    'no-cache="Set-Cookie", s-maxage=5',
    "private, max-age=60",
    "no-store",
  ];

  for (const [name, makeEngine] of Object.entries(engines)) {
    test(`is kept by no shared cache, whatever the handler says: ${name}`, async () => {
      for (const said of SAID) {
        const headers: Record<string, string> = said === undefined ? {} : { "Cache-Control": said };
        for (const settings of [{}, { saveEveryRequest: true }]) {
          for (const touch of [TOUCHES.set!, TOUCHES.save!, TOUCHES.cycleKey!, TOUCHES.flush!]) {
            const ask = application(makeEngine(), touch, headers, settings);
            const created = await ask("/login");
            const cookie = created.getSetCookie()[0]!.split(";")[0]!;
            for (const answered of [created, await ask("/", cookie)]) {
              // Signed again in the same second, the same data are the same cookie.
              if (answered.getSetCookie().length > 0)
                assert.ok(isPrivate(answered), `${said} became ${answered.get("Cache-Control")}`);
              assert.equal(answered.get("Vary"), "Cookie");
            }
          }
        }
      }
    });
  }

  test("keeps each stricter word of the handler", async () => {
    for (const word of ["no-store", "private", "no-cache", "must-revalidate", "max-age=5", "no-transform"]) {
      const ask = application(engines["a store"]!(), TOUCHES.set!, { "Cache-Control": `public, ${word}` });
      assert.ok((await ask("/")).get("Cache-Control")!.includes(word), word);
    }
  });

  test("is the only one whose Cache-Control is changed: what a handler only reads it may have cached for this cookie", async () => {
    const ask = application(engines["a store"]!(), TOUCHES.get!, { "Cache-Control": "public, max-age=600" });
    const answered = await ask("/", await login(ask));
    assert.deepEqual(answered.getSetCookie(), []);
    assert.equal(answered.get("Cache-Control"), "public, max-age=600");
  });
});
