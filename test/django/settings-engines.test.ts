import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type DjangoSettings, resolveDjangoSettings } from "../../src/django/settings/resolve.ts";
import { connectDjango, fromDjangoSettings } from "../../src/django.ts";
import { temporaryDirectory } from "../support/servers/server.ts";

const SECRET_KEY = "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz";
const PASSWORD = "p@ss:w/rd?#%";
const ESCAPED = "p%40ss%3Aw%2Frd%3F%23%25";
const CACHE = "django.contrib.sessions.backends.cache";

type Dict = Record<string, unknown>;

const engineOf = (settings: Dict) => resolveDjangoSettings({ SECRET_KEY, ...settings } as DjangoSettings).engine;

const database = (dict: Dict) => engineOf({ DATABASES: { default: dict } }).store?.url;

const cache = (dict: Dict, more: Dict = {}) => {
  const engine = engineOf({ SESSION_ENGINE: CACHE, CACHES: { default: dict }, ...more });
  assert.equal(engine.name, "cache");
  return engine.store;
};

const redisSessions = (settings: Dict) => engineOf({ SESSION_ENGINE: "redis_sessions.session", ...settings }).store;

function refuses(settings: Dict, message: RegExp): void {
  test(`${JSON.stringify(settings).slice(0, 160)} is refused: ${message.source}`, () => {
    assert.throws(
      () => engineOf(settings),
      (error: Error & { code: string }) => {
        assert.equal(error.code, "ERR_CONFIG");
        assert.match(error.message, message);
        assert.ok(!error.message.includes(PASSWORD) && !error.message.includes(ESCAPED), "it shows the password");
        return true;
      },
    );
  });
}

