import { spawnSync } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { subscribe } from "node:diagnostics_channel";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import express from "express";
import { expressSessions } from "../../src/adapters/express.ts";
import { fetchSessions } from "../../src/adapters/fetch.ts";
import { nodeSessions } from "../../src/adapters/node.ts";
import { encryptedCodec } from "../../src/codecs/encrypted.ts";
import { connect } from "../../src/connect.ts";
import type { Payload, SessionEngine, SessionStore, StoredSession } from "../../src/core/contracts.ts";
import type { Session } from "../../src/core/session.ts";
import { createSessions, type Sessions } from "../../src/core/sessions.ts";
import { djangoCodec, djangoCookieCodec } from "../../src/django/codec.ts";
import { cookieEngine } from "../../src/engines/cookie-engine.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { cachedStore } from "../../src/stores/cached/store.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { serveFetch, serveHttp } from "../adapters/servers.ts";
import { startMemcached } from "../support/servers/memcached.ts";
import { startRedis } from "../support/servers/redis.ts";
import { freePort, temporaryDirectory } from "../support/servers/server.ts";
import type { Evidence } from "./leaks.test.ts";

/*
 * Does whatever a server does, in good times and bad, and writes down everything secret there was, and all that anybody
 * could see: bodies, headers, errors to their depth, events, the command line. What is printed the parent sees itself.
 */

const secretKey = randomBytes(48).toString("base64url");
const formerKey = randomBytes(48).toString("base64url");
const password = `pw/${randomBytes(12).toString("base64url")}@:%`;
const evidence: Evidence = {
  secrets: { key: [], payload: [], value: [], "secret key": [secretKey, formerKey], password: [password] },
  surfaces: [],
  cookies: [],
  events: {},
};
process.on("unhandledRejection", (error) => see("unhandled rejection", error));

function see(where: string, what: unknown): void {
  const text = typeof what === "string" ? what : inspect(what, { depth: 20, showHidden: true });
  evidence.surfaces.push([where, text]);
}

async function attempt(where: string, run: () => unknown): Promise<void> {
  try {
    await run();
  } catch (error) {
    see(`error: ${where}`, error);
    see(`error as text: ${where}`, `${error}\n${(error as Error).stack}\n${JSON.stringify(error)}`);
  }
}

/** A value as a session would hold it, which nobody but the handler may see. */
function value(): string {
  const text = `value-${randomUUID()}`;
  evidence.secrets.value.push(text);
  return text;
}

for (const name of ["conflict", "corrupted", "ambiguous", "interrupted", "unavailable", "available", "cache-failed"]) {
  subscribe(`sojourn:${name}`, (event) => {
    evidence.events[name] = (evidence.events[name] ?? 0) + 1;
    see(`event ${name}`, event);
  });
}

// --- Engines whose secrets are noted ----------------------------------------------------------------------------------

function note({ token, payload }: StoredSession): void {
  evidence.secrets.key.push(token);
  notePayload(payload);
}

function notePayload(payload: Payload): void {
  evidence.secrets.payload.push(typeof payload === "string" ? payload : Buffer.from(payload).toString("latin1"));
}

function noting(engine: SessionEngine): SessionEngine {
  const noted =
    (verb: "create" | "update" | "cycle") =>
    async (...args: never[]) => {
      const stored = await (engine[verb] as (...args: never[]) => Promise<StoredSession>)(...args);
      note(stored);
      return stored;
    };
  return { ...engine, create: noted("create"), update: noted("update"), cycle: noted("cycle") } as SessionEngine;
}

const codec = djangoCodec({ secretKey, secretKeyFallbacks: [formerKey] });
const directory = temporaryDirectory();
const [redis, memcached, deadPort] = await Promise.all([startRedis(), startMemcached(), freePort()]);

const sqlite = join(directory, "sessions.sqlite3");
const files = join(directory, "files");
mkdirSync(files, { mode: 0o700 });
const sqliteStore = await connect(`sqlite:${sqlite}`);
await sqliteStore.migrate();
const redisStore = await connect(`redis://127.0.0.1:${redis.port}`);
const stores: Record<string, SessionStore> = {
  memory: memoryStore(),
  SQLite: sqliteStore,
  files: await connect(`file:${files}`),
  Redis: redisStore,
  memcached: await connect(`memcached://127.0.0.1:${memcached.port}`),
  "a cache over SQLite": cachedStore(redisStore, sqliteStore),
};
const engines: Record<string, SessionEngine> = {
  ...Object.fromEntries(Object.entries(stores).map(([name, store]) => [name, noting(storeEngine(store, codec))])),
  "signed cookies": noting(cookieEngine(djangoCookieCodec({ secretKey }))),
  "encrypted cookies": noting(cookieEngine(encryptedCodec({ secretKey }), { chunks: 3 })),
};

