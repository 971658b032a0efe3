import assert from "node:assert/strict";
import type { Session } from "../core/session.ts";
import {
  type AdapterCase,
  type AdapterCases,
  type AdapterHandlers,
  changing,
  cookieOf,
  sessionHeaders,
} from "./adapter-case.ts";
import { signal } from "./probed-engine.ts";
import { atOnce, CROWD } from "./store-case.ts";

const UNTOUCHED = { "Set-Cookie": [], Vary: [], "Cache-Control": [] };
const READ = { ...UNTOUCHED, Vary: ["Cookie"] };

/** What a session costs, and what it adds to a response. */
export const adapterCases: AdapterCases = {
  "a request whose handler leaves the session alone costs no operation, no cookie and no header": async (start) => {
    const { engine, get, login } = await start();
    const cookie = await login();
    engine.operations.length = 0;
    for (const reply of [await get("/ping"), await get("/ping", cookie)]) {
      assert.equal(reply.body, "pong");
      assert.deepEqual(sessionHeaders(reply), UNTOUCHED);
    }
    assert.deepEqual(engine.operations, []);
  },

  "reading without a cookie costs no operation, and the response varies": async (start) => {
    const { engine, get } = await start();
    const reply = await get("/read");
    assert.equal(reply.body, "nobody");
    assert.deepEqual(sessionHeaders(reply), READ);
    assert.deepEqual(engine.operations, []);
  },

  "reading costs one operation, and the response varies": async (start) => {
    const { engine, get, login } = await start();
    const cookie = await login();
    engine.operations.length = 0;
    const reply = await get("/read", cookie);
    assert.equal(reply.body, "alice");
    assert.deepEqual(sessionHeaders(reply), READ);
    assert.deepEqual(engine.operations, ["load"]);
  },

  "the first change costs one operation and sets Django's cookie, which no cache may keep": async (start) => {
    const { engine, get } = await start();
    const reply = await get("/login");
    assert.equal(reply.body, "hello");
    const { "Set-Cookie": cookies, ...others } = sessionHeaders(reply);
    assert.equal(cookies?.length, 1);
    assert.match(
      String(cookies),
      /^sessionid=[a-z0-9]{32}; expires=\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT; HttpOnly; Max-Age=1209600; Path=\/; SameSite=Lax$/,
    );
    assert.deepEqual(others, { Vary: ["Cookie"], "Cache-Control": ["no-store"] });
    assert.deepEqual(engine.operations, ["create"]);
  },

  "a change costs one operation more than reading, and renews the cookie": async (start) => {
    const { engine, get, login } = await start();
    const cookie = await login();
    engine.operations.length = 0;
    assert.equal(cookieOf(await get("/login", cookie)), cookie);
    assert.deepEqual(engine.operations, ["load", "update"]);
  },

  "a change inside a value is saved": async (start) => {
    const { get, login } = await start({
      "/push": async (session) => {
        ((await session()).get("cart") as string[]).push("apple");
        return {};
      },
      "/cart": async (session) => ({ body: JSON.stringify((await session()).get("cart")) }),
    });
    const cookie = await login();
    await get("/push", cookie);
    await get("/push", cookie);
    assert.equal((await get("/cart", cookie)).body, '["apple","apple"]');
  },

  "flush ends the session and deletes the cookie": async (start) => {
    const { get, login } = await start();
    const cookie = await login();
    assert.deepEqual(sessionHeaders(await get("/logout", cookie)), {
      "Set-Cookie": ['sessionid=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax'],
      Vary: ["Cookie"],
      "Cache-Control": ["no-store"],
    });
    assert.equal((await get("/read", cookie)).body, "nobody");
  },

  ...cacheControl("public, max-age=60", "private, max-age=60"),
  ...cacheControl("max-age=5, s-maxage=60", "private, max-age=5"),
  ...cacheControl("no-cache", "private, no-cache"),
  ...cacheControl("Public", "no-store"),
  ...cacheControl("private, max-age=60", "private, max-age=60"),
  ...cacheControl("no-store", "no-store"),

  ...vary("Accept-Encoding", "Accept-Encoding, Cookie"),
  ...vary("Origin, cookie", "Origin, cookie"),
  ...vary("X-Cookie", "X-Cookie, Cookie"),
  ...vary("*", "*"),
  ...vary("Accept, *", "*"),

  "the handler's own cookie stays": ownCookies("theme=dark; Path=/"),
  "the handler's own cookies stay": ownCookies(["theme=dark; Path=/", "lang=en; Path=/; Max-Age=60"]),

  "a HEAD request is answered and saved as GET, without the body": async (start) => {
    const { engine, send } = await start({ "/": changing({ headers: { "X-Handler": "1" }, body: "body" }) });
    const reply = await send("/", { method: "HEAD" }).reply;
    assert.equal(reply.status, 200);
    assert.equal(reply.body, "");
    assert.deepEqual(reply.header("X-Handler"), ["1"]);
    assert.match(cookieOf(reply), /^sessionid=/);
    assert.deepEqual(engine.operations, ["create"]);
  },

  ...bodyless(204),
  ...bodyless(303),
  ...bodyless(304),
  ...bodyless(404),

  "a response with status 500 or above saves nothing": async (start) => {
    const { engine, get, login } = await start({
      "/500": changing({ status: 500, body: "sorry" }),
      "/503": changing({ status: 503 }),
    });
    const cookie = await login();
    engine.operations.length = 0;
    for (const status of [500, 503]) {
      for (const reply of [await get(`/${status}`), await get(`/${status}`, cookie)]) {
        assert.equal(reply.status, status);
        assert.deepEqual(reply.header("Set-Cookie"), []);
      }
    }
    assert.deepEqual(engine.operations, ["load", "load"]);
  },

  [`${CROWD} parallel requests that change ${CROWD} keys lose none`]: async (start) => {
    const handlers: AdapterHandlers = Object.fromEntries(
      Array.from({ length: CROWD }, (_, n) => [
        `/${n}`,
        async (session) => {
          (await session()).set(`k${n}`, n);
          return { body: "saved" };
        },
      ]),
    );
    const { engine, sessions, get, login } = await start(handlers);
    const cookie = await login();
    // All have loaded before the first saves.
    const allLoaded = signal();
    let loads = 0;
    engine.before = (operation) => {
      if (operation === "load" && ++loads === CROWD) allLoaded.give();
      return operation === "update" ? allLoaded.given : undefined;
    };
    const replies = await atOnce(CROWD, (n) => get(`/${n}`, cookie));
    assert.deepEqual(
      replies.map(({ status, body }) => `${status} ${body}`),
      Array(CROWD).fill("200 saved"),
    );
    const kept = await sessions.transact(cookie.slice("sessionid=".length), (session) => session.toJSON());
    for (let n = 0; n < CROWD; n++) assert.equal(kept[`k${n}`], n);
  },

  "no Cookie header, whatever it says, disturbs a request": async (start) => {
    const { engine, get, login } = await start();
    const cookie = await login();
    for (const header of COOKIE_HEADERS) {
      engine.operations.length = 0;
      const reply = await get("/read", header);
      assert.equal(`${reply.status} ${reply.body}`, "200 nobody", header);
      assert.match(cookieOf(reply), /^$|^sessionid=""$/, header);
      assert.ok(engine.operations.length <= 4, `${engine.operations.length} operations for ${header}`);
    }
    assert.equal((await get("/read", `a=b; ${cookie}; c`)).body, "alice");
  },

  "a session that is changed after its response throws ERR_SESSION_CLOSED": async (start) => {
    let kept: Session | undefined;
    const { get, login } = await start({
      "/": async (session) => {
        kept = await session();
        return { body: "sent" };
      },
    });
    await get("/", await login());
    assert.equal(kept?.get("uid"), "alice");
    assert.throws(() => kept?.set("late", true), { code: "ERR_SESSION_CLOSED" });
  },
};