describe("DATABASES", () => {
  const POSTGRES = "django.db.backends.postgresql";
  const MYSQL = "django.db.backends.mysql";

  for (const [name, dict, url] of [
    ["SQLite", { ENGINE: "django.db.backends.sqlite3", NAME: "/srv/db.sqlite3" }, "sqlite:/srv/db.sqlite3"],
    [
      "SQLite with settings for Django's own connections",
      {
        ENGINE: "django.db.backends.sqlite3",
        NAME: "/srv/db.sqlite3",
        OPTIONS: { init_command: "PRAGMA journal_mode=WAL", timeout: 5, transaction_mode: "IMMEDIATE" },
      },
      "sqlite:/srv/db.sqlite3",
    ],
    [
      "PostgreSQL with everything",
      { ENGINE: POSTGRES, NAME: "my db", USER: "me@home", PASSWORD, HOST: "db.example.org", PORT: "5433" },
      `postgres://me%40home:${ESCAPED}@db.example.org:5433/my%20db`,
    ],
    [
      "PostgreSQL with TLS",
      { ENGINE: POSTGRES, NAME: "a", HOST: "db", OPTIONS: { sslmode: "verify-full", sslrootcert: "/ca.pem" } },
      "postgres://db:5432/a?sslmode=verify-full&sslrootcert=%2Fca.pem",
    ],
    [
      "PostgreSQL without a host: by socket",
      { ENGINE: POSTGRES, NAME: "a", USER: "me" },
      "postgres://me@/a?host=%2Fvar%2Frun%2Fpostgresql&port=5432",
    ],
    [
      "PostgreSQL by a socket of its own",
      { ENGINE: POSTGRES, NAME: "a", HOST: "/tmp/pg", PORT: 5433 },
      "postgres:///a?host=%2Ftmp%2Fpg&port=5433",
    ],
    [
      "PostGIS",
      { ENGINE: "django.contrib.gis.db.backends.postgis", NAME: "a", HOST: "::1" },
      "postgres://[::1]:5432/a",
    ],
    [
      "MySQL with everything",
      {
        ENGINE: MYSQL,
        NAME: "a",
        USER: "me",
        PASSWORD,
        HOST: "db",
        PORT: "",
        OPTIONS: { charset: "utf8mb4", init_command: "SET sql_mode='STRICT_TRANS_TABLES'" },
      },
      `mysql://me:${ESCAPED}@db:3306/a`,
    ],
    [
      "MySQL without a host: by socket",
      { ENGINE: MYSQL, NAME: "a" },
      "mysql:///a?socketPath=%2Frun%2Fmysqld%2Fmysqld.sock",
    ],
    [
      "MySQL on localhost: by socket, as MySQL's own library",
      { ENGINE: MYSQL, NAME: "a", HOST: "localhost", PORT: 3307 },
      "mysql:///a?socketPath=%2Frun%2Fmysqld%2Fmysqld.sock",
    ],
    ["MySQL by a socket", { ENGINE: MYSQL, NAME: "a", HOST: "/tmp/my.sock" }, "mysql:///a?socketPath=%2Ftmp%2Fmy.sock"],
    [
      "settings for Django's own connections",
      { ENGINE: POSTGRES, NAME: "a", HOST: "db", CONN_MAX_AGE: 60, ATOMIC_REQUESTS: true, TEST: {}, TIME_ZONE: null },
      "postgres://db:5432/a",
    ],
  ] as [string, Dict, string][]) {
    test(`${name} is ${url}`, () => assert.equal(database(dict), url));
  }

  for (const [dict, message] of [
    [null, /^DATABASES must be an object/],
    [{}, /^DATABASES needs a "default"/],
    [
      { default: { ENGINE: "django.db.backends.oracle" } },
      /^DATABASES\.default\.ENGINE "django.*oracle" is not supported; use/,
    ],
    [{ default: { ENGINE: POSTGRES } }, /^DATABASES\.default\.NAME is missing/],
    [{ default: { ENGINE: POSTGRES, NAME: "a\0b" } }, /^DATABASES\.default\.NAME must be text/],
    [{ default: { ENGINE: POSTGRES, NAME: 7 } }, /^DATABASES\.default\.NAME must be text/],
    [{ default: { ENGINE: POSTGRES, NAME: "a", PORT: "x" } }, /^DATABASES\.default\.PORT must be a whole number/],
    [{ default: { ENGINE: POSTGRES, NAME: "a", PASSWORD, HOTS: "b" } }, /^DATABASES\.default\.HOTS is not supported/],
    [
      { default: { ENGINE: POSTGRES, NAME: "a", OPTIONS: { service: "x" } } },
      /^DATABASES\.default\.OPTIONS\.service is not supported/,
    ],
    [
      { default: { ENGINE: MYSQL, NAME: "a", OPTIONS: { read_default_file: "x" } } },
      /^DATABASES\.default\.OPTIONS\.read_default_file is not supported/,
    ],
    [
      { default: { ENGINE: MYSQL, NAME: "a", TIME_ZONE: "Europe/Berlin" } },
      /^DATABASES\.default\.TIME_ZONE must be "UTC"/,
    ],
  ] as [Dict, RegExp][]) {
    refuses({ DATABASES: dict }, message);
  }
});