// --- What handlers do -------------------------------------------------------------------------------------------------

type AnySession = Session<Record<string, any>>;
type AnySessions = Sessions<Record<string, any>>;

const ROUTES: Record<string, (session: AnySession, sessions: AnySessions) => unknown> = {
  "/login": async (session) => {
    session.update({ uid: value(), cart: [value()], nested: { deep: value() } });
    await session.cycleKey();
  },
  "/read": (session) => session.get("uid"),
  "/change": (session) => session.data.cart?.push(value()),
  "/move": (session) => session.cycleKey(),
  "/save": async (session) => {
    session.set("uid", value());
    await session.save();
  },
  "/transact": (session) => session.transact((inner) => inner.set("n", value())),
  "/conflict": async (session, sessions) => {
    session.set("same", value());
    if (session.key) await sessions.transact(session.key, (other) => other.set("same", value())).catch(() => {});
  },
  "/interrupted": async (session, sessions) => {
    if (session.key) await sessions.delete(session.key).catch(() => {});
    session.set("late", value());
  },
  "/unstorable": (session) => {
    (session.data as any).nested = { key: [value(), () => value()] };
  },
  "/unstorable-set": (session) => session.set("uid", new Map([[value(), value()]])),
  "/large": (session) => session.set("text", `${value()}${"x".repeat(5_000_000)}`),
  "/expiry": (session) => session.setExpiry("soon" as never),
  "/bad-expiry": (session) => session.set("_session_expiry", value()),
  "/late": (session) => {
    setTimeout(() => void attempt("changed late", () => session.set("late", value())), 50);
  },
  "/print": (session, sessions) => {
    console.log(session, sessions, `${session}`, { session });
    console.error(inspect(session, { depth: 20, showHidden: true }));
  },
  "/throw": (session) => {
    // Other people's errors may point to the session.
    throw Object.assign(new Error("The handler failed."), { session });
  },
  "/logout": (session) => session.flush(),
};

async function servers(sessions: AnySessions) {
  const route = async (path: string, session: AnySession) => {
    await ROUTES[path]?.(session, sessions);
    return `done ${path}`;
  };
  const app = express();
  // Production hides stacks; what development shows must be harmless too.
  app.set("env", "development");
  app.use(expressSessions(sessions));
  app.use(async (request, response) => {
    response.send(await route(request.path, await sessions.get(request)));
  });
  return {
    "node:http": await serveHttp((request, response) => {
      const handle = nodeSessions(sessions, async () => {
        response.end(await route(request.url!, await sessions.get(request)));
      });
      handle(request, response).catch((error) => {
        console.error(error);
        response.statusCode = 500;
        response.end(`${error.stack}`);
      });
    }),
    Express: await serveHttp(app),
    fetch: await serveFetch(
      fetchSessions(sessions, async (request) => {
        try {
          return new Response(await route(new URL(request.url).pathname, await sessions.get(request)));
        } catch (error) {
          if ((error as Error).name === "SessionError") throw error;
          console.error(error);
          return new Response(`${(error as Error).stack}`, { status: 500 });
        }
      }),
    ),
  };
}

/** Sends a request, keeps the cookies, and writes down all else of the answer. */
async function ask(where: string, url: string, jar: Map<string, string>): Promise<void> {
  const cookie = [...jar].map(([name, text]) => `${name}=${text}`).join("; ");
  const response = await fetch(url, { headers: { cookie }, redirect: "manual" });
  for (const header of response.headers.getSetCookie()) {
    evidence.cookies.push(header);
    const [name, text] = header.split(";")[0]!.split(/=(.*)/s) as [string, string];
    if (/Max-Age=0/.test(header)) jar.delete(name);
    else jar.set(name, text);
    // Its attributes say nothing either.
    see(`attributes: ${where}`, header.replace(/^[^;]*/, ""));
  }
  const headers = [...response.headers].filter(([name]) => name !== "set-cookie");
  see(`headers: ${where}`, JSON.stringify(headers));
  see(`body: ${where} ${response.status}`, await response.text());
}

