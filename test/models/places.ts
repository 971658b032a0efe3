import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type ConnectedStore, type ConnectOptions, connect } from "../../src/connect.ts";
import type { SessionData } from "../../src/core/contracts.ts";
import { createSessions, type Sessions } from "../../src/core/sessions.ts";
import type { SessionSettings } from "../../src/core/settings.ts";
import { djangoCodec } from "../../src/django/codec.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { cachedStore } from "../../src/stores/cached/store.ts";
import { PATIENT } from "../support/django/patient.ts";
import { startMariadb } from "../support/servers/mariadb.ts";
import { startMemcached } from "../support/servers/memcached.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import { startRedis } from "../support/servers/redis.ts";
import { temporaryDirectory } from "../support/servers/server.ts";

/** Where sessions are that several processes share, in words that can be told to a child process. */
export interface Place {
  readonly url: string;
  /** Of the cache in front of it. */
  readonly cache?: string;
}

/** On a machine that is busy with many servers, nobody gives up. */
const PATIENT_STORE = { connectTimeoutMs: 30_000, operationTimeoutMs: 30_000 };
/** The same for the settings of sessions. */
export const PATIENT_REQUEST = { requestTimeoutMs: 60_000 };

/** @param change what each store of it becomes, the cache as well */
export async function openPlace(
  { url, cache }: Place,
  options: ConnectOptions = {},
  change: (store: ConnectedStore, url: string) => ConnectedStore = (store) => store,
): Promise<ConnectedStore> {
  const store = change(await connect(url, { ...PATIENT_STORE, ...options }), url);
  if (cache === undefined) return store;
  const front = change(await connect(cache, { ...PATIENT_STORE, ...options, prefix: "cached:" }), cache);
  return {
    ...cachedStore(front, store, { ...PATIENT, now: options.now }),
    migrate: store.migrate,
    close: async () => void (await Promise.all([front.close(), store.close()])),
  };
}

export interface OpenedSessions extends Sessions<SessionData> {
  close(): Promise<void>;
}

/** As a server process has them. */
export async function openSessions(place: Place, settings: Partial<SessionSettings> = {}): Promise<OpenedSessions> {
  const store = await openPlace(place, { now: settings.now });
  const engine = storeEngine(store, djangoCodec({ secretKey: "a secret key for tests, 32 characters at least" }));
  return { ...createSessions<SessionData>(engine, { ...PATIENT_REQUEST, ...settings }), close: () => store.close() };
}

/** A private one of each, migrated. */
export async function startPlaces(): Promise<Record<string, Place>> {
  const [redis, memcached, postgres, mariadb] = await Promise.all([
    startRedis(),
    startMemcached(),
    // Each process has pools of its own.
    startPostgres("max_connections=500"),
    startMariadb("--max-connections=500"),
  ]);
  const directory = temporaryDirectory();
  mkdirSync(join(directory, "sessions"), { mode: 0o700 });
  const places: Record<string, Place> = {
    SQLite: { url: `sqlite:${join(directory, "sessions.sqlite3")}` },
    file: { url: `file:${join(directory, "sessions")}` },
    Redis: { url: `redis://127.0.0.1:${redis.port}` },
    memcached: { url: `memcached://127.0.0.1:${memcached.port}` },
    PostgreSQL: { url: postgres.url() },
    MariaDB: { url: mariadb.url() },
    "cached_db, Redis over PostgreSQL": { url: postgres.url(), cache: `redis://127.0.0.1:${redis.port}` },
  };
  for (const place of [places.SQLite!, places.PostgreSQL!, places.MariaDB!]) {
    const store = await openPlace(place);
    await store.migrate();
    await store.close();
  }
  return places;
}