describe("CACHES", () => {
  const DJANGO = "django.core.cache.backends.redis.RedisCache";
  const DJANGO_REDIS = "django_redis.cache.RedisCache";
  const PYMEMCACHE = "django.core.cache.backends.memcached.PyMemcacheCache";
  const PYLIBMC = "django.core.cache.backends.memcached.PyLibMCCache";
  const pickle5 = { serializer: "pickle", protocol: 5 };
  const prefix = ":1:django.contrib.sessions.cache";

  test("default to this process's memory, as Django's do", () => {
    const { store } = engineOf({ SESSION_ENGINE: CACHE });
    assert.deepEqual(store, { url: "memory:", prefix, format: pickle5 });
  });

  for (const [name, dict, url] of [
    [
      "locmem",
      { BACKEND: "django.core.cache.backends.locmem.LocMemCache", LOCATION: "snow", OPTIONS: { MAX_ENTRIES: 1000 } },
      "memory:?maxEntries=1000",
    ],
    ["Redis", { BACKEND: DJANGO, LOCATION: "redis://127.0.0.1:6379" }, "redis://127.0.0.1:6379/0"],
    [
      "Redis with user and database",
      { BACKEND: DJANGO, LOCATION: `redis://me:${ESCAPED}@h/3` },
      `redis://me:${ESCAPED}@h:6379/3`,
    ],
    [
      "Redis with options",
      { BACKEND: DJANGO, LOCATION: "rediss://h", OPTIONS: { db: 2, password: PASSWORD } },
      `rediss://:${ESCAPED}@h:6379/2`,
    ],
    [
      "Redis with its password behind the rest",
      { BACKEND: DJANGO, LOCATION: "redis://h?password=p%40" },
      "redis://:p%40@h:6379/0",
    ],
    [
      "Redis by socket",
      { BACKEND: DJANGO, LOCATION: "unix:///tmp/redis.sock?db=1" },
      "redis+unix:///tmp/redis.sock?db=1",
    ],
    [
      "of several Redis servers the one that Django writes to",
      { BACKEND: DJANGO, LOCATION: ["redis://a", "redis://b"] },
      "redis://a:6379/0",
    ],
    ["the same as one text", { BACKEND: DJANGO, LOCATION: "redis://a; redis://b" }, "redis://a:6379/0"],
    ["pymemcache", { BACKEND: PYMEMCACHE, LOCATION: "127.0.0.1:11211" }, "memcached://127.0.0.1:11211"],
    ["pylibmc", { BACKEND: PYLIBMC, LOCATION: [" cache.example.org "] }, "memcached://cache.example.org:11211"],
    ["memcached by IPv6", { BACKEND: PYMEMCACHE, LOCATION: "[::1]:11212" }, "memcached://[::1]:11212"],
    [
      "memcached by socket",
      { BACKEND: PYMEMCACHE, LOCATION: "unix:/tmp/memcached.sock" },
      "memcached:///tmp/memcached.sock",
    ],
  ] as [string, Dict, string][]) {
    test(`${name} is ${url}`, () => assert.deepEqual(cache(dict), { url, prefix, format: pickle5 }));
  }

  test("django-redis pickles with protocol 4 unless told otherwise", () => {
    const formats = [undefined, 4, 5, -1].map((version) => {
      const OPTIONS = version === undefined ? {} : { PICKLE_VERSION: version };
      return cache({ BACKEND: DJANGO_REDIS, LOCATION: "redis://h/1", OPTIONS }).format;
    });
    assert.deepEqual(
      formats.map((format) => format.protocol),
      [4, 4, 5, 5],
    );
  });

  test("django-redis may write JSON, and compress it", () => {
    const OPTIONS = {
      CLIENT_CLASS: "django_redis.client.DefaultClient",
      SERIALIZER: "django_redis.serializers.json.JSONSerializer",
      COMPRESSOR: "django_redis.compressors.zlib.ZlibCompressor",
      PASSWORD,
      SOCKET_TIMEOUT: 5,
      CONNECTION_POOL_KWARGS: { max_connections: 50 },
    };
    assert.deepEqual(cache({ BACKEND: DJANGO_REDIS, LOCATION: "redis://h/1", OPTIONS }), {
      url: `redis://:${ESCAPED}@h:6379/1`,
      prefix,
      format: { serializer: "json", compressor: "zlib", protocol: 4 },
    });
  });

  test("django-redis finds its server by Sentinel", () => {
    const OPTIONS = {
      CLIENT_CLASS: "django_redis.client.SentinelClient",
      SENTINELS: [
        ["a", 26379],
        ["b", 26380],
      ],
      SENTINEL_KWARGS: { password: "s" },
      PASSWORD,
    };
    assert.equal(
      cache({ BACKEND: DJANGO_REDIS, LOCATION: "redis://mymaster/2", OPTIONS }).url,
      `redis+sentinel://:${ESCAPED}@a:26379,b:26380/mymaster?db=2&sentinelPassword=s`,
    );
    assert.match(
      cache({ BACKEND: DJANGO_REDIS, LOCATION: "redis://mymaster/2", OPTIONS: { ...OPTIONS, DB: 3 } }).url,
      /\/mymaster\?db=3&/,
    );
  });

  test("KEY_PREFIX, VERSION and the alias make the key", () => {
    const dict = { BACKEND: DJANGO, LOCATION: "redis://h", KEY_PREFIX: "site", VERSION: 3, TIMEOUT: 300 };
    assert.equal(cache(dict).prefix, "site:3:django.contrib.sessions.cache");
    const engine = engineOf({ SESSION_ENGINE: CACHE, SESSION_CACHE_ALIAS: "s", CACHES: { default: {}, s: dict } });
    assert.equal(engine.store?.url, "redis://h:6379/0");
  });

  test("cached_db joins the database and the cache, with a key of its own", () => {
    assert.deepEqual(
      engineOf({
        SESSION_ENGINE: "django.contrib.sessions.backends.cached_db",
        DATABASES: { default: { ENGINE: "django.db.backends.sqlite3", NAME: "a" } },
        CACHES: { default: { BACKEND: DJANGO, LOCATION: "redis://h" } },
      }),
      {
        name: "cached_db",
        store: { url: "sqlite:a" },
        cache: { url: "redis://h:6379/0", prefix: ":1:django.contrib.sessions.cached_db", format: pickle5 },
      },
    );
  });

  for (const [dict, message] of [
    [null, /^CACHES\.default\.BACKEND is missing/],
    [{}, /^CACHES\.default\.BACKEND is missing/],
    [
      { BACKEND: "django.core.cache.backends.filebased.FileBasedCache" },
      /^CACHES\.default\.BACKEND "django.*" is not supported; use/,
    ],
    [{ BACKEND: DJANGO }, /^CACHES\.default\.LOCATION must name a server/],
    [{ BACKEND: DJANGO, LOCATION: `http://me:${ESCAPED}@h` }, /^CACHES\.default\.LOCATION must be a URL/],
    [{ BACKEND: DJANGO, LOCATION: `redis://me:${PASSWORD}@h` }, /^CACHES\.default\.LOCATION must be a URL/],
    [{ BACKEND: DJANGO, LOCATION: "redis://h/x" }, /^CACHES\.default\.LOCATION names a database that is not a number/],
    [
      { BACKEND: DJANGO, LOCATION: "rediss://h?ssl_cert_reqs=none" },
      /^CACHES\.default\.LOCATION turns off TLS verification/,
    ],
    [{ BACKEND: DJANGO, LOCATION: "redis://h", TIMEOTU: 1 }, /^CACHES\.default\.TIMEOTU is not supported/],
    [{ BACKEND: DJANGO, LOCATION: "redis://h?retry=1" }, /^CACHES\.default\.LOCATION has the parameter retry/],
    [
      { BACKEND: DJANGO, LOCATION: "redis://h", KEY_FUNCTION: "my.key" },
      /^CACHES\.default\.KEY_FUNCTION is a function of Python's/,
    ],
    [
      { BACKEND: DJANGO, LOCATION: "redis://h", OPTIONS: { serializer: "my.own" } },
      /^CACHES\.default\.OPTIONS\.serializer names a class/,
    ],
    [
      { BACKEND: DJANGO, LOCATION: "redis://h", OPTIONS: { ssl: 1 } },
      /^CACHES\.default\.OPTIONS\.ssl is not supported/,
    ],
    [
      { BACKEND: DJANGO_REDIS, LOCATION: "redis://h", OPTIONS: { IGNORE_EXCEPTIONS: true } },
      /^CACHES\.default\.OPTIONS\.IGNORE_EXCEPTIONS turns an outage/,
    ],
    [
      {
        BACKEND: DJANGO_REDIS,
        LOCATION: "redis://h",
        OPTIONS: { COMPRESSOR: "django_redis.compressors.lz4.Lz4Compressor" },
      },
      /^CACHES\.default\.OPTIONS\.COMPRESSOR "django_redis\.compressors\.lz4.*" is not supported: Node has no lz4; use/,
    ],
    [
      {
        BACKEND: DJANGO_REDIS,
        LOCATION: "redis://h",
        OPTIONS: { COMPRESSOR: "django_redis.compressors.lzma.LzmaCompressor" },
      },
      /^CACHES\.default\.OPTIONS\.COMPRESSOR "django_redis\.compressors\.lzma.*" is not supported: Node has no lzma/,
    ],
    [
      { BACKEND: DJANGO_REDIS, LOCATION: "redis://h", OPTIONS: { COMPRESSOR: "my.Compressor" } },
      /^CACHES\.default\.OPTIONS\.COMPRESSOR "my\.Compressor" is not supported; use "django_redis/,
    ],
    [
      { BACKEND: DJANGO_REDIS, LOCATION: "redis://h", OPTIONS: { CLIENT_CLASS: "django_redis.client.HerdClient" } },
      /^CACHES\.default\.OPTIONS\.CLIENT_CLASS/,
    ],
    [{ BACKEND: PYMEMCACHE, LOCATION: ["a:1", "b:1"] }, /^CACHES\.default\.LOCATION has several servers/],
    [
      { BACKEND: PYLIBMC, LOCATION: "a:1", OPTIONS: { username: "x", password: PASSWORD } },
      /^CACHES\.default\.OPTIONS\.username is not supported/,
    ],
  ] as [Dict, RegExp][]) {
    refuses({ SESSION_ENGINE: CACHE, CACHES: { default: dict } }, message);
  }
  refuses({ SESSION_ENGINE: CACHE, SESSION_CACHE_ALIAS: "s", CACHES: { default: {} } }, /^CACHES has no "s"/);

  const ignoring = { SESSION_ENGINE: CACHE, DJANGO_REDIS_IGNORE_EXCEPTIONS: true };
  const djangoRedis = (OPTIONS: Dict) => ({ default: { BACKEND: DJANGO_REDIS, LOCATION: "redis://h", OPTIONS } });
  refuses(
    { ...ignoring, CACHES: djangoRedis({}) },
    /^DJANGO_REDIS_IGNORE_EXCEPTIONS turns an outage into empty sessions/,
  );

  test("django-redis' own default of IGNORE_EXCEPTIONS gives way to the cache's, and is no other cache's", () => {
    engineOf({ ...ignoring, CACHES: djangoRedis({ IGNORE_EXCEPTIONS: false }) });
    engineOf({ ...ignoring, CACHES: { default: { BACKEND: DJANGO, LOCATION: "redis://h" } } });
    engineOf({ DJANGO_REDIS_IGNORE_EXCEPTIONS: true });
  });
});

