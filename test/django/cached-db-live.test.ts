import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type ConnectedStore, connect } from "../../src/connect.ts";
import type { LoadedSession, SessionData, SessionEngine } from "../../src/core/contracts.ts";
import { type DjangoSettings, resolveDjangoSettings } from "../../src/django/settings/resolve.ts";
import { connectDjango, djangoCacheEntries, djangoCodec } from "../../src/django.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { cachedStore } from "../../src/stores/cached/store.ts";
import { anyData, pseudoRandom, STORABLE } from "../../src/testing/codec-values.ts";
import { listing } from "../stores/caches.ts";
import { PATIENT } from "../support/django/patient.ts";
import { type DjangoPeer, startDjango } from "../support/django/peer.ts";
import type { DjangoVersion } from "../support/django/versions.ts";
import { startMemcached } from "../support/servers/memcached.ts";
import { startRedis } from "../support/servers/redis.ts";
import { temporaryDirectory } from "../support/servers/server.ts";

/* Real Django and Node at one cache over one database. Where Django is to read the cache, its row is not there. */

const SECRET_KEY = "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz";
const [redis, memcached] = await Promise.all([startRedis(), startMemcached()]);
const MEMCACHED = "django.core.cache.backends.memcached";
const REDIS = "django.core.cache.backends.redis.RedisCache";
const DJANGO_REDIS = "django_redis.cache.RedisCache";
const JSON_SERIALIZER = "django_redis.serializers.json.JSONSerializer";
const ZLIB = "django_redis.compressors.zlib.ZlibCompressor";

/** Each Redis cache has a database of its own. */
let databases = 0;
const onRedis = (BACKEND: string, OPTIONS = {}) => ({
  BACKEND,
  LOCATION: `redis://127.0.0.1:${redis.port}/${databases++}`,
  OPTIONS,
});
const onMemcached = (client: string) => ({
  BACKEND: `${MEMCACHED}.${client}`,
  LOCATION: `127.0.0.1:${memcached.port}`,
  KEY_PREFIX: client,
});

const PROJECTS: Record<string, [DjangoVersion, Readonly<Record<string, unknown>>]> = {
  "3.2 with django-redis": ["3.2", onRedis(DJANGO_REDIS)],
  "3.2 with django-redis and zlib": ["3.2", onRedis(DJANGO_REDIS, { COMPRESSOR: ZLIB })],
  "3.2 with django-redis and JSON": ["3.2", onRedis(DJANGO_REDIS, { SERIALIZER: JSON_SERIALIZER })],
  "3.2 with pymemcache": ["3.2", onMemcached("PyMemcacheCache")],
  "3.2 with pylibmc": ["3.2", onMemcached("PyLibMCCache")],
  "4.2 with its own Redis backend": ["4.2", onRedis(REDIS)],
  "5.2 with its own Redis backend": ["5.2", onRedis(REDIS)],
  "6.1 with its own Redis backend": ["6.1", onRedis(REDIS)],
  "6.1 with django-redis, of protocol 5": ["6.1", onRedis(DJANGO_REDIS, { PICKLE_VERSION: -1 })],
  "6.1 with django-redis, JSON and zlib": [
    "6.1",
    onRedis(DJANGO_REDIS, { SERIALIZER: JSON_SERIALIZER, COMPRESSOR: ZLIB }),
  ],
};

const saving = { now: new Date(), expiresAt: () => new Date(Date.now() + 3_600_000) };
const notNeeded = () => assert.fail("Nobody else has changed the session.");

interface Table {
  readonly django: DjangoPeer;
  /** As `fromDjangoSettings` makes it. */
  readonly engine: SessionEngine;
  /** The same, and what it asks of the cache and the database since the list was last taken. */
  readonly observed: SessionEngine;
  taken(): string[];
  readonly cache: ConnectedStore;
  readonly rows: ConnectedStore;
  isOurs(key: string): Promise<boolean>;
  close(): Promise<unknown>;
}

