import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { DjangoSettings } from "../../src/django.ts";
import { type DjangoPeer, startDjango } from "../support/django/peer.ts";
import { DATABASE_PASSWORD } from "../support/servers/database.ts";
import { startMemcached } from "../support/servers/memcached.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import { startRedis } from "../support/servers/redis.ts";
import { freePort } from "../support/servers/server.ts";
import { BACKENDS, check, hidden } from "./check-support.ts";
import { open, secretKey, temporaryFolder } from "./support.ts";

/* A session that is not where the settings say: servers that cannot be asked, and where else it may be. */

const [redis, memcached, postgres] = await Promise.all([startRedis(), startMemcached(), startPostgres()]);
const nobody = "nobodyskey0123456789nobodyskey01";
const path = join(temporaryFolder(), "db.sqlite3");
const DATABASES = { default: { ENGINE: "django.db.backends.sqlite3", NAME: path } };

const onRedis = (database: number, more: object = {}) => ({
  BACKEND: "django_redis.cache.RedisCache",
  LOCATION: `redis://127.0.0.1:${redis.port}/${database}`,
  ...more,
});

const base = { SECRET_KEY: secretKey, DATABASES };
const cache = (name: "cache" | "cached_db", more: object, others: object = {}): DjangoSettings => ({
  ...base,
  SESSION_ENGINE: `${BACKENDS}.${name}`,
  CACHES: { default: onRedis(1, more), ...others },
});

const peers = new Map<string, Promise<DjangoPeer>>();

/** Real Django saves a session by these settings. */
async function saved(settings: DjangoSettings): Promise<string> {
  const text = JSON.stringify(settings);
  const starting = peers.get(text) ?? startDjango(settings);
  peers.set(text, starting);
  const django = await starting;
  const { key } = await django.session(null, ["set", "uid", hidden], ["save"]);
  return key!;
}

await (await startDjango(base)).migrate();

