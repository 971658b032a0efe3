import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import { databaseLocation } from "../../src/connect/database/location.ts";
import { redisLocation } from "../../src/connect/redis/location.ts";
import { connect } from "../../src/connect.ts";
import { SessionError } from "../../src/core/errors.ts";
import { type DjangoSettings, resolveDjangoSettings } from "../../src/django.ts";
import { pseudoRandom } from "../../src/testing/codec-values.ts";
import { fuzz, planned, type Verdict } from "./fuzz.ts";
import { mutator } from "./mutator.ts";
import { secretKey } from "./samples.ts";

/* Settings and URLs, changed: they work, or the person who wrote them is told what is wrong, and nobody a password. */

const PASSWORD = "Tr0ub4dor";

/** Throws for anything but `ERR_CONFIG` that tells no secret. */
function assertConfigError(error: unknown, secrets: readonly string[] = [PASSWORD]): void {
  assert.ok(error instanceof SessionError && error.code === "ERR_CONFIG", inspect(error, { depth: 1 }));
  for (const secret of secrets) assert.ok(!error.message.includes(secret), `tells the secret: ${error.message}`);
}

function verdictOf(read: () => unknown): Verdict {
  try {
    read();
    return "accepted";
  } catch (error) {
    assertConfigError(error);
    return "refused";
  }
}

const EITHER: readonly Verdict[] = ["refused", "accepted"];
const DATABASE = {
  example: "postgres://user:password@host:5432/database",
  parameters: ["sslmode", "socketPath", "host", "port", "application_name"],
};

describe("changed URLs work, or are ERR_CONFIG, and tell no password", () => {
  for (const [index, { name, read, urls }] of [
    {
      name: "of databases",
      read: (url: string) => databaseLocation(url, DATABASE),
      urls: [
        `postgres://alice:${PASSWORD}@db.example.com:5432/app`,
        `postgres://alice:${PASSWORD}@[::1]/app?sslmode=verify-full&application_name=web`,
        `mysql://alice:${PASSWORD}@/app?socketPath=%2Frun%2Fmysqld%2Fmysqld.sock`,
      ],
    },
    {
      name: "of Redis",
      read: redisLocation,
      urls: [
        `redis://alice:${PASSWORD}@localhost:6379/0`,
        `redis://:${PASSWORD}@10.0.0.1/3?db=4`,
        `redis+unix:///run/redis.sock?db=1&password=${PASSWORD}`,
        `redis+cluster://alice:${PASSWORD}@a:6379,b:6379,[::1]:6380`,
        `redis+sentinel://alice:${PASSWORD}@a:26379,b:26379/primary?db=0&sentinelPassword=${PASSWORD}`,
      ],
    },
  ].entries()) {
    const { seed, runs } = planned({ seed: 200 + index, runs: 60_000 });
    test(`${name}: ${runs} mutants (seed ${seed})`, () => {
      fuzz({ seed, runs, samples: urls, read: (url: string) => verdictOf(() => read(url)) }, EITHER);
    });
  }

  const ends = planned({ seed: 202, runs: 40_000 });
  test(`passwords that nobody escaped: ${ends.runs} (seed ${ends.seed})`, () => {
    const next = mutator(
      ["a", "12345", "6379/0?db=1", "5432/app?sslmode=x", "host:1,b", "%2F#?@/:&=,[]", "x@y:1/z?a=b"],
      ends.seed,
    );
    for (let n = 0; n < ends.runs; n++) {
      // On either side of what must not be seen.
      const password = n % 2 === 0 ? `${next()}${PASSWORD}` : `${PASSWORD}${next()}`;
      for (const [scheme, rest, read] of [
        ["redis", "localhost:6379/0", redisLocation],
        ["redis+cluster", "a:1,b:2", redisLocation],
        ["redis+sentinel", "a:1,b:2/primary", redisLocation],
        ["postgres", "localhost/app", (url: string) => databaseLocation(url, DATABASE)],
      ] as const) {
        const url = `${scheme}://alice:${password}@${rest}`;
        try {
          verdictOf(() => read(url));
        } catch (error) {
          throw new Error(`${(error as Error).message} for ${JSON.stringify(url)}`, { cause: error });
        }
      }
    }
  });

  const schemes = planned({ seed: 203, runs: 20_000 });
  test(`of connect, where nothing is opened yet: ${schemes.runs} mutants (seed ${schemes.seed})`, async () => {
    const urls = [
      "memory:",
      "memory:?maxEntries=1000",
      "memcached://localhost:11211",
      "memcached:///run/memcached.sock",
      "mongodb://x",
      "",
    ];
    const next = mutator(urls, schemes.seed);
    for (let n = 0; n < schemes.runs; n++) {
      const url = next();
      // The others open a file or a connection at once, wherever the mutant says.
      if (/^(?:sqlite|file|postgres|mysql|mariadb|redis)/.test(url)) continue;
      try {
        await (await connect(url)).close();
      } catch (error) {
        assertConfigError(error);
      }
    }
  });
});

