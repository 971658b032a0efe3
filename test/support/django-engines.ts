import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { DjangoSettings } from "../../src/django/settings/resolve.ts";
import { onMariadb, onPostgres } from "./django/databases.ts";
import { startMariadb } from "./servers/mariadb.ts";
import { startMemcached } from "./servers/memcached.ts";
import { startPostgres } from "./servers/postgres.ts";
import { startRedis } from "./servers/redis.ts";
import { temporaryDirectory } from "./servers/server.ts";

/** Every engine as a Django project's settings have it, on private servers which are started by importing this. */

const BACKENDS = "django.contrib.sessions.backends";
const [postgres, mariadb, redis, memcached] = await Promise.all([
  startPostgres(),
  startMariadb(),
  startRedis(),
  startMemcached(),
]);
const directory = temporaryDirectory();
mkdirSync(join(directory, "sessions"));

const POSTGRES = onPostgres(postgres.port);
const REDIS = { BACKEND: "django.core.cache.backends.redis.RedisCache", LOCATION: `redis://127.0.0.1:${redis.port}/1` };

export const DJANGO_ENGINES: Readonly<Record<string, DjangoSettings>> = {
  "db on SQLite": {
    DATABASES: { default: { ENGINE: "django.db.backends.sqlite3", NAME: join(directory, "db.sqlite3") } },
  },
  "db on PostgreSQL": { DATABASES: { default: POSTGRES } },
  "db on MariaDB": {
    DATABASES: {
      default: onMariadb(mariadb.port),
    },
  },
  "cache on locmem": { SESSION_ENGINE: `${BACKENDS}.cache` },
  "cache on Redis": { SESSION_ENGINE: `${BACKENDS}.cache`, CACHES: { default: REDIS } },
  "cache on django-redis with JSON": {
    SESSION_ENGINE: `${BACKENDS}.cache`,
    SESSION_CACHE_ALIAS: "sessions",
    CACHES: {
      sessions: {
        BACKEND: "django_redis.cache.RedisCache",
        LOCATION: `redis://127.0.0.1:${redis.port}/2`,
        OPTIONS: { SERIALIZER: "django_redis.serializers.json.JSONSerializer" },
      },
    },
  },
  "cache on memcached": {
    SESSION_ENGINE: `${BACKENDS}.cache`,
    CACHES: {
      default: {
        BACKEND: "django.core.cache.backends.memcached.PyMemcacheCache",
        LOCATION: `127.0.0.1:${memcached.port}`,
      },
    },
  },
  "cached_db on Redis over PostgreSQL": {
    SESSION_ENGINE: `${BACKENDS}.cached_db`,
    DATABASES: { default: POSTGRES },
    CACHES: { default: REDIS },
  },
  file: { SESSION_ENGINE: `${BACKENDS}.file`, SESSION_FILE_PATH: join(directory, "sessions") },
  signed_cookies: { SESSION_ENGINE: `${BACKENDS}.signed_cookies` },
  redis_sessions: {
    SESSION_ENGINE: "redis_sessions.session",
    SESSION_REDIS: { unix_domain_socket_path: redis.socket, prefix: "session" },
  },
};
