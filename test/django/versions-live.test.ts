import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import fc from "fast-check";
import type { Expiry } from "../../src/core/expiry.ts";
import type { Session } from "../../src/core/session.ts";
import { createSessions, type Sessions } from "../../src/core/sessions.ts";
import { connectDjango, type DjangoSettings, resolveDjangoSettings } from "../../src/django.ts";
import { type DjangoPeer, startDjango } from "../support/django/peer.ts";
import type { DjangoVersion } from "../support/django/versions.ts";
import { startMemcached } from "../support/servers/memcached.ts";
import { startRedis } from "../support/servers/redis.ts";
import { temporaryDirectory } from "../support/servers/server.ts";

/* Where Django's versions differ, and PickleSerializer, which the newest no longer have: with real Django. */

const BACKENDS = "django.contrib.sessions.backends";
const PICKLE = "django.contrib.sessions.serializers.PickleSerializer";
const SECRET_KEY = "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz";
const RUNS = 150;

const [redis, memcached] = await Promise.all([startRedis(), startMemcached()]);

const ENGINES: Readonly<Record<string, () => DjangoSettings>> = {
  db: () => ({
    DATABASES: { default: { ENGINE: "django.db.backends.sqlite3", NAME: join(temporaryDirectory(), "db.sqlite3") } },
  }),
  file() {
    const SESSION_FILE_PATH = join(temporaryDirectory(), "sessions");
    mkdirSync(SESSION_FILE_PATH, { mode: 0o700 });
    return { SESSION_ENGINE: `${BACKENDS}.file`, SESSION_FILE_PATH };
  },
  signed_cookies: () => ({ SESSION_ENGINE: `${BACKENDS}.signed_cookies` }),
  redis_sessions: () => ({
    SESSION_ENGINE: "redis_sessions.session",
    SESSION_REDIS: { unix_domain_socket_path: redis.socket, prefix: "session" },
  }),
  "cache on memcached": () => ({
    SESSION_ENGINE: `${BACKENDS}.cache`,
    CACHES: {
      default: {
        BACKEND: "django.core.cache.backends.memcached.PyMemcacheCache",
        LOCATION: `127.0.0.1:${memcached.port}`,
      },
    },
  }),
};

interface Pair {
  readonly django: DjangoPeer;
  readonly node: Sessions<Record<string, unknown>>;
}

/** Both sides of a project. */
async function pair(engine: string, version: DjangoVersion, more: DjangoSettings = {}): Promise<Pair> {
  const settings = { SECRET_KEY, USE_TZ: true, ...ENGINES[engine]!(), ...more };
  const django = await startDjango(settings, version);
  if (engine === "db") await django.migrate();
  return { django, node: await sessionsOf({ ...settings, DJANGO_VERSION: django.version }) };
}

/** As `fromDjangoSettings`, and closed in the end. */
async function sessionsOf(settings: DjangoSettings): Promise<Sessions<Record<string, unknown>>> {
  const resolved = resolveDjangoSettings(settings);
  const { engine, store } = await connectDjango(resolved);
  open.push(async () => store?.close());
  return createSessions(engine, resolved.settings);
}

const open: (() => Promise<void>)[] = [];
after(() => Promise.all(open.map((close) => close())));

const load = ({ node }: Pair, key: string | null): Promise<Session<Record<string, unknown>>> =>
  node.open(`sessionid=${key}`).session();

async function save({ node }: Pair, change: (session: Session<Record<string, unknown>>) => void): Promise<string> {
  const session = await node.open(undefined).session();
  change(session);
  await session.save();
  return session.key!;
}

