import { join } from "node:path";
import { describe } from "node:test";
import { startMemcached } from "../support/servers/memcached.ts";
import { startRedis } from "../support/servers/redis.ts";
import { temporaryDirectory } from "../support/servers/server.ts";
import { bytes } from "./bytes.ts";
import { concurrency } from "./concurrency.ts";
import { cleanUp, shortLives } from "./expiry.ts";
import { bothSides, type Project } from "./pair.ts";
import { roundTrips } from "./round-trips.ts";

const [redis, memcached] = await Promise.all([startRedis(), startMemcached()]);

const onRedis = { BACKEND: "django_redis.cache.RedisCache", LOCATION: `redis://127.0.0.1:${redis.port}/1` };
const SERIALIZER = "django_redis.serializers.json.JSONSerializer";

const CACHES: Record<string, readonly [version: Project["version"], cache: Readonly<Record<string, unknown>>]> = {
  "cached_db on django-redis": ["3.2", onRedis],
  "cached_db on django-redis, JSON": ["3.2", { ...onRedis, OPTIONS: { SERIALIZER } }],
  "cached_db on Django's own Redis backend": [
    "5.2",
    { ...onRedis, BACKEND: "django.core.cache.backends.redis.RedisCache" },
  ],
  ...Object.fromEntries(
    ["PyMemcacheCache", "PyLibMCCache"].map((name, index) => [
      `cached_db on ${name}`,
      [
        "3.2",
        {
          BACKEND: `django.core.cache.backends.memcached.${name}`,
          LOCATION: `127.0.0.1:${memcached.port}`,
          VERSION: 1 + index,
        },
      ],
    ]),
  ),
};

for (const [name, [version, cache]] of Object.entries(CACHES)) {
  // What lies in the database, which is JSON, is what a session is.
  const project: Project = {
    version,
    format: "json",
    settings: {
      SESSION_ENGINE: "django.contrib.sessions.backends.cached_db",
      DATABASES: {
        default: { ENGINE: "django.db.backends.sqlite3", NAME: join(temporaryDirectory(), "db.sqlite3") },
      },
      CACHES: { default: cache },
    },
  };
  describe(`${name}, Django ${version}`, () => {
    const pair = bothSides(project);
    roundTrips(pair, project);
    bytes(pair, project);
    concurrency(pair);
    shortLives(pair);
    cleanUp(pair, project, () => pair().django.rows());
  });
}
