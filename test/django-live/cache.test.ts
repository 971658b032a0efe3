import { describe } from "node:test";
import { startMemcached } from "../support/servers/memcached.ts";
import { startRedis } from "../support/servers/redis.ts";
import { bytes } from "./bytes.ts";
import { concurrency } from "./concurrency.ts";
import { shortLives } from "./expiry.ts";
import { bothSides, ONE_BY_ONE, type Project, SIDE_BY_SIDE } from "./pair.ts";
import { roundTrips } from "./round-trips.ts";

const [redis, memcached] = await Promise.all([startRedis(), startMemcached()]);
const SESSION_ENGINE = "django.contrib.sessions.backends.cache";
const JSON_SERIALIZER = "django_redis.serializers.json.JSONSerializer";

function djangoRedis(OPTIONS: object) {
  return { BACKEND: "django_redis.cache.RedisCache", OPTIONS };
}

interface Cache extends Omit<Project, "settings" | "django"> {
  readonly cache: Readonly<Record<string, unknown>>;
  /** Django's, where it is not made of the same settings. */
  readonly own?: Readonly<Record<string, unknown>>;
}

const onRedis: Record<string, Cache> = {
  "cache on django-redis": { version: "3.2", format: "pickle", cache: djangoRedis({}) },
  "cache on django-redis, pickle 5 and zlib": {
    version: "3.2",
    format: "pickle",
    cache: djangoRedis({ PICKLE_VERSION: 5, COMPRESSOR: "django_redis.compressors.zlib.ZlibCompressor" }),
  },
  "cache on django-redis, JSON": {
    version: "3.2",
    format: "json",
    cache: djangoRedis({ SERIALIZER: JSON_SERIALIZER }),
  },
  "cache on django-redis, JSON and gzip": {
    version: "3.2",
    format: "json",
    cache: djangoRedis({ SERIALIZER: JSON_SERIALIZER, COMPRESSOR: "django_redis.compressors.gzip.GzipCompressor" }),
    // Which Debian's django-redis has not got yet.
    own: djangoRedis({ SERIALIZER: JSON_SERIALIZER, COMPRESSOR: "compressing_caches.GzipCompressor" }),
  },
  "cache on Django's own Redis backend": {
    version: "5.2",
    format: "pickle",
    cache: { BACKEND: "django.core.cache.backends.redis.RedisCache" },
  },
};

const MEMCACHED = "django.core.cache.backends.memcached";
const PYMEMCACHE = { BACKEND: `${MEMCACHED}.PyMemcacheCache` };
const PYLIBMC = { BACKEND: `${MEMCACHED}.PyLibMCCache` };

const onMemcached: Record<string, Cache> = {
  "cache on PyMemcache": { version: "3.2", format: "pickle", cache: PYMEMCACHE },
  "cache on PyMemcache that compresses": {
    // Whose pymemcache can: 4.0.
    version: "6.1",
    format: "pickle",
    cache: PYMEMCACHE,
    own: { BACKEND: "compressing_caches.CompressingPyMemcacheCache" },
  },
  "cache on PyLibMC": { version: "3.2", format: "pickle", cache: PYLIBMC },
  "cache on PyLibMC that compresses": {
    version: "3.2",
    format: "pickle",
    cache: PYLIBMC,
    own: { BACKEND: "compressing_caches.CompressingPyLibMCCache" },
  },
};

function tests(caches: Record<string, Cache>, LOCATION: string): void {
  for (const [name, { cache, own, ...project }] of Object.entries(caches)) {
    const place = { LOCATION, KEY_PREFIX: String(name.length) };
    const settings = { SESSION_ENGINE, CACHES: { default: { ...cache, ...place } } };
    describe(`${name}, Django ${project.version}`, ONE_BY_ONE, () => {
      const pair = bothSides({
        ...project,
        settings,
        django: own ? { CACHES: { default: { ...own, ...place } } } : {},
      });
      roundTrips(pair, { ...project, settings });
      bytes(pair, { ...project, settings });
      concurrency(pair);
      shortLives(pair);
    });
  }
}

describe("the engine cache", SIDE_BY_SIDE, () => {
  tests(onRedis, `redis://127.0.0.1:${redis.port}/1`);
  tests(onMemcached, `127.0.0.1:${memcached.port}`);
});
