import assert from "node:assert/strict";
import type { Session } from "../core/session.ts";
import {
  type AdapterAnswer,
  type AdapterCase,
  type AdapterCases,
  changing,
  cookieOf,
  quietly,
} from "./adapter-case.ts";
import type { Reply } from "./http-exchange.ts";
import { blockWrites, failing, signal } from "./probed-engine.ts";

type MakeBody = () => AdapterAnswer["body"];

/** The ways in which a response may have begun when its session is saved. */
const BODIES: Readonly<Record<string, MakeBody>> = {
  "a response without a body": () => undefined,
  "a response": () => "secret",
  "a large response": () => "secret ".repeat(50_000),
  "a streamed response": () => streamed("secret", "secret"),
  "a large streamed response": () => streamed(...Array<string>(300).fill("secret ".repeat(200))),
};

/** What the client gets to see while the store is asked, and if it refuses. */
export const adapterFailureCases: AdapterCases = {
  ...forEachBody("nothing leaves before the store has acknowledged: of", (body) => async (start) => {
    const { engine, send, get } = await start({ "/": changing({ body: body() }) });
    const saving = blockWrites(engine);
    const { begun, reply } = send("/");
    await saving.reached;
    // What had been sent by now would have arrived before these answers.
    for (let n = 0; n < 3; n++) assert.equal((await get("/ping")).body, "pong");
    assert.equal(begun(), false);
    saving.release();
    assert.equal((await reply).status, 200);
    assert.match(cookieOf(await reply), /^sessionid=/);
  }),

  "a stream is sent as it comes, once the store has acknowledged": async (start) => {
    const rest = signal();
    async function* body() {
      yield "first";
      await rest.given;
      yield ", last";
    }
    const { engine, send } = await start({ "/": changing({ body: body() }) });
    const saving = blockWrites(engine);
    const { firstChunk, reply } = send("/");
    await saving.reached;
    saving.release();
    assert.equal(await firstChunk, "first");
    rest.give();
    assert.equal((await reply).body, "first, last");
  },

  ...forEachBody("a save that fails answers 503, and sends nothing of", (body) => async (start) => {
    const headers = { "X-Handler": "1", "Content-Type": "text/secret", Vary: "Origin", "Set-Cookie": "own=1" };
    const { engine, get, login } = await start({ "/": changing({ headers, body: body() }) });
    const cookie = await login();
    failing(engine, "update");
    assertUnavailable(await quietly(() => get("/", cookie)));
    failing(engine);
    assert.equal((await get("/read", cookie)).body, "alice");
  }),

  "a session that cannot be created answers 503": async (start) => {
    const { engine, get } = await start();
    failing(engine, "create");
    assertUnavailable(await quietly(() => get("/login")));
  },

  "a save that fails answers 503 also to HEAD, and where the handler answered 204 or 304": async (start) => {
    const { engine, get, send, login } = await start({
      "/": changing({ body: "secret" }),
      "/204": changing({ status: 204 }),
      "/304": changing({ status: 304 }),
    });
    const cookie = await login();
    failing(engine, "update");
    assertUnavailable(await quietly(() => get("/204", cookie)));
    assertUnavailable(await quietly(() => get("/304", cookie)));
    assertUnavailable(await quietly(() => send("/", { method: "HEAD", cookie }).reply));
  },

  "a logout meanwhile makes the response 400, and the session stays deleted": async (start) => {
    const loaded = signal();
    const loggedOut = signal();
    const { sessions, send, get, login } = await start({
      "/": async (session) => {
        (await session()).set("changed", true);
        loaded.give();
        await loggedOut.given;
        return { headers: { "X-Handler": "1" }, body: "secret" };
      },
    });
    const cookie = await login();
    const { reply } = send("/", { cookie });
    await loaded.given;
    await get("/logout", cookie);
    loggedOut.give();
    assert.equal((await reply).status, 400);
    assertNothingOfTheHandler(await reply);
    assert.equal(await sessions.exists(cookie.slice("sessionid=".length)), false);
  },

  "a session that cannot be loaded answers 503, and its cookie stays good": async (start) => {
    const { engine, get, login } = await start();
    const cookie = await login();
    failing(engine, "load");
    const reply = await quietly(() => get("/read", cookie));
    assert.equal(reply.status, 503);
    assert.match(reply.header("Retry-After").join(), /^\d+$/);
    assert.deepEqual(reply.header("Set-Cookie"), []);
    failing(engine);
    assert.equal((await get("/read", cookie)).body, "alice");
  },

  "a handler may answer although its session cannot be loaded; the cookie stays": async (start) => {
    const { engine, get, login } = await start({
      "/": async (session) => {
        const uid = await session().then(
          (loaded) => loaded.get("uid"),
          () => "unknown",
        );
        return { body: `uid ${uid}` };
      },
    });
    const cookie = await login();
    failing(engine, "load");
    const reply = await get("/", cookie);
    assert.equal(`${reply.status} ${reply.body}`, "200 uid unknown");
    assert.deepEqual(reply.header("Vary"), ["Cookie"]);
    assert.deepEqual(reply.header("Set-Cookie"), []);
  },

  "an outage is not noticed where the session is not used": async (start) => {
    const { engine, get, login } = await start();
    const cookie = await login();
    failing(engine, "load", "create", "update", "delete");
    assert.equal((await get("/ping", cookie)).body, "pong");
  },

  "a session that is changed while it is saved throws ERR_SESSION_CLOSED": async (start) => {
    let saved: Session | undefined;
    const { engine, send } = await start({
      "/": async (session) => {
        saved = await session();
        saved.set("changed", true);
        return { body: "sent" };
      },
    });
    const saving = blockWrites(engine);
    const { reply } = send("/");
    await saving.reached;
    try {
      assert.throws(() => saved?.set("late", true), { code: "ERR_SESSION_CLOSED" });
    } finally {
      saving.release();
      await reply;
    }
  },
};

function forEachBody(rule: string, make: (body: MakeBody) => AdapterCase): AdapterCases {
  return Object.fromEntries(Object.entries(BODIES).map(([kind, body]) => [`${rule} ${kind}`, make(body)]));
}

async function* streamed(...chunks: string[]): AsyncGenerator<string> {
  yield* chunks;
}

function assertUnavailable(reply: Reply): void {
  assert.equal(reply.status, 503);
  assert.match(reply.header("Retry-After").join(), /^\d+$/);
  assertNothingOfTheHandler(reply);
}

function assertNothingOfTheHandler(reply: Reply): void {
  assert.deepEqual(reply.header("Set-Cookie"), []);
  assert.deepEqual(reply.header("X-Handler"), []);
  assert.doesNotMatch(reply.header("Content-Type").join() + reply.header("Vary").join(), /secret|Origin/);
  assert.doesNotMatch(reply.body, /secret/);
}
