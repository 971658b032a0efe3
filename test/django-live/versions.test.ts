import { join } from "node:path";
import { describe } from "node:test";
import { DJANGO_VERSIONS } from "../support/django/versions.ts";
import { startMemcached } from "../support/servers/memcached.ts";
import { startRedis } from "../support/servers/redis.ts";
import { temporaryDirectory } from "../support/servers/server.ts";
import { bothSides, ONE_BY_ONE, type Project, SIDE_BY_SIDE } from "./pair.ts";
import { roundTrips } from "./round-trips.ts";

/* Every engine that needs nothing but Django and one client, on every version but 3.2, which the other files have. */

const [redis, memcached] = await Promise.all([startRedis(), startMemcached()]);

const BACKENDS = "django.contrib.sessions.backends";
const sqlite = () => ({
  DATABASES: { default: { ENGINE: "django.db.backends.sqlite3", NAME: join(temporaryDirectory(), "db.sqlite3") } },
});
const REDIS = {
  CACHES: {
    default: {
      BACKEND: "django.core.cache.backends.redis.RedisCache",
      LOCATION: `redis://127.0.0.1:${redis.port}/1`,
    },
  },
};
const MEMCACHED = {
  CACHES: {
    default: {
      BACKEND: "django.core.cache.backends.memcached.PyMemcacheCache",
      LOCATION: `127.0.0.1:${memcached.port}`,
    },
  },
};

describe("engines on other versions", SIDE_BY_SIDE, () => {
  for (const version of DJANGO_VERSIONS.filter((each) => each !== "3.2")) {
    const ENGINES: Record<string, Omit<Project, "version">> = {
      "db on SQLite": { format: "json", settings: sqlite() },
      file: {
        format: "json",
        settings: { SESSION_ENGINE: `${BACKENDS}.file`, SESSION_FILE_PATH: temporaryDirectory() },
      },
      signed_cookies: { format: "json", settings: { SESSION_ENGINE: `${BACKENDS}.signed_cookies` } },
      "cache on Redis": { format: "pickle", settings: { SESSION_ENGINE: `${BACKENDS}.cache`, ...REDIS } },
      "cache on memcached": { format: "pickle", settings: { SESSION_ENGINE: `${BACKENDS}.cache`, ...MEMCACHED } },
      "cached_db on Redis": {
        format: "json",
        settings: { SESSION_ENGINE: `${BACKENDS}.cached_db`, ...sqlite(), ...REDIS },
      },
      "cached_db on memcached": {
        format: "json",
        settings: { SESSION_ENGINE: `${BACKENDS}.cached_db`, ...sqlite(), ...MEMCACHED },
      },
    };
    for (const [name, engine] of Object.entries(ENGINES)) {
      describe(`${name}, Django ${version}`, ONE_BY_ONE, () => {
        const project = { ...engine, version };
        roundTrips(bothSides(project), project, 100);
      });
    }
  }
});
