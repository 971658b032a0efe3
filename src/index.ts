import { defaultStore } from "./connect/sqlite.ts";
import type { SessionEngine, SessionStore } from "./core/contracts.ts";
import { SessionError } from "./core/errors.ts";
import { createSessions as createSessionsOver, type Sessions } from "./core/sessions.ts";
import type { SessionSettings } from "./core/settings.ts";
import { type DjangoCodecOptions, djangoCodec } from "./django/codec.ts";
import { storeEngine } from "./engines/store-engine.ts";

export { type EncryptedCodecOptions, encryptedCodec } from "./codecs/encrypted.ts";
export { jsonCodec } from "./codecs/json.ts";
export { structuredCodec } from "./codecs/structured.ts";
export type { CacheEntries } from "./core/cache-entries.ts";
export type {
  Decoded,
  DeleteExpiredOptions,
  DeleteExpiredProgress,
  LoadedRecord,
  Payload,
  SessionCodec,
  SessionData,
  SessionEngine,
  SessionRecord,
  SessionStore,
} from "./core/contracts.ts";
export { SessionError, type SessionErrorCode } from "./core/errors.ts";
export type { SessionEvents } from "./core/events.ts";
export type { Duration, Expiry } from "./core/expiry.ts";
export { fingerprint } from "./core/key.ts";
export type { Session } from "./core/session.ts";
export type { Sessions } from "./core/sessions.ts";
export type { SessionSettings } from "./core/settings.ts";
export { type CookieEngineOptions, cookieEngine } from "./engines/cookie-engine.ts";
export { storeEngine } from "./engines/store-engine.ts";
export { type CachedStoreOptions, cachedStore } from "./stores/cached/store.ts";
export { type FileStoreOptions, fileStore } from "./stores/file/store.ts";
export {
  type MemcachedClient,
  type MemcachedClientOptions,
  type MemcachedItem,
  type MemcachedSet,
  memcachedClient,
} from "./stores/memcached/client.ts";
export { type MemcachedStoreOptions, memcachedStore } from "./stores/memcached/store.ts";
export { type MemoryStoreOptions, memoryStore } from "./stores/memory.ts";
export type { RedisClient } from "./stores/redis/client.ts";
export { type RedisStoreOptions, redisStore } from "./stores/redis/store.ts";
export type { SqlClient, SqlDialect } from "./stores/sql/dialect.ts";
export { type MysqlClient, mysql, mysqlClient } from "./stores/sql/mysql.ts";
export { type PgClient, type PostgresJs, postgres, postgresClient } from "./stores/sql/postgres.ts";
export { type SqliteDatabase, sqlite, sqliteClient } from "./stores/sql/sqlite.ts";
export { type SqlStoreOptions, sqlStore } from "./stores/sql/store.ts";

export type CreateSessionsOptions = Partial<SessionSettings> &
  (
    | (Pick<DjangoCodecOptions, "secretKey" | "secretKeyFallbacks"> & {
        /** Default: the SQLite file `sessions.sqlite3`, created with its table where it is missing. */
        readonly store?: SessionStore | undefined;
        readonly engine?: undefined;
      })
    | {
        /** Another engine than a store with Django's format; it brings its keys itself. */
        readonly engine: SessionEngine;
        readonly store?: undefined;
        readonly secretKey?: undefined;
        readonly secretKeyFallbacks?: undefined;
      }
  );

/**
 * The sessions of an application: Django's defaults, Django's format, a SQLite file unless told otherwise.
 *
 * Throws `ERR_CONFIG` for a missing or weak secret key and for settings that are unknown or contradict each other.
 *
 * @param options `secretKey`, and Django's session settings in camel case; `store` for another store, `engine` for
 *   another engine
 * @example
 * const sessions = createSessions<{ uid: string }>({ secretKey: process.env.SECRET_KEY });
 * app.use(expressSessions(sessions));
 */
export function createSessions<Data extends object = Record<string, unknown>>(
  options: CreateSessionsOptions,
): Sessions<Data> {
  const { engine, store, secretKey, secretKeyFallbacks, ...settings } = options as Partial<SessionSettings> & {
    engine?: SessionEngine | undefined;
    store?: SessionStore | undefined;
    secretKey?: string | undefined;
    secretKeyFallbacks?: readonly string[] | undefined;
  };
  if (engine && (secretKey !== undefined || store !== undefined)) {
    throw new SessionError(
      "ERR_CONFIG",
      "An engine brings its own store and keys: give either engine, or secretKey and store.",
    );
  }
  if (engine) return createSessionsOver(engine, settings);
  // The codec first: with a wrong key, no file is made.
  const codec = djangoCodec({ secretKey: secretKey as string, secretKeyFallbacks });
  return createSessionsOver(storeEngine(store ?? defaultStore(), codec), settings);
}
