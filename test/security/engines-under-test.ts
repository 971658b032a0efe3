import { mkdirSync, readdirSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { join } from "node:path";
import { encryptedCodec } from "../../src/codecs/encrypted.ts";
import { type ConnectedStore, connect } from "../../src/connect.ts";
import type { SessionCodec, SessionStore } from "../../src/core/contracts.ts";
import { createSessions, type Sessions } from "../../src/core/sessions.ts";
import type { SessionSettings } from "../../src/core/settings.ts";
import { djangoCodec, djangoCookieCodec } from "../../src/django/codec.ts";
import { cookieEngine } from "../../src/engines/cookie-engine.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { cachedStore } from "../../src/stores/cached/store.ts";
import { Database } from "../stores/database.ts";
import { PATIENT } from "../support/django/patient.ts";
import { startMariadb } from "../support/servers/mariadb.ts";
import { startMemcached } from "../support/servers/memcached.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import { startRedis } from "../support/servers/redis.ts";
import { temporaryDirectory } from "../support/servers/server.ts";
import { SECRET_KEY } from "./secret-key.ts";
import type { Data } from "./visitor.ts";

/** Every engine, on private servers which are started by importing this. */

/** What is tested here is not how long a busy machine takes. */
const PATIENT_REQUESTS = { requestTimeoutMs: 60_000 };
const PATIENT_STORES = { connectTimeoutMs: 10_000, operationTimeoutMs: 30_000 };

export interface Call {
  readonly operation: string;
  readonly key: string;
}

export interface EngineUnderTest {
  readonly kind: "store" | "cookie";
  readonly codec: SessionCodec;
  /** Where the records are; every call through it is in `calls`. Not there where cookies are the sessions. */
  readonly store: ConnectedStore | undefined;
  /** What the store was asked, in order. */
  readonly calls: Call[];
  /** The calls that may have changed something in the store. */
  writes(): Call[];
  /** Records in the backend, as it says itself, of which the store may know nothing. */
  records(): Promise<number>;
  /** Whose clock ends a session: the backend's own, or `clock`. */
  readonly expiry: "backend" | "clock";
  sessions(settings?: Partial<SessionSettings>, store?: SessionStore): Sessions<Data>;
  /** As another process has it: nothing but the backend is the same. Closed with this one. */
  restarted(): Promise<EngineUnderTest>;
  close(): Promise<unknown>;
}

/** The clock of all stores and sessions here; `undefined` is the real one. */
export const clock: { now: Date | undefined } = { now: undefined };
const now = () => clock.now ?? new Date();

const directory = temporaryDirectory();
const [postgres, mariadb, redis, memcached] = await Promise.all([
  startPostgres(),
  startMariadb(),
  startRedis(),
  startMemcached(),
]);
postgres.sql("CREATE DATABASE cached");
const files = join(directory, "sessions");
mkdirSync(files, { mode: 0o700 });
const sqlite = join(directory, "sessions.sqlite3");

const COUNT = "SELECT count(*) AS n FROM django_session";

interface Backend {
  readonly expiry?: "backend";
  open(): Promise<ConnectedStore>;
  /** @param known how many of the keys that the store was asked for it has */
  records(known: () => Promise<number>): number | Promise<number>;
}

function at(url: string, records: Backend["records"]): Backend {
  return { open: () => connect(url, { ...PATIENT_STORES, now }), records };
}

function selfExpiring(backend: Backend): Backend {
  return { ...backend, expiry: "backend" };
}

const redisUrl = `redis://127.0.0.1:${redis.port}`;

/** Of what is in this process's memory nobody else knows. */
const memory = await connect("memory:", { now });

const BACKENDS: Readonly<Record<string, Backend>> = {
  memory: { open: async () => memory, records: (known) => known() },
  SQLite: at(`sqlite:${sqlite}`, () => {
    const database = new Database(sqlite);
    const [row] = database.prepare(COUNT).all() as [{ n: number }];
    database.close();
    return row.n;
  }),
  files: at(`file:${files}`, () => readdirSync(files).length),
  Redis: selfExpiring(at(redisUrl, () => Number(redis.cli("dbsize")))),
  PostgreSQL: at(postgres.url(), () => Number(postgres.sql(COUNT))),
  MariaDB: at(mariadb.url(), () => Number(mariadb.sql(COUNT))),
  memcached: selfExpiring(at(`memcached://127.0.0.1:${memcached.port}`, () => statistic("curr_items"))),
  "cached_db, Redis over PostgreSQL": {
    expiry: "backend",
    async open() {
      const [cache, database] = [
        await connect(`${redisUrl}/1`, { ...PATIENT_STORES, now }),
        await connect(postgres.url("cached"), { ...PATIENT_STORES, now }),
      ];
      return {
        ...cachedStore(cache, database, { ...PATIENT, now }),
        migrate: () => database.migrate(),
        close: async () => void (await Promise.all([cache.close(), database.close()])),
      };
    },
    records: () => Number(redis.cli("-n", "1", "dbsize")) + Number(postgres.sql(COUNT, "cached")),
  },
};

async function inStore(backend: Backend): Promise<EngineUnderTest> {
  const calls: Call[] = [];
  const others: EngineUnderTest[] = [];
  const opened = await backend.open();
  await opened.migrate();
  const store = spied(opened, calls);
  const codec = djangoCodec({ secretKey: SECRET_KEY });
  return {
    kind: "store",
    codec,
    store,
    calls,
    writes: () => calls.filter(({ operation }) => operation !== "load"),
    records: async () =>
      backend.records(async () => {
        const found = await Promise.all([...new Set(calls.map(({ key }) => key))].map((key) => opened.load(key)));
        return found.filter((record) => record !== null).length;
      }),
    expiry: backend.expiry ?? "clock",
    sessions: (settings, given = store) =>
      createSessions<Data>(storeEngine(given, codec), { ...PATIENT_REQUESTS, now, ...settings }),
    async restarted() {
      others.push(await inStore(backend));
      return others.at(-1)!;
    },
    close: () => Promise.all([opened, ...others].map((each) => each.close())),
  };
}

async function inCookies(codec: SessionCodec): Promise<EngineUnderTest> {
  return {
    kind: "cookie",
    codec,
    store: undefined,
    calls: [],
    writes: () => [],
    records: async () => 0,
    expiry: "clock",
    sessions: (settings) => createSessions<Data>(cookieEngine(codec), { now, ...settings }),
    restarted: () => inCookies(codec),
    close: async () => {},
  };
}

/** How to open each. */
export const ENGINES_UNDER_TEST: Readonly<Record<string, () => Promise<EngineUnderTest>>> = {
  ...Object.fromEntries(Object.entries(BACKENDS).map(([name, backend]) => [name, () => inStore(backend)])),
  "signed cookies": () => inCookies(djangoCookieCodec({ secretKey: SECRET_KEY })),
  "encrypted cookies": () => inCookies(encryptedCodec({ secretKey: SECRET_KEY })),
};

function spied(store: ConnectedStore, calls: Call[]): ConnectedStore {
  const listed = (operation: string, call: (...given: unknown[]) => unknown) =>
    [
      operation,
      (...given: unknown[]) => {
        calls.push({ operation, key: String(given[0]) });
        return call(...given);
      },
    ] as const;
  const { migrate, close, ...asked } = store;
  const entries = Object.entries(asked as unknown as Record<string, (...given: unknown[]) => unknown>);
  return { ...(Object.fromEntries(entries.map(([name, call]) => listed(name, call))) as typeof asked), migrate, close };
}

/** What `stats` of memcached says. */
function statistic(name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connectSocket(memcached.port, "127.0.0.1", () => socket.write("stats\r\nquit\r\n"));
    socket.on("error", reject).on("data", (chunk) => {
      text += chunk;
    });
    socket.on("close", () => resolve(Number(new RegExp(`STAT ${name} (\\d+)`).exec(text)?.[1])));
  });
}