for (const [name, engine] of Object.entries(engines)) {
  const sessions = createSessions<Record<string, any>>(engine);
  for (const [server, { url, close }] of Object.entries(await servers(sessions))) {
    for (const saved of [true, false]) {
      const jar = new Map<string, string>();
      if (saved) await ask(`${name}, ${server}`, `${url}/login`, jar);
      for (const path of Object.keys(ROUTES)) {
        await ask(`${name}, ${server} ${path}`, url + path, jar);
        if (saved && jar.size === 0) await ask(`${name}, ${server}`, `${url}/login`, jar);
      }
    }
    await close();
  }
  see(`inspected: ${name}`, [engine, sessions, sessions.open("sessionid=x")]);
}
for (const [name, store] of Object.entries(stores)) see(`inspected: ${name}`, store);
see("inspected: codecs", [codec, djangoCookieCodec({ secretKey }), encryptedCodec({ secretKey })]);

// --- Bad times --------------------------------------------------------------------------------------------------------

/** A session of each engine that has a store, and its key. */
async function loggedIn(engine: SessionEngine): Promise<{ sessions: AnySessions; key: string }> {
  const sessions = createSessions<Record<string, any>>(engine);
  const session = await sessions.open(undefined).session();
  session.update({ uid: value(), cart: [value()] });
  await session.save();
  return { sessions, key: session.key! };
}

/** Everything that reaches the store. */
async function everything(where: string, { sessions, key }: { sessions: AnySessions; key: string }): Promise<void> {
  const own = sessions.open(`sessionid=${key}`);
  await attempt(`${where}: load`, () => own.session());
  await attempt(`${where}: commit`, () => own.commit(200));
  await attempt(`${where}: exists`, () => sessions.exists(key));
  await attempt(`${where}: transact`, () => sessions.transact(key, (session) => session.set("n", value())));
  await attempt(`${where}: delete`, () => sessions.delete(key));
  await attempt(`${where}: clearExpired`, () => sessions.clearExpired());
  await attempt(`${where}: create`, async () => {
    const session = await sessions.open(undefined).session();
    session.set("uid", value());
    await session.save();
  });
}

// Damaged records, and several cookies.
for (const [name, store] of Object.entries(stores)) {
  const one = await loggedIn(engines[name]!);
  const two = await loggedIn(engines[name]!);
  const both = one.sessions.open(`sessionid=${one.key}; sessionid=${two.key}`);
  await attempt(`${name}: two cookies`, () => both.session());
  const stranger = djangoCodec({ secretKey: formerKey.toUpperCase() }).encode({ uid: value() }, new Date());
  notePayload(stranger);
  await store.update(one.key, { payload: stranger, expiresAt: new Date(Date.now() + 60_000) });
  await everything(`${name}, damaged`, one);
}

// A wrong secret everywhere, and a store that says nothing.
for (const codecOfStrangers of [djangoCodec({ secretKey: formerKey.toUpperCase() }), codec]) {
  const shared = memoryStore();
  const { key } = await loggedIn(noting(storeEngine(shared, codec)));
  const hangs = codecOfStrangers === codec;
  const store = hangs ? { ...shared, load: () => new Promise<never>(() => {}) } : shared;
  const sessions = createSessions(storeEngine(store, codecOfStrangers), { requestTimeoutMs: 300 });
  for (let load = 0; load < (hangs ? 8 : 60); load++) {
    await attempt("unavailable", () => sessions.open(`sessionid=${key}`).session());
  }
}

/** Servers over a store that is away: what the adapters answer and print. */
async function outage(name: string): Promise<void> {
  const broken = await victims[name]!;
  await everything(`${name} away`, broken);
  for (const [server, { url, close }] of Object.entries(await servers(broken.sessions))) {
    for (const path of ["/read", "/change", "/logout", "/save"]) {
      await ask(`${name} away, ${server} ${path}`, url + path, new Map([["sessionid", broken.key]]));
    }
    await close();
  }
}

const victims = Object.fromEntries(
  Object.entries(engines)
    .filter(([name]) => name in stores)
    .map(([name, engine]) => [name, loggedIn(engine)]),
);
await Promise.all(Object.values(victims));
await Promise.all([redis.kill(), memcached.kill()]);
rmSync(files, { recursive: true });
for (const name of ["Redis", "memcached", "files", "a cache over SQLite"]) await outage(name);
await sqliteStore.close();
await outage("SQLite");

