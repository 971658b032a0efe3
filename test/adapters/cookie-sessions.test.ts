import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { CookieJar } from "tough-cookie";
import { fetchSessions } from "../../src/adapters/fetch.ts";
import { nodeSessions } from "../../src/adapters/node.ts";
import { encryptedCodec } from "../../src/codecs/encrypted.ts";
import type { SessionEngine } from "../../src/core/contracts.ts";
import { createSessions, type Sessions } from "../../src/core/sessions.ts";
import { djangoCookieCodec } from "../../src/django/codec.ts";
import { cookieEngine } from "../../src/engines/cookie-engine.ts";
import { quietly } from "../../src/testing/adapter-case.ts";
import type { AdapterServer } from "../../src/testing/adapter-suite.ts";
import { exchange } from "../../src/testing/http-exchange.ts";
import { serveFetch, serveHttp, serveHttp2 } from "./servers.ts";

/* Sessions in cookies from end to end: a browser's jar, HTTP, an adapter, the cookie engine. */

const secretKey = "a secret key for tests, 32 characters at least";
/** Where the jar thinks it is: `__Host-` cookies need HTTPS. */
const SITE = "https://app.example.com/";
/** Fills three cookies nearly to the last byte where it is encrypted, and does not shrink where it is compressed. */
const NOTE = randomBytes(6750).toString("base64");

type Serve = (sessions: Sessions<Record<string, any>>) => Promise<AdapterServer>;

/** What all servers do: routes by path, and two cookies of the handler's own. */
async function route(path: string, session: any): Promise<string> {
  if (path === "/login") session.update({ uid: "alice", cart: [] });
  if (path === "/add") session.get("cart").push("book");
  if (path === "/note") session.set("note", NOTE);
  if (path === "/shorten") session.delete("note");
  if (path === "/flood") session.set("note", "x".repeat(50_000));
  if (path === "/logout") await session.flush();
  return JSON.stringify([...session]);
}

const OWN_COOKIES = ["theme=dark; Path=/; Secure", "seen=1; Path=/; Secure"];

const SERVERS: Record<string, Serve> = {
  "node:http": (sessions) =>
    serveHttp(
      nodeSessions(sessions, async (request, response) => {
        const body = await route(request.url!, await sessions.get(request));
        response.setHeader("Set-Cookie", OWN_COOKIES);
        response.end(body);
      }),
    ),
  "node:http, with a head of its own": (sessions) =>
    serveHttp(
      nodeSessions(sessions, async (request, response) => {
        const body = await route(request.url!, await sessions.get(request));
        response.writeHead(200, { "Set-Cookie": OWN_COOKIES }).end(body);
      }),
    ),
  "node:http2": (sessions) =>
    serveHttp2(
      nodeSessions(sessions, async (request, response) => {
        const body = await route(request.url, await sessions.get(request));
        response.setHeader("Set-Cookie", OWN_COOKIES);
        response.end(body);
      }),
    ),
  fetch: (sessions) =>
    serveFetch(
      fetchSessions(sessions, async (request) => {
        const body = await route(new URL(request.url).pathname, await sessions.get(request));
        return new Response(body, { headers: OWN_COOKIES.map((cookie): [string, string] => ["Set-Cookie", cookie]) });
      }),
    ),
};

const ENGINES: Record<string, () => SessionEngine> = {
  "signed as Django does": () => cookieEngine(djangoCookieCodec({ secretKey }), { chunks: 3 }),
  encrypted: () => cookieEngine(encryptedCodec({ secretKey }), { chunks: 3 }),
};

async function browser(serve: Serve, engine: SessionEngine) {
  const server = await serve(createSessions(engine, { cookieName: "__Host-sessionid", cookieSecure: true }));
  const jar = new CookieJar(undefined, { prefixSecurity: "strict" });
  return {
    close: () => server.close(),
    async get(path: string) {
      const cookie = (await jar.getCookieString(SITE)) || undefined;
      const reply = await exchange(server.url + path, { cookie }, server.http2).reply;
      for (const header of reply.header("Set-Cookie")) await jar.setCookie(header, SITE);
      return reply;
    },
    async names() {
      return (await jar.getCookies(SITE)).map(({ key }) => key).sort();
    },
  };
}

for (const [engineName, makeEngine] of Object.entries(ENGINES)) {
  for (const [serverName, serve] of Object.entries(SERVERS)) {
    describe(`a session in cookies, ${engineName}, over ${serverName}`, () => {
      test("logs in, changes, grows over several cookies, shrinks and logs out", async () => {
        const alice = await browser(serve, makeEngine());
        const read = async () => Object.fromEntries(JSON.parse((await alice.get("/read")).body));
        try {
          assert.deepEqual(await read(), {});
          assert.deepEqual(await alice.names(), ["seen", "theme"]);

          await alice.get("/login");
          assert.deepEqual(await alice.names(), ["__Host-sessionid", "seen", "theme"]);
          await alice.get("/add");
          assert.deepEqual(await read(), { uid: "alice", cart: ["book"] });

          await alice.get("/note");
          const pieces = (await alice.names()).filter((name) => name.startsWith("__Host-sessionid."));
          assert.deepEqual(pieces, ["__Host-sessionid.1", "__Host-sessionid.2"]);
          assert.deepEqual(await read(), { uid: "alice", cart: ["book"], note: NOTE });

          await alice.get("/shorten");
          assert.deepEqual(await alice.names(), ["__Host-sessionid", "seen", "theme"]);
          assert.deepEqual(await read(), { uid: "alice", cart: ["book"] });

          await alice.get("/note");
          await alice.get("/logout");
          assert.deepEqual(await alice.names(), ["seen", "theme"]);
          assert.deepEqual(await read(), {});
        } finally {
          await alice.close();
        }
      });

      test("the handler's own two cookies stay, before ours, and nobody may cache the response", async () => {
        const alice = await browser(serve, makeEngine());
        try {
          const reply = await alice.get("/login");
          assert.deepEqual(reply.header("Set-Cookie").slice(0, 2), OWN_COOKIES);
          assert.equal(reply.header("Set-Cookie").length, 3);
          assert.deepEqual(reply.header("Cache-Control"), ["no-store"]);
          assert.deepEqual(reply.header("Vary"), ["Cookie"]);
        } finally {
          await alice.close();
        }
      });
    });
  }
}

for (const [serverName, serve] of Object.entries(SERVERS)) {
  test(`a session too large for its cookies is an error over ${serverName}: no Set-Cookie, and the old one stays good`, async () => {
    const alice = await browser(serve, cookieEngine(encryptedCodec({ secretKey }), { chunks: 3 }));
    try {
      await alice.get("/login");
      const reply = await quietly(() => alice.get("/flood"));
      assert.equal(reply.status, 500);
      assert.equal(reply.body, "The session could not be saved.\n");
      assert.deepEqual(reply.header("Set-Cookie"), []);
      assert.match((await alice.get("/read")).body, /alice/);
    } finally {
      await alice.close();
    }
  });
}