describe("SESSION_ENGINE", () => {
  const BACKENDS = "django.contrib.sessions.backends";

  test("file keeps files named by the cookie, in Python's temporary directory unless told otherwise", () => {
    assert.deepEqual(engineOf({ SESSION_ENGINE: `${BACKENDS}.file` }).store, {
      url: `file:${tmpdir()}`,
      prefix: "sessionid",
    });
    assert.deepEqual(
      engineOf({ SESSION_ENGINE: `${BACKENDS}.file`, SESSION_FILE_PATH: "/srv/s", SESSION_COOKIE_NAME: "sid" }).store,
      { url: "file:/srv/s", prefix: "sid" },
    );
  });

  test("signed_cookies keeps nothing at the server", () => {
    assert.deepEqual(engineOf({ SESSION_ENGINE: `${BACKENDS}.signed_cookies` }), {
      name: "signed_cookies",
      store: null,
    });
  });

  test("settings of engines that are not in use are no matter", () => {
    const engine = engineOf({ CACHES: { default: { BACKEND: "x" } }, SESSION_REDIS_POOL: [], SESSION_FILE_PATH: "/x" });
    assert.equal(engine.name, "db");
  });
});

describe("django-redis-sessions", () => {
  for (const [settings, url, prefix] of [
    [{}, "redis://localhost:6379/0", ""],
    [
      {
        SESSION_REDIS_HOST: "h",
        SESSION_REDIS_PORT: 7,
        SESSION_REDIS_DB: 1,
        SESSION_REDIS_PREFIX: "s",
        SESSION_REDIS_PASSWORD: PASSWORD,
      },
      `redis://:${ESCAPED}@h:7/1`,
      "s:",
    ],
    [
      {
        SESSION_REDIS: {
          host: "h",
          port: 7,
          db: 1,
          prefix: "s",
          password: PASSWORD,
          socket_timeout: 1,
          retry_on_timeout: false,
        },
      },
      `redis://:${ESCAPED}@h:7/1`,
      "s:",
    ],
    [{ SESSION_REDIS: { unix_domain_socket_path: "/tmp/r.sock", db: 2 } }, "redis+unix:///tmp/r.sock?db=2", ""],
    [{ SESSION_REDIS: { url: "redis://u:p@h:1/2" } }, "redis://u:p@h:1/2", ""],
    [
      {
        SESSION_REDIS_SENTINEL_LIST: [
          ["a", 1],
          ["b", 2],
        ],
        SESSION_REDIS_SENTINEL_MASTER_ALIAS: "m",
        SESSION_REDIS: { db: 3 },
      },
      "redis+sentinel://a:1,b:2/m?db=3",
      "",
    ],
  ] as [Dict, string, string][]) {
    test(`${JSON.stringify(settings)} is ${url}`, () => assert.deepEqual(redisSessions(settings), { url, prefix }));
  }

  const engine = { SESSION_ENGINE: "redis_sessions.session" };
  refuses({ ...engine, SESSION_REDIS: { POOL: [] } }, /^SESSION_REDIS\.POOL is not supported/);
  refuses({ ...engine, SESSION_REDIS_POOL: [] }, /^SESSION_REDIS_POOL is not supported/);
  refuses({ ...engine, SESSION_REDIS_CONNECTION_OBJECT: {} }, /^SESSION_REDIS_CONNECTION_OBJECT is not supported/);
  refuses({ ...engine, SESSION_REDIS_SENTINEL_LIST: [["a", 1]] }, /^SESSION_REDIS_SENTINEL_MASTER_ALIAS is missing/);
  refuses(
    { ...engine, SESSION_REDIS_SENTINEL_LIST: ["a"], SESSION_REDIS_SENTINEL_MASTER_ALIAS: "m" },
    /^SESSION_REDIS_SENTINEL_LIST must be a list/,
  );
  refuses({ ...engine, SESSION_REDIS_URL: "http://x" }, /^SESSION_REDIS url must be a URL/);
});