async function sitDown(version: DjangoVersion, cache: Readonly<Record<string, unknown>>): Promise<Table> {
  const settings: DjangoSettings = {
    SECRET_KEY,
    SESSION_ENGINE: "django.contrib.sessions.backends.cached_db",
    DATABASES: {
      default: { ENGINE: "django.db.backends.sqlite3", NAME: join(temporaryDirectory(), "db.sqlite3") },
    },
    CACHES: { default: cache },
    USE_TZ: true,
  };
  const django = await startDjango(settings, version);
  await django.migrate();
  const resolved = resolveDjangoSettings({ ...settings, DJANGO_VERSION: django.version } as DjangoSettings);
  assert.ok(resolved.engine.name === "cached_db");
  const { url, prefix, format } = resolved.engine.cache;
  const [direct, rows] = await Promise.all([connect(url, { prefix, flags: 1 }), connect(resolved.engine.store.url)]);
  const codec = djangoCodec({ secretKey: SECRET_KEY });
  const entries = djangoCacheEntries({ codec, format });
  const asked: string[] = [];
  const store = cachedStore(listing(direct, "cache", asked), listing(rows, "database", asked), { entries });
  const { engine, store: connected } = await connectDjango(resolved, PATIENT);
  return {
    django,
    engine,
    observed: storeEngine(store, codec),
    taken: () => asked.splice(0),
    cache: direct,
    rows,
    close: () => Promise.all([direct, rows, connected!].map((part) => part.close())),
    async isOurs(key) {
      const entry = await direct.load(key);
      return entry !== null && typeof entries.read(key, entry.payload) === "object";
    },
  };
}