/** Values that JSON has no word for among them; none that would come back in another shape or order. */
const { value: anyValue } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.string({ unit: "grapheme" }),
    fc.integer(),
    fc.bigInt().filter((n) => !Number.isSafeInteger(Number(n))),
    fc.double({ noDefaultInfinity: true, noNaN: true }).filter((n) => !Number.isInteger(n)),
    fc.boolean(),
    fc.constant(null),
    fc.constantFrom(
      { $decimal: "-1.50" },
      { $datetime: "2026-11-20T12:00:00.000001" },
      { $datetime: "2026-11-20T12:00:00+05:30" },
      { $datetime: "2026-10-25T02:30:00[Europe/Berlin]" },
      { $date: "0001-01-01" },
      { $time: "23:59:59.999999" },
      { $timedelta: "-P1DT02H03M04.000005S" },
      { $uuid: "12345678-1234-5678-9234-567812345678" },
      { $set: [1] },
      { $frozenset: ["é"] },
      { $bytes: "AP8=" },
      { $bytearray: "" },
      { $complex: [1.5, -2.5] },
      { $dict: [[1, { $set: [] }]] },
    ),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.stringMatching(/^[a-zé_]{1,9}$/), tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
}));
const anyData = fc.dictionary(fc.stringMatching(/^[a-zé]{1,9}$/), anyValue, { maxKeys: 5, noNullPrototype: true });

for (const [engine, version] of [
  ["db", "3.2"],
  ["db", "4.2"],
  ["file", "3.2"],
  ["signed_cookies", "3.2"],
  ["redis_sessions", "3.2"],
] as const) {
  describe(`PickleSerializer of Django ${version}, ${engine}`, async () => {
    const sides = await pair(engine, version, { SESSION_SERIALIZER: PICKLE });
    const { django } = sides;
    const samples = fc.sample(anyData, { numRuns: RUNS, seed: 5 }) as Record<string, unknown>[];

    test(`${RUNS} sessions that Django writes are read as what they are`, async () => {
      const steps = (data: unknown) => [["update", data], ["save"]] as const;
      const answers = await django.batch(samples.map((data) => ({ key: null, steps: steps(data) })));
      for (const [index, { key, results }] of answers.entries()) {
        assert.deepEqual(results, [{ value: null }, { value: null }]);
        assert.deepEqual({ ...(await load(sides, key)).data }, samples[index]);
      }
    });

    test(`${RUNS} sessions that we write are read by Django as what they are`, async () => {
      const keys: string[] = [];
      for (const data of samples) keys.push(await save(sides, (session) => session.update(data)));
      const answers = await django.batch(keys.map((key) => ({ key, steps: [["describe"]] })));
      const expected = await django.describe(samples);
      for (const [index, { results }] of answers.entries()) assert.equal(results[0]!.value, expected[index]);
    });

    test("what Django wrote and we did not touch comes back", async () => {
      const { key } = await django.session(
        null,
        ["update", samples.find((data) => Object.keys(data).length > 2)],
        ["save"],
      );
      const before = await django.session(key, ["describe"]);
      const session = await load(sides, key);
      session.set("n", 1);
      await session.save();
      const after = await django.session(session.key, ["delete", "n"], ["describe"]);
      assert.equal(after.results[1]!.value, before.results[0]!.value);
    });
  });
}

describe("the format before Django 3.1, which Django 3.2 writes with DEFAULT_HASHING_ALGORITHM = sha1", () => {
  for (const [engine, serializer] of [
    ["db", "JSON"],
    ["db", "pickle"],
    ["file", "JSON"],
    ["file", "pickle"],
    ["signed_cookies", "JSON"],
  ] as const) {
    test(`${engine}, ${serializer}: is read, and written as today's, which Django 3.2 reads`, async () => {
      const settings = { ...ENGINES[engine]!(), ...(serializer === "pickle" ? { SESSION_SERIALIZER: PICKLE } : {}) };
      const sides = await pair(engine, "3.2", settings);
      const old = await startDjango({ SECRET_KEY, ...settings, DEFAULT_HASHING_ALGORITHM: "sha1" }, "3.2");
      const { key } = await old.session(null, ["update", { a: 1, text: "é" }], ["save"]);
      const session = await load(sides, key);
      assert.deepEqual({ ...session.data }, { a: 1, text: "é" });
      session.set("b", [2]);
      await session.save();
      const { results } = await sides.django.session(session.key, ["describe"]);
      assert.equal(results[0]!.value, "{'a': 1, 'text': 'é', 'b': [2]}");
      // That Django reads SHA-1 only: why the setting is refused.
      assert.deepEqual((await old.session(session.key, ["keys"])).results, [{ value: [] }]);
    });
  }

  test("is not read beside Django 4.2, which does not read it either", async () => {
    const settings = { SECRET_KEY, USE_TZ: true, ...ENGINES.db!() };
    const django = await startDjango({ ...settings, DEFAULT_HASHING_ALGORITHM: "sha1" }, "3.2");
    await django.migrate();
    const { key } = await django.session(null, ["update", { a: 1 }], ["save"]);
    const newer = await startDjango(settings, "4.2");
    assert.deepEqual((await newer.session(key, ["keys"])).results, [{ value: [] }]);
    for (const version of [{}, { DJANGO_VERSION: newer.version }]) {
      const node = await sessionsOf({ ...settings, ...version });
      assert.equal((await node.open(`sessionid=${key}`).session()).key, null);
    }
  });
});

