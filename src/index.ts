import { defaultStore } from "./connect/sqlite.ts";
import type { SessionEngine, SessionStore } from "./core/contracts.ts";
import { SessionError } from "./core/errors.ts";
import { createSessions as createSessionsOver, type Sessions } from "./core/sessions.ts";
import type { SessionSettings } from "./core/settings.ts";
import { type DjangoCodecOptions, djangoCodec } from "./django/codec.ts";
import { storeEngine } from "./engines/store-engine.ts";
import { hashedKeys } from "./stores/hashed-keys.ts";

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
export type { Conflict, Resolve } from "./core/merge.ts";
export type { Session } from "./core/session.ts";
export type { GetOptions, Sessions } from "./core/sessions.ts";
export type { SessionSettings } from "./core/settings.ts";
export { type CookieEngineOptions, cookieEngine } from "./engines/cookie-engine.ts";
export { storeEngine } from "./engines/store-engine.ts";
export { type CachedStoreOptions, cachedStore } from "./stores/cached/store.ts";
export { type FileStoreOptions, fileStore } from "./stores/file/store.ts";
export { hashedKeys } from "./stores/hashed-keys.ts";
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

/**
 * What holds unless an option says otherwise. `"django"`, the default: Django's names and lifetimes. `"strict"`: the
 * cookie `__Host-sessionid` over HTTPS only, an idle timeout of an hour and an absolute one of a day (NIST SP 800-63B-4,
 * AAL2), session keys hashed in the store, cookies that hold sessions encrypted.
 */
const PRESETS: Record<"django" | "strict", Partial<SessionSettings>> = {
  django: {},
  strict: {
    cookieName: "__Host-sessionid",
    cookieSecure: true,
    cookieAge: 3600,
    absoluteAge: 86_400,
    // A request is activity, also if it only reads.
    saveEveryRequest: true,
  },
};

export type CreateSessionsOptions = Partial<SessionSettings> & {
  /** Default `"django"`. `"strict"` is for applications that share their sessions with no Django. */
  readonly preset?: "django" | "strict" | undefined;
} & (
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
 * @param options `secretKey`, and Django's session settings in camel case; `preset` for other defaults, `store` for
 *   another store, `engine` for another engine
 * @example
 * const sessions = createSessions<{ uid: string }>({ secretKey: process.env.SECRET_KEY });
 * app.use(expressSessions(sessions));
 */
export function createSessions<Data extends object = Record<string, unknown>>(
  options: CreateSessionsOptions,
): Sessions<Data> {
  const { preset, engine, store, secretKey, secretKeyFallbacks, ...given } = options as Partial<SessionSettings> & {
    preset?: string | undefined;
    engine?: SessionEngine | undefined;
    store?: SessionStore | undefined;
    secretKey?: string | undefined;
    secretKeyFallbacks?: readonly string[] | undefined;
  };
  const settings = withPreset(preset, given);
  if (engine && (secretKey !== undefined || store !== undefined)) {
    throw new SessionError(
      "ERR_CONFIG",
      "An engine brings its own store and keys: give either engine, or secretKey and store.",
    );
  }
  if (engine && preset === "strict" && !engine.isEncrypted) {
    throw new SessionError(
      "ERR_CONFIG",
      "With the preset strict, give store rather than engine, so that its keys are hashed; or a cookieEngine with an encryptedCodec.",
    );
  }
  if (engine) return createSessionsOver(engine, settings);
  // The codec first: with a wrong key, no file is made.
  const codec = djangoCodec({ secretKey: secretKey as string, secretKeyFallbacks });
  const kept = store ?? defaultStore();
  return createSessionsOver(storeEngine(preset === "strict" ? hashedKeys(kept) : kept, codec), settings);
}

function withPreset(preset: string = "django", settings: Partial<SessionSettings>): Partial<SessionSettings> {
  if (!Object.hasOwn(PRESETS, preset)) {
    throw new SessionError("ERR_CONFIG", `preset must be one of ${Object.keys(PRESETS).join(", ")}.`);
  }
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  return { ...PRESETS[preset as keyof typeof PRESETS], ...Object.fromEntries(given) };
}