describe("changed settings of Django work, or are ERR_CONFIG, and tell no secret", () => {
  const BACKENDS = "django.contrib.sessions.backends";
  const sentinels = {
    SENTINELS: [["a", 26379]],
    SENTINEL_KWARGS: { password: PASSWORD },
    CLIENT_CLASS: "django_redis.client.SentinelClient",
  };
  const projects: readonly DjangoSettings[] = [
    { SECRET_KEY: secretKey },
    {
      SECRET_KEY: secretKey,
      SECRET_KEY_FALLBACKS: [`${secretKey} of before`],
      DATABASES: {
        default: {
          ENGINE: "django.db.backends.postgresql",
          NAME: "app",
          USER: "alice",
          PASSWORD,
          HOST: "db",
          PORT: "5432",
          OPTIONS: { sslmode: "require" },
        },
      },
      SESSION_COOKIE_AGE: 3600,
      SESSION_COOKIE_SAMESITE: "Strict",
      SESSION_COOKIE_SECURE: true,
      DJANGO_VERSION: "5.2.1",
    },
    {
      SECRET_KEY: secretKey,
      SESSION_ENGINE: `${BACKENDS}.cached_db`,
      SESSION_CACHE_ALIAS: "sessions",
      CACHES: {
        sessions: {
          BACKEND: "django_redis.cache.RedisCache",
          LOCATION: [`redis://alice:${PASSWORD}@cache:6379/1`],
          OPTIONS: { COMPRESSOR: "django_redis.compressors.zlib.ZlibCompressor", PICKLE_VERSION: -1 },
          KEY_PREFIX: "app",
          VERSION: 2,
        },
      },
      DATABASES: {
        default: {
          ENGINE: "django.db.backends.mysql",
          NAME: "app",
          USER: "alice",
          PASSWORD,
          OPTIONS: { unix_socket: "/run/mysqld.sock" },
        },
      },
      USE_TZ: false,
      TIME_ZONE: "UTC",
    },
    {
      SECRET_KEY: secretKey,
      SESSION_ENGINE: `${BACKENDS}.cache`,
      CACHES: {
        default: { BACKEND: "django_redis.cache.RedisCache", LOCATION: "redis://primary/0", OPTIONS: sentinels },
      },
    },
    {
      SECRET_KEY: secretKey,
      SESSION_ENGINE: `${BACKENDS}.cache`,
      CACHES: {
        default: {
          BACKEND: "django.core.cache.backends.memcached.PyMemcacheCache",
          LOCATION: "127.0.0.1:11211",
          TIMEOUT: 300,
        },
      },
    },
    {
      SECRET_KEY: secretKey,
      SESSION_ENGINE: `${BACKENDS}.cache`,
      CACHES: {
        default: {
          BACKEND: "django.core.cache.backends.redis.RedisCache",
          LOCATION: `rediss://alice:${PASSWORD}@cache:6380/2,redis://replica`,
          OPTIONS: { db: 3 },
        },
      },
    },
    {
      SECRET_KEY: secretKey,
      SESSION_ENGINE: `${BACKENDS}.file`,
      SESSION_FILE_PATH: "/var/sessions",
      SESSION_COOKIE_NAME: "sid",
    },
    {
      SECRET_KEY: secretKey,
      SESSION_ENGINE: `${BACKENDS}.signed_cookies`,
      SESSION_SERIALIZER: "django.contrib.sessions.serializers.PickleSerializer",
      DJANGO_VERSION: "4.2",
    },
    {
      SECRET_KEY: secretKey,
      SESSION_ENGINE: "redis_sessions.session",
      SESSION_REDIS: { host: "cache", port: 6379, db: 1, password: PASSWORD, prefix: "s" },
    },
    {
      SECRET_KEY: secretKey,
      SESSION_ENGINE: "redis_sessions.session",
      SESSION_REDIS_URL: `redis://:${PASSWORD}@cache:6379/0`,
      SESSION_REDIS_PREFIX: "s",
    },
    {
      SECRET_KEY: secretKey,
      SESSION_ENGINE: "redis_sessions.session",
      SESSION_REDIS_SENTINEL_LIST: [["a", 1]],
      SESSION_REDIS_SENTINEL_MASTER_ALIAS: "m",
      SESSION_REDIS_SENTINEL_PASSWORD: PASSWORD,
    },
  ];

  /** What stands where something else belongs: of every type, and with what JSON of other programs can hold. */
  const strange: readonly unknown[] = [
    ...[
      null,
      undefined,
      true,
      false,
      0,
      -1,
      1.5,
      2 ** 53,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      10n,
      "",
      " ",
      "\0",
      "\ud800",
    ],
    ...[
      "None",
      "%",
      "%zz",
      "/",
      "//",
      ":",
      "unix:/x",
      "redis://%zz@h",
      "redis://h:0",
      [],
      {},
      [null],
      [[]],
      [{}],
      [""],
      [["a", "b"]],
    ],
    ...[
      { default: null },
      { default: [] },
      { toString: null },
      Object.create(null),
      JSON.parse('{"__proto__":{"a":1}}'),
    ],
    ...[new Date(Number.NaN), "constructor", "__proto__", "toString", "x".repeat(100_000)],
  ];

  type Dict = Record<string, unknown>;

  /** A dict or list, and those in it. */
  function places(value: unknown): Dict[] {
    if (typeof value !== "object" || value === null) return [];
    return [value as Dict, ...Object.values(value).flatMap(places)];
  }

  /** A copy in which one or two things are changed, somewhere. */
  function changed(settings: DjangoSettings, random: () => number, text: () => string): Dict {
    const below = (n: number) => Math.floor(random() * n);
    const copy = structuredClone(settings) as Dict;
    for (let changes = 1 + below(2); changes > 0; changes--) {
      const all = places(copy).filter((place) => Object.keys(place).length > 0);
      const place = all[below(all.length)] ?? copy;
      const names = Object.keys(place);
      const name = names[below(names.length)] ?? "SECRET_KEY";
      const value = place[name];
      const kind = below(5);
      if (kind === 0) delete place[name];
      else if (kind === 1) place[mutator([name], below(2 ** 30))()] = value;
      else if (kind === 2 && typeof value === "string") place[name] = mutator([value], below(2 ** 30))();
      else if (kind === 3) place[name] = text();
      else place[name] = structuredClone(strange[below(strange.length)]);
    }
    return copy;
  }

  const { seed, runs } = planned({ seed: 210, runs: 40_000 });
  test(`${runs} mutants (seed ${seed})`, { timeout: 120_000 }, () => {
    const random = pseudoRandom(seed);
    const text = mutator(
      ["redis://cache:6379/1", "unix:///run/redis.sock?db=1", "django.db.backends.sqlite3", "5.2.1", "127.0.0.1:11211"],
      seed,
    );
    let working = 0;
    for (let n = 0; n < runs; n++) {
      const settings = changed(projects[n % projects.length]!, random, text) as DjangoSettings;
      try {
        const { engine } = resolveDjangoSettings(settings);
        working++;
        // What settings lead to is a URL, or it is refused by the same rule.
        const urls = [engine.store?.url ?? "", engine.name === "cached_db" ? engine.cache.url : ""];
        for (const url of urls) if (/^redis/.test(url)) redisLocation(url);
      } catch (error) {
        try {
          assertConfigError(error, [PASSWORD, secretKey]);
        } catch (wrong) {
          throw new Error(
            `${(wrong as Error).message}: mutant ${n} of seed ${seed}, ${inspect(settings, { depth: 9, maxStringLength: 300 })}`,
            { cause: error },
          );
        }
      }
    }
    assert.ok(working > runs / 20, `${working}`);
  });
});