/** Empty, cut off, foreign, malicious, not ASCII, too long, too many. */
const COOKIE_HEADERS: readonly string[] = [
  "sessionid",
  "sessionid=",
  "=",
  ";;; , ;=;",
  'sessionid="',
  'sessionid="\\',
  "sessionid=%E0%A4%A",
  "sessionid=../../../etc/passwd",
  "sessionid=[object Object]",
  "sessionid=\u00e9\u00ff\u0080",
  "\u00a0sessionid=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
  "__proto__=1; constructor=2; sessionid[]=3",
  `sessionid=${"a".repeat(8000)}`,
  "sessionid=x; ".repeat(600),
  Array.from({ length: 100 }, (_, n) => `sessionid=${String(n).padStart(32, "a")}`).join("; "),
];

function cacheControl(set: string, sent: string): AdapterCases {
  return {
    [`beside a session cookie, Cache-Control "${set}" is sent as "${sent}"`]: async (start) => {
      const { get } = await start({ "/": changing({ headers: { "Cache-Control": set } }) });
      assert.deepEqual((await get("/")).header("Cache-Control"), [sent]);
    },
  };
}

function vary(set: string, sent: string): AdapterCases {
  return {
    [`where the session was used, Vary "${set}" is sent as "${sent}"`]: async (start) => {
      const { get } = await start({ "/": changing({ headers: { Vary: set } }) });
      assert.equal((await get("/")).header("Vary").join(", "), sent);
    },
  };
}

function ownCookies(own: string | string[]): AdapterCase {
  return async (start) => {
    const { get } = await start({ "/": changing({ headers: { "Set-Cookie": own } }) });
    const cookies = (await get("/")).header("Set-Cookie");
    assert.deepEqual(cookies.slice(0, -1), [own].flat());
    assert.match(String(cookies.at(-1)), /^sessionid=[a-z0-9]{32};/);
  };
}

function bodyless(status: number): AdapterCases {
  return {
    [`a response ${status} without a body is saved like any other`]: async (start) => {
      const { engine, get } = await start({ "/": changing({ status, headers: { Location: "/read" } }) });
      const reply = await get("/");
      assert.equal(reply.status, status);
      assert.equal(reply.body, "");
      assert.match(cookieOf(reply), /^sessionid=/);
      assert.deepEqual(engine.operations, ["create"]);
    },
  };
}
