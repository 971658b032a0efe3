import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { nodeSessions } from "../../src/adapters/node.ts";
import type { Session } from "../../src/core/session.ts";
import type { DjangoSettings } from "../../src/django.ts";
import { exchange } from "../../src/testing/http-exchange.ts";
import { serveHttp } from "../adapters/servers.ts";
import { ENGINES } from "./engines.ts";
import { connected, type ParityEngine } from "./parity-engine.ts";
import { data, type ParityCases, stored } from "./session-cases.ts";

/* Django's SessionMiddlewareTests: requests over HTTP to a server of node:http. */

const touch = (session: Session) => void session.set("hello", "world");
const flush = (session: Session) => session.flush();

const middlewareCases: ParityCases = {
  "test_secure_session_cookie: with Secure, and Vary": async (engine) => {
    const { cookies, vary } = await answer(engine, touch, { settings: { SESSION_COOKIE_SECURE: true } });
    assert.match(cookies.join(), /^sessionid=.*; Secure$/);
    assert.equal(vary, "Cookie");
  },
  "test_httponly_session_cookie: with HttpOnly": async (engine) => {
    const { cookies } = await answer(engine, touch, { settings: { SESSION_COOKIE_HTTPONLY: true } });
    assert.match(cookies.join(), /; HttpOnly;/);
  },
  "test_samesite_session_cookie: with the setting's SameSite": async (engine) => {
    const { cookies } = await answer(engine, touch, { settings: { SESSION_COOKIE_SAMESITE: "Strict" } });
    assert.match(cookies.join(), /; SameSite=Strict$/);
  },
  "test_no_httponly_session_cookie: without HttpOnly": async (engine) => {
    const { cookies } = await answer(engine, touch, { settings: { SESSION_COOKIE_HTTPONLY: false } });
    assert.match(cookies.join(), /^sessionid=/);
    assert.doesNotMatch(cookies.join(), /HttpOnly/);
  },
  "test_session_save_on_500: nothing is saved": (engine) => notSaved(engine, 500),
  "test_session_save_on_5xx: nothing is saved": (engine) => notSaved(engine, 503),
  "test_session_delete_on_end: the cookie is deleted": async (engine) => {
    const { cookies, vary } = await answer(engine, flush, { key: "abc" });
    assert.deepEqual(cookies, ['sessionid=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax']);
    assert.equal(vary, "Cookie");
  },
  "test_session_delete_on_end_with_custom_domain_and_path: where it was set": async (engine) => {
    const settings: DjangoSettings = { SESSION_COOKIE_DOMAIN: ".example.local", SESSION_COOKIE_PATH: "/example/" };
    const { cookies } = await answer(engine, flush, { key: "abc", settings });
    assert.deepEqual(cookies, [
      'sessionid=""; Domain=.example.local; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/example/; SameSite=Lax',
    ]);
  },
  "test_flush_empty_without_session_cookie_doesnt_set_cookie: but varies": async (engine) => {
    assert.deepEqual(await answer(engine, flush), { status: 200, body: "ok", cookies: [], vary: "Cookie" });
  },
  "test_save_every_request_with_non_empty_session_renews_session_cookie: and varies": async (engine) => {
    const { key } = await stored(engine, { hello: "world" });
    const { cookies, vary } = await answer(engine, null, { key, settings: { SESSION_SAVE_EVERY_REQUEST: true } });
    assert.match(cookies.join(), /^sessionid=[^;"]{32,};.* Max-Age=1209600;/);
    assert.equal(vary, "Cookie");
  },
  "test_empty_session_saved: an emptied session is saved as such, and keeps its cookie": async (engine) => {
    const first = await answer(engine, (session) => void session.set("foo", "bar"));
    assert.deepEqual(data(await engine.session(keyOf(first.cookies))), { foo: "bar" });
    assert.equal(first.vary, "Cookie");
    const second = await answer(engine, (session) => void session.delete("foo"), { key: keyOf(first.cookies) });
    const session = await engine.session(keyOf(second.cookies));
    assert.deepEqual(data(session), {});
    assert.equal(session.key, keyOf(second.cookies));
    assert.equal(second.vary, "Cookie");
  },
};

/** Where another request can end the session. */
const keptCases: ParityCases = {
  "test_session_update_error_redirect: a session deleted meanwhile is a 400 that says so": async (engine) => {
    const { status, body, cookies } = await answer(engine, async (session) => {
      await session.save();
      await engine.sessions().delete(session.key!);
      session.set("hello", "world");
    });
    assert.equal(status, 400);
    assert.equal(
      body,
      "The session was deleted before the request completed. The user may have logged out in a concurrent request.\n",
    );
    assert.deepEqual(cookies, []);
  },
};

for (const [name, django] of Object.entries(ENGINES)) {
  describe(name, () => {
    const engine = connected(django);
    const cases = name === "signed_cookies" ? middlewareCases : { ...middlewareCases, ...keptCases };
    for (const [rule, body] of Object.entries(cases)) test(rule, () => body(engine()));
  });
}

interface Asked {
  readonly key?: string | null;
  readonly settings?: DjangoSettings;
  readonly status?: number;
}

/** What a browser gets from a server whose handler does this with its session. @param handler `null` asks for none */
async function answer(
  { sessions: sessionsWith }: ParityEngine,
  handler: ((session: Session) => void | Promise<void>) | null,
  { key, settings = {}, status = 200 }: Asked = {},
) {
  const sessions = sessionsWith(settings);
  const { url, close } = await serveHttp(
    nodeSessions(sessions, async (request, response) => {
      if (handler) await handler(await sessions.get(request));
      response.statusCode = status;
      response.end("ok");
    }),
  );
  try {
    const reply = await exchange(url, { cookie: key ? `sessionid=${key}` : undefined }).reply;
    const { body } = reply;
    return { status: reply.status, body, cookies: reply.header("Set-Cookie"), vary: reply.header("Vary").join() };
  } finally {
    await close?.();
  }
}

async function notSaved(engine: ParityEngine, status: number): Promise<void> {
  const { key } = await stored(engine, { before: true });
  for (const presented of [null, key]) {
    const reply = await answer(engine, touch, { key: presented, status });
    assert.deepEqual(reply, { status, body: "ok", cookies: [], vary: "Cookie" });
  }
  assert.deepEqual(data(await engine.session(key)), { before: true });
}

/** The session key that the browser keeps. */
function keyOf(cookies: readonly string[]): string {
  assert.equal(cookies.length, 1);
  return /^sessionid=([^;"]+);/.exec(cookies[0]!)![1]!;
}
