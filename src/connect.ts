import {
  type ConnectedStore,
  type ConnectOptions,
  type ConnectSettings,
  connectSettings,
} from "./connect/connected-store.ts";
import { connectFile } from "./connect/file.ts";
import { connectMemcached } from "./connect/memcached.ts";
import { connectMemory } from "./connect/memory.ts";
import { connectMysql } from "./connect/mysql.ts";
import { connectPostgres } from "./connect/postgres.ts";
import { connectRedis } from "./connect/redis.ts";
import { connectSqlite } from "./connect/sqlite.ts";
import { SessionError } from "./core/errors.ts";

export type { ConnectedStore, ConnectOptions } from "./connect/connected-store.ts";

type Connect = (url: string, settings: ConnectSettings) => Promise<ConnectedStore>;

/** Each loads its driver when it is called, and only then. */
const SCHEMES: Readonly<Record<string, Connect>> = {
  sqlite: connectSqlite,
  postgres: connectPostgres,
  postgresql: connectPostgres,
  mysql: connectMysql,
  mariadb: connectMysql,
  memory: connectMemory,
  file: connectFile,
  memcached: connectMemcached,
  redis: connectRedis,
  rediss: connectRedis,
  "redis+unix": connectRedis,
  "redis+cluster": connectRedis,
  "rediss+cluster": connectRedis,
  "redis+sentinel": connectRedis,
  "rediss+sentinel": connectRedis,
};

/**
 * Makes a store from a URL.
 *
 * | URL | store |
 * |---|---|
 * | `sqlite:path/to/file` | Django's table in a SQLite file, with node:sqlite, better-sqlite3 or libsql |
 * | `postgres://user:password@host:port/database`, `postgresql:…` | Django's table in PostgreSQL, with pg |
 * | `mysql://user:password@host:port/database`, `mariadb:…` | Django's table in MySQL or MariaDB, with mysql2 |
 * | `memory:` | this process's memory |
 * | `file:path/to/directory` | a file for each session, as Django names them |
 * | `memcached://host:port`, `memcached:///path/to/socket` | a memcached, 1.6.18 or later |
 * | `redis://user:password@host:6379/0`, `redis+unix:///path/to/socket?db=0&password=…` | a Redis or Valkey, with node-redis or ioredis |
 * | `redis+cluster://user:password@host:6379,host:6379` | a Redis Cluster, of which these are some nodes |
 * | `redis+sentinel://user:password@host:26379,host:26379/name?db=0&sentinelPassword=…` | the Redis that these sentinels call `name` |
 * | `rediss://…`, `rediss+cluster://…`, `rediss+sentinel://…` | the same with TLS; `?ca=path` for an authority of your own, `cert=path&key=path` for a client's certificate |
 *
 * Throws `ERR_CONFIG` for an unknown scheme, a missing driver (and says what to install), a URL or an option that is
 * wrong.
 *
 * @example const store = await connect("sqlite:sessions.sqlite3");
 */
export async function connect(url: string, options: ConnectOptions = {}): Promise<ConnectedStore> {
  const scheme = /^([a-z0-9+]+):/.exec(url)?.[1] ?? "";
  if (Object.hasOwn(SCHEMES, scheme)) return SCHEMES[scheme]!(url, connectSettings(options));
  throw new SessionError(
    "ERR_CONFIG",
    `${scheme ? `There is no store for ${scheme}:` : "A store's URL begins with its scheme"}; there are ${Object.keys(SCHEMES).join(": ")}:`,
  );
}