describe("an instant of set_expiry", () => {
  const INSTANT = "2036-01-02T03:04:05.678000+00:00";

  for (const [engine, version, serializer] of [
    ["db", "3.2", PICKLE],
    ["db", "4.2", PICKLE],
    ["file", "3.2", PICKLE],
    ["cache on memcached", "3.2", undefined],
    ["db", "4.2", undefined],
    ["db", "5.2", undefined],
    ["db", "6.1", undefined],
    ["cache on memcached", "6.1", undefined],
  ] as const) {
    test(`${engine}${serializer ? " with PickleSerializer" : ""}: Django ${version} reads ours, and we its own`, async () => {
      const more = serializer ? { SESSION_SERIALIZER: serializer } : {};
      const sides = await pair(engine, version, more);

      for (const expiry of [{ $datetime: INSTANT }, { $datetime: "2036-01-02T03:04:05.678000[Etc/UTC]" }]) {
        const { key, results } = await sides.django.session(null, ["setExpiry", expiry], ["save"]);
        assert.deepEqual(results, [{ value: null }, { value: null }]);
        assert.equal((await load(sides, key)).expiryDate().toISOString(), "2036-01-02T03:04:05.678Z");
      }
      // From now: Django before 4.0 keeps it in pytz's UTC.
      const { key } = await sides.django.session(null, ["setExpiry", { $timedelta: "P1DT00H00M00S" }], ["save"]);
      assertNear((await load(sides, key)).expiryAge(), 86_400);

      const ages = async (expiry: Expiry) => {
        const ours = await save(sides, (session) => session.set("a", 1).setExpiry(expiry));
        const { results } = await sides.django.session(ours, ["expiryAge"], ["expiresAtBrowserClose"], ["save"]);
        assert.equal(results[2]!.error, undefined);
        assert.equal(results[1]!.value, expiry === 0);
        return results[0]!.value as number;
      };
      assertNear(await ages(new Date(INSTANT)), (Date.parse(INSTANT) - Date.now()) / 1000);
      assertNear(await ages({ days: 2 }), 172_800);
      assertNear(await ages(Number.POSITIVE_INFINITY), (Date.parse("9999-01-01T00:00:00Z") - Date.now()) / 1000);
      assert.deepEqual([await ages(60), await ages(0)], [60, 1_209_600]);
    });
  }

  for (const engine of ["db", "file", "signed_cookies", "redis_sessions"]) {
    test(`${engine} with JSON: Django 3.2 could not read it, so it is refused before anything is written`, async () => {
      const sides = await pair(engine, "3.2");
      for (const expiry of [new Date(INSTANT), { days: 2 }, Number.POSITIVE_INFINITY]) {
        const session = await sides.node.open(undefined).session();
        assert.throws(() => session.setExpiry(expiry), { code: "ERR_SESSION_VALUE", message: /^Django before 4\.1/ });
        assert.deepEqual([session.modified, session.size], [false, 0]);
      }
      const key = await save(sides, (session) => session.set("a", 1).setExpiry(60));
      assert.deepEqual((await sides.django.session(key, ["expiryAge"])).results, [{ value: 60 }]);
    });
  }

  test("is what Django 3.2 would have failed on", async () => {
    const { django } = await pair("db", "3.2");
    const { results } = await django.session(null, ["set", "_session_expiry", INSTANT], ["expiryAge"]);
    assert.notEqual(typeof results[1]!.value, "number");
  });
});

/** Seconds that pass while a test runs do not matter. */
function assertNear(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 120, `${actual}, not ${expected}`);
}