describe("sojourn check: a session that is somewhere else", () => {
  const redisSessions = {
    ...base,
    SESSION_ENGINE: "redis_sessions.session",
    SESSION_REDIS: { url: `redis://127.0.0.1:${redis.port}/1`, prefix: "session" },
  };
  const memcachedCache = {
    BACKEND: "django.core.cache.backends.memcached.PyMemcacheCache",
    LOCATION: `127.0.0.1:${memcached.port}`,
  };
  const elsewhere: [string, DjangoSettings, DjangoSettings, RegExp][] = [
    [
      "of cached_db's name in the cache",
      cache("cached_db", {}),
      cache("cache", {}),
      /in the cache "default" under the name of SESSION_ENGINE .*cached_db\. Give both servers the same SESSION_ENGINE/,
    ],
    [
      "of another VERSION",
      cache("cache", { VERSION: 2 }),
      cache("cache", {}),
      /in the cache "default" under the name of .*cache and VERSION 2\. .*VERSION of the cache$/,
    ],
    [
      "without KEY_PREFIX",
      cache("cache", {}),
      cache("cache", { KEY_PREFIX: "shop" }),
      /in the cache "default" under the name of .*cache and no KEY_PREFIX/,
    ],
    [
      "in another cache of the project",
      { ...cache("cache", {}, { sessions: onRedis(3) }), SESSION_CACHE_ALIAS: "sessions" },
      cache("cache", {}, { sessions: onRedis(3) }),
      /in the cache "sessions" under the name of SESSION_ENGINE .*cache\. .*SESSION_CACHE_ALIAS/,
    ],
    [
      "in another database of the Redis",
      cache("cache", { LOCATION: `redis://127.0.0.1:${redis.port}/7` }),
      cache("cache", {}),
      /in database 7 of that Redis\. .*same database number/,
    ],
    [
      "of django-redis-sessions",
      redisSessions,
      cache("cache", {}),
      /where django-redis-sessions keeps it with the prefix session/,
    ],
    [
      "of django-redis-sessions without a prefix",
      { ...redisSessions, SESSION_REDIS: { url: `redis://127.0.0.1:${redis.port}/1` } },
      redisSessions,
      /where django-redis-sessions keeps it without a prefix/,
    ],
    [
      "in the database, although the engine is cache",
      base,
      cache("cache", {}),
      /in the database "default"\. Give both servers the same SESSION_ENGINE/,
    ],
    [
      "in a cache, although the engine is db",
      cache("cache", {}),
      { ...cache("cache", {}), SESSION_ENGINE: `${BACKENDS}.db` },
      /in the cache "default" under the name of SESSION_ENGINE .*cache\./,
    ],
    [
      "in memcached, although the engine is db",
      { ...base, SESSION_ENGINE: `${BACKENDS}.cache`, CACHES: { default: memcachedCache } },
      { ...base, CACHES: { default: memcachedCache } },
      /in the cache "default" under the name of SESSION_ENGINE .*cache\./,
    ],
  ];
  for (const [what, theirs, ours, problem] of elsewhere) {
    test(`${what}: that is said, and what to do`, async () => {
      const key = await saved(theirs);
      assert.match(check(theirs, key).problem, /^$/, "as Django has it");
      const found = check(ours, key).problem;
      assert.match(found, /^found: there is no such session: it is /);
      assert.match(found, problem);
    });
  }

  test("in the cache of cached_db alone: its row was deleted", async () => {
    const settings = cache("cached_db", {});
    const key = await saved(settings);
    const { problem, told } = check(settings, key);
    assert.equal(problem, "");
    assert.match(told.cache!, /it is there as well/);
    const database = open(path);
    database.prepare("DELETE FROM django_session").run();
    database.close();
    assert.match(
      check(settings, key).problem,
      /it is in the cache of cached_db, and no longer in the database\. Somebody deleted its row alone/,
    );
  });

  test("cached_db without its cache: a warning", async () => {
    const key = await saved(base);
    const settings = cache("cached_db", { LOCATION: `redis://127.0.0.1:${await freePort()}/0` });
    const { problem, warnings } = check(settings, key);
    assert.equal(problem, "");
    assert.match(warnings[0]!, /^cache: it cannot be asked, and sessions are read from the database alone: Redis at/);
  });

  test("cached_db with LocMemCache: a warning", async () => {
    const key = await saved(base);
    const { problem, warnings } = check({ ...base, SESSION_ENGINE: `${BACKENDS}.cached_db` }, key);
    assert.equal(problem, "");
    assert.match(warnings[0]!, /^cache: it is each process's own memory \(LocMemCache\)/);
  });

  test("in Redis and memcached, what has expired and what never was look the same, and that is said", async () => {
    const expires = await startDjango(cache("cache", {}));
    const { key } = await expires.session(null, ["set", "uid", hidden], ["setExpiry", -1], ["save"]);
    for (const token of [key!, nobody]) {
      assert.match(
        check(cache("cache", {}), token).problem,
        /or has expired or was evicted: this server keeps nothing that would tell/,
      );
    }
  });
});

describe("sojourn check: a server that cannot be asked", () => {
  const server = (more: object): DjangoSettings => ({
    DATABASES: {
      default: {
        ENGINE: "django.db.backends.postgresql",
        NAME: "postgres",
        USER: "postgres",
        PASSWORD: DATABASE_PASSWORD,
        HOST: "127.0.0.1",
        PORT: postgres.port,
        ...more,
      },
    },
  });
  const problem = (settings: DjangoSettings, more: object = {}) =>
    check(settings, nobody, { secrets: [DATABASE_PASSWORD, encodeURIComponent(DATABASE_PASSWORD)], ...more }).problem;

  test("is not there, refuses the password, has no such database or no table", async () => {
    assert.match(
      problem(server({ PORT: await freePort() })),
      /^server: PostgreSQL at 127\.0\.0\.1:\d+ cannot be reached/,
    );
    assert.match(
      problem(server({ PASSWORD: "wrong-password" }), { secrets: ["wrong-password"] }),
      /^server: PostgreSQL at .* refuses the user or the password/,
    );
    assert.match(problem(server({ NAME: "shop" })), /^server: PostgreSQL at .* has no such database/);
    assert.match(problem(server({})), /^server: PostgreSQL at .* has no table django_session/);
  });

  test("a Redis or memcached that is not there", async () => {
    const LOCATION = `redis://:${encodeURIComponent(DATABASE_PASSWORD)}@127.0.0.1:${await freePort()}/0`;
    assert.match(problem(cache("cache", { LOCATION })), /^server: Redis at 127\.0\.0\.1:\d+: /);
    const gone = {
      BACKEND: "django.core.cache.backends.memcached.PyMemcacheCache",
      LOCATION: `127.0.0.1:${await freePort()}`,
    };
    assert.match(problem({ SESSION_ENGINE: `${BACKENDS}.cache`, CACHES: { default: gone } }), /^server: memcached at /);
  });

  test("a Redis that wants a password", async () => {
    const secured = await startRedis("--requirepass", DATABASE_PASSWORD);
    const LOCATION = `redis://127.0.0.1:${secured.port}/0`;
    assert.match(problem(cache("cache", { LOCATION })), /^server: Redis at .*NOAUTH/);
    assert.match(
      problem(cache("cache", { LOCATION, OPTIONS: { PASSWORD: "wrong-password" } }), { secrets: ["wrong-password"] }),
      /^server: Redis at .*(WRONGPASS|password)/,
    );
  });

  test("a driver that is missing: what to install", () => {
    const hook = `export const resolve = (name, context, next) => name === "pg" ? Promise.reject(Object.assign(new Error("none"), { code: "ERR_MODULE_NOT_FOUND" })) : next(name, context)`;
    const url = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`;
    const register = `import { register } from "node:module"; register(${JSON.stringify(url(hook))});`;
    const env = { NODE_OPTIONS: `--import ${url(register)}` };
    assert.match(problem(server({}), { env }), /^server: The package pg is missing\. Install it with `npm install pg`/);
  });
});