// Places that are wrong, with all that stands in their URL.
const escaped = encodeURIComponent(password);
const URLS = [
  `postgres://user:${escaped}@127.0.0.1:${deadPort}/database`,
  `mysql://user:${escaped}@127.0.0.1:${deadPort}/database`,
  `redis://user:${escaped}@127.0.0.1:${deadPort}/0`,
  `rediss://user:${escaped}@127.0.0.1:${deadPort}/0`,
  `redis+sentinel://user:${escaped}@127.0.0.1:${deadPort}/main`,
  `memcached://user:${escaped}@127.0.0.1:${deadPort}`,
  `postgres://user:${password}@127.0.0.1:${deadPort}/database`,
  `mysql://user:${escaped}@127.0.0.1:${deadPort}/database?unknown=${escaped}`,
  `redis://user:${escaped}@127.0.0.1:${deadPort}/no-number`,
  `unknown://user:${escaped}@127.0.0.1:${deadPort}`,
  `postgres://user:${escaped}@[bad`,
];
for (const [index, url] of URLS.entries()) {
  await attempt(`url ${index}`, async () => {
    const store = await connect(url);
    see(`inspected: url ${index}`, store);
    const engine = noting(storeEngine(store, codec));
    await everything(`url ${index}`, { sessions: createSessions(engine), key: "a".repeat(32) });
    await store.close();
  });
}
for (const wrong of [secretKey.slice(0, 31), { secretKey }]) {
  evidence.secrets["secret key"].push(secretKey.slice(0, 31));
  await attempt("short key", () => djangoCodec({ secretKey: wrong as string }));
  await attempt("fallbacks", () => encryptedCodec({ secretKey, secretKeyFallbacks: [wrong as string] }));
  await attempt("settings", () => createSessions(engines.memory!, { secretKey } as never));
}

// --- The command line -------------------------------------------------------------------------------------------------

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const operated = join(directory, "operated.sqlite3");
const store = await connect(`sqlite:${operated}`);
await store.migrate();
const operatedSession = await loggedIn(noting(storeEngine(store, codec)));
await store.close();
const { key } = operatedSession;
const stored = evidence.secrets.payload.at(-1)!;
const settings = join(directory, "settings.json");
const databases = { default: { ENGINE: "django.db.backends.sqlite3", NAME: operated } };
writeFileSync(settings, JSON.stringify({ SECRET_KEY: secretKey, DATABASES: databases }));

const COMMANDS: [args: string[], input: string, isMalformed?: true][] = [
  [["migrate", "--store", `sqlite:${operated}`], ""],
  [["clearsessions", "--store", `sqlite:${operated}`], ""],
  [["clearsessions", "--store", `sqlite:${operated}`, "--json"], ""],
  [["show", "-", "--store", `sqlite:${operated}`], key],
  [["show", "-", "--store", `sqlite:${operated}`, "--json"], key],
  [["show", "-", "--store", `sqlite:${join(directory, "none.sqlite3")}`], key],
  [["decode", "-"], stored],
  [["decode", "-"], `${stored.slice(0, -1)}A`],
  [["decode", "-"], stored.slice(0, 40)],
  [["check", "-", "--settings", settings], key],
  [["check", "-", "--settings", settings, "--json"], key],
  [["check", "-", "--settings", settings], "b".repeat(32)],
  [["check", "-", "--settings", settings], stored],
  [["decode", "-"], stored, true],
  [["check", "-", "--settings", settings], key, true],
  [["no-such-command"], ""],
  [["--help"], ""],
  ...URLS.slice(0, 6).map((url): [string[], string] => [["show", "-", "--store", url], key]),
];
for (const [args, input, isMalformed] of COMMANDS) {
  const env = {
    PATH: process.env.PATH ?? "",
    SOJOURN_SECRET_KEY: secretKey,
    SOJOURN_SECRET_KEY_FALLBACKS: isMalformed ? formerKey : JSON.stringify([formerKey]),
  };
  const run = spawnSync(process.execPath, [PROGRAM, ...args], { cwd: directory, env, input, encoding: "utf8" });
  // To show the data is what `show` and `decode` are for.
  const where = /^(?:show|decode)$/.test(args[0]!) ? "data shown" : "command";
  see(`${where}: ${args[0]} exit ${run.status}`, run.stdout);
  see(`command errors: ${args[0]}`, run.stderr);
}

writeFileSync(process.argv[2]!, JSON.stringify(evidence));
// Pools of places that were never there.
process.exit(0);