for (const [name, [version, cache]] of Object.entries(PROJECTS)) {
  describe(`Django ${name}`, () => {
    let table: Table;
    before(async () => {
      table = await sitDown(version, cache);
    });
    after(() => table.close());

    const load = async (key: string) => (await table.engine.load(key)) as LoadedSession;
    async function change(key: string, changes: SessionData): Promise<void> {
      const loaded = await load(key);
      await table.engine.update(loaded, { ...loaded.data, ...changes }, saving, notNeeded);
    }
    async function described(key: string): Promise<unknown> {
      return (await table.django.session(key, ["describe"])).results[0]!.value;
    }
    const meaning = async (data: unknown) => (await table.django.describe([data]))[0];
    async function djangoCreates(data: SessionData): Promise<string> {
      return (await table.django.session(null, ["update", data], ["save"])).key!;
    }

    test("what Django keeps, Node reads, and puts where both find it", async () => {
      const data = { uid: 7, price: "1.50", tags: ["a", "b"] };
      const key = await djangoCreates(data);
      assert.equal(await table.isOurs(key), false);
      assert.deepEqual({ ...(await load(key)).data }, data);
      assert.equal(await table.isOurs(key), true);
      await table.rows.delete(key);
      assert.equal(await described(key), await meaning(data));
      assert.deepEqual({ ...(await load(key)).data }, data);
    });

    test("what Node keeps, Django reads from the cache, whatever JSON can carry", async () => {
      const random = pseudoRandom(20);
      const all = [...Object.values(STORABLE), ...Array.from({ length: 700 }, () => anyData(random))];
      const sessions: { key: string; data: SessionData }[] = [];
      for (const data of all) {
        const { token: key } = await table.engine.create(data, saving);
        // JSON has no room in an empty dict.
        if (!(await table.isOurs(key))) assert.ok(Object.keys(data).length === 0 && /JSON/.test(name));
        else if (await table.rows.delete(key)) sessions.push({ key, data });
      }
      assert.ok(sessions.length >= 500);
      const answers = await table.django.batch(sessions.map(({ key }) => ({ key, steps: [["describe"]] })));
      const meanings = await table.django.describe(sessions.map(({ data }) => data));
      for (const [at, { results }] of answers.entries()) assert.equal(results[0]!.value, meanings[at]);
    });

    test("what one changes, the other sees at once, whoever was last", async () => {
      const key = await djangoCreates({ n: 0 });
      for (const n of [1, 2, 3, 4, 5]) {
        assert.deepEqual({ ...(await load(key)).data }, { n: n - 1 });
        await change(key, { n });
        assert.equal(await described(key), `{'n': ${n}}`);
        await table.django.session(key, ["set", "django", n], ["save"]);
        assert.deepEqual({ ...(await load(key)).data }, { n, django: n });
        await table.django.session(key, ["delete", "django"], ["save"]);
      }
    });

    test("what Node changes, Django reads from the cache", async () => {
      const { token: key } = await table.engine.create({ n: 0 }, saving);
      await change(key, { n: 1, float: 1.5 });
      await table.rows.delete(key);
      assert.equal(await described(key), "{'n': 1, 'float': 1.5}");
    });

    test("a float that Django wrote is one after Node changed something else", async () => {
      const key = await djangoCreates({ a: 0 });
      await table.django.session(key, ["set", "ratio", 1.5], ["set", "a", 1], ["save"]);
      await change(key, { a: 2 });
      await table.rows.delete(key);
      assert.equal(await described(key), "{'a': 2, 'ratio': 1.5}");
    });

    test("who logs out at one side is out at the other", async () => {
      for (const first of ["Django", "Node"]) {
        for (const ends of ["Django", "Node"]) {
          const key =
            first === "Django" ? await djangoCreates({ n: 1 }) : (await table.engine.create({ n: 1 }, saving)).token;
          assert.equal(await described(key), "{'n': 1}");
          assert.deepEqual({ ...(await load(key)).data }, { n: 1 });
          if (ends === "Django") await table.django.session(key, ["flush"]);
          else await table.engine.delete(key);
          assert.equal(await table.engine.load(key), "missing");
          assert.equal(await described(key), "{}");
          assert.equal(await table.cache.load(key), null);
        }
      }
    });

    test("what an entry of Django's holds that is no longer true misleads Django until Node has looked", async () => {
      const key = await djangoCreates({ n: 1 });
      const stale = (await table.cache.load(key))!.payload;
      await table.engine.delete(key);
      // A request of Django's that had read the row before fills the cache only now.
      await table.cache.create(key, { payload: stale, expiresAt: saving.expiresAt() });
      assert.equal(await described(key), "{'n': 1}");
      assert.equal(await table.engine.load(key), "missing");
      assert.equal(await described(key), "{}");
    });

    test("a lease is a miss to Django, and no more than a key that is taken", async () => {
      const key = await djangoCreates({ n: 1 });
      const entries = djangoCacheEntries({
        codec: djangoCodec({ secretKey: SECRET_KEY }),
        format: { serializer: /JSON/.test(name) ? "json" : "pickle" },
      });
      await table.cache.delete(key);
      await table.cache.create(key, { payload: entries.newLease(), expiresAt: saving.expiresAt() });
      const { results } = await table.django.session(key, ["exists"], ["describe"]);
      assert.deepEqual(results, [{ value: true }, { value: "{'n': 1}" }]);
      assert.deepEqual({ ...(await load(key)).data }, { n: 1 });
    });

    test("what it costs Node", async () => {
      const { observed, taken, django } = table;
      const key = await djangoCreates({ n: 1 });
      const first = (await observed.load(key)) as LoadedSession;
      assert.deepEqual(taken(), ["cache load", "cache update", "database load", "cache update"], "Django's entry");
      await observed.load(key);
      assert.deepEqual(taken(), ["cache load"], "ours");
      const stored = await observed.update(first, { n: 2 }, saving, notNeeded);
      assert.deepEqual(taken(), ["database update", "cache update"], "a write");
      await described(key);
      await observed.load(key);
      assert.deepEqual(taken(), ["cache load"], "after Django has read");
      await django.session(key, ["set", "m", 1], ["save"]);
      await observed.update(stored, { n: 3 }, saving, (mine, _base, theirs) => void Object.assign(mine, theirs));
      assert.equal(taken().filter((operation) => operation.startsWith("database")).length, 3, "a write too late");
      await observed.delete(key);
      assert.deepEqual(taken(), ["database delete", "cache delete"], "a logout");
    });
  });
}