test("connectDjango tells cached_db how to use its cache", async () => {
  const resolved = resolveDjangoSettings({
    SECRET_KEY,
    SESSION_ENGINE: "django.contrib.sessions.backends.cached_db",
    DATABASES: {
      default: { ENGINE: "django.db.backends.sqlite3", NAME: join(temporaryDirectory(), "db.sqlite3") },
    },
    CACHES: {
      default: {
        BACKEND: "django.core.cache.backends.memcached.PyMemcacheCache",
        LOCATION: "127.0.0.1:1",
      },
    },
  });
  for (const name of ["maxAge", "cacheTimeoutMs"]) {
    await assert.rejects(connectDjango(resolved, { [name]: -1 }), { code: "ERR_CONFIG", message: new RegExp(name) });
  }
});

describe("close", () => {
  test("ends what fromDjangoSettings has opened", async () => {
    const NAME = join(temporaryDirectory(), "db.sqlite3");
    const sessions = await fromDjangoSettings({
      SECRET_KEY,
      DATABASES: { default: { ENGINE: "django.db.backends.sqlite3", NAME } },
    });
    await sessions.close();
    await assert.rejects(sessions.exists("k".repeat(32)), { code: "ERR_SESSION_UNAVAILABLE" });
  });

  test("has nothing to do where sessions are in cookies", async () => {
    const SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies";
    await (await fromDjangoSettings({ SECRET_KEY, SESSION_ENGINE })).close();
  });
});
