import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, test } from "node:test";
import { deflateSync, gunzipSync, inflateSync } from "node:zlib";
import { connect } from "../../src/connect.ts";
import type { LoadedSession, Payload, SessionCodec, SessionData } from "../../src/core/contracts.ts";
import { MAX_BYTES } from "../../src/core/values.ts";
import { type DjangoCacheCodecOptions, djangoCacheCodec } from "../../src/django/cache-codec.ts";
import { djangoCacheEntries } from "../../src/django/cache-entries.ts";
import { djangoCodec } from "../../src/django/codec.ts";
import { pickleSerializer } from "../../src/django/pickle-serializer.ts";
import { resolveDjangoSettings } from "../../src/django/settings/resolve.ts";
import { connectDjango } from "../../src/django.ts";
import { cachedStore } from "../../src/stores/cached/store.ts";
import { memcachedClient } from "../../src/stores/memcached/client.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { STORABLE } from "../../src/testing/codec-values.ts";
import { storeSuite } from "../../src/testing/index.ts";
import { listing } from "../stores/caches.ts";
import { startMemcached } from "../support/servers/memcached.ts";
import { temporaryDirectory } from "../support/servers/server.ts";

const KEY = "k3y0fas3ss10nk3y0fas3ss10nk3y0fa";
const OTHER_KEY = "0therk3y0therk3y0therk3y0therk3y";
const SECRET_KEY = "a secret key for tests, 32 characters at least";
const expiresAt = new Date(8e15);
const now = new Date(1_700_000_000_000);
const codec = djangoCodec({ secretKey: SECRET_KEY });
const encode = (data: SessionData) => String(codec.encode(data, now));
const latin1 = (entry: Payload) => Buffer.from(entry).toString("latin1");

const FORMATS: Record<string, DjangoCacheCodecOptions> = {
  pickle: { serializer: "pickle" },
  "pickle of protocol 4": { serializer: "pickle", protocol: 4 },
  "pickle and zlib": { serializer: "pickle", protocol: 4, compressor: "zlib" },
  "pickle and gzip": { serializer: "pickle", protocol: 4, compressor: "gzip" },
  JSON: { serializer: "json" },
  "JSON and zlib": { serializer: "json", compressor: "zlib" },
};

for (const [name, format] of Object.entries(FORMATS)) {
  const entries = djangoCacheEntries({ codec, format });
  const values = djangoCacheCodec(format);
  const isJson = format.serializer === "json";

  describe(`an entry of a cache with ${name}`, () => {
    test("gives the database's payload back, byte for byte", () => {
      for (const data of Object.values(STORABLE)) {
        const payload = encode(data);
        const entry = entries.write(KEY, payload);
        if (isJson && Object.keys(data).length === 0) assert.equal(entry, null);
        else assert.deepEqual(entries.read(KEY, entry!), { payload });
      }
    });

    test("is the same for the same payload", () => {
      const payload = encode({ a: [1.5, "é"] });
      assert.deepEqual(entries.write(KEY, payload), entries.write(KEY, payload));
    });

    test("is not made for what does not verify, for bytes, and for what is too large", () => {
      const payload = encode({ a: 1 });
      const foreign = djangoCodec({ secretKey: `${SECRET_KEY}, but another` }).encode({ a: 1 }, now);
      const large = codec.encode({ a: randomBytes(MAX_BYTES / 2 - 100).toString("hex") }, now);
      for (const wrong of [foreign, large, `${payload}x`, "", Buffer.from(payload)]) {
        assert.equal(entries.write(KEY, wrong), null);
      }
    });

    test("of another session, or of which anything changed, is not believed", () => {
      const payload = encode({ "a: ": "=", b: 1 });
      const entry = Buffer.from(entries.write(KEY, payload)!);
      assert.equal(entries.read(OTHER_KEY, entry), "unreadable");
      for (let at = 0; at < entry.length; at++) {
        for (const bit of [1, 8, 64, 128]) {
          const damaged = Buffer.from(entry);
          damaged[at]! ^= bit;
          const read = entries.read(KEY, damaged);
          // A compressor has bits that say nothing.
          if (typeof read === "object") assert.deepEqual([format.compressor && read], [{ payload }], `byte ${at}`);
        }
        assert.equal(typeof entries.read(KEY, entry.subarray(0, at)), "string", `cut off at ${at}`);
      }
    });

    test("that Django wrote is foreign: whole, and not believed", () => {
      for (const data of [...Object.values(STORABLE), { a: "=" }, { "a: ": '": "=' }, { 'a": "=': 1 }]) {
        assert.equal(entries.read(KEY, values.encode(data, now)), "foreign");
      }
    });

    test("that nobody wrote is unreadable", () => {
      for (const entry of ["", "=", ".", "}", "null", "nonsense", randomBytes(50), encode({ a: 1 })]) {
        assert.equal(entries.read(KEY, entry), "unreadable");
      }
    });

    test("in the making is a lease: None to Python, and another one each time", () => {
      const leases = Array.from({ length: 100 }, () => entries.newLease());
      assert.equal(new Set(leases.map(latin1)).size, 100);
      for (const lease of leases) {
        assert.equal(entries.read(KEY, lease), "leased");
        assert.match(latin1(lease), isJson ? /^null[ \t]{128}$/ : /^.{2}N\.\?[\da-f-]{36}$/s);
      }
    });
  });

  describe(`a store with ${name} in its cache`, () => {
    // So that the suite's payloads are ones that can be cached.
    const any = { ...codec, decode: (payload: Payload) => ({ data: { payload: latin1(payload) } }) };
    const cached = djangoCacheEntries({ codec: any, format });
    storeSuite(
      test,
      ({ now: clock }) =>
        cachedStore(memoryStore({ now: clock }), memoryStore({ now: clock }), { now: clock, entries: cached }),
      { binary: true },
    );
  });
}

describe("what Python finds in an entry", () => {
  test("is a pickle as Django would have written it, and behind its end our payload, its length and a checksum", () => {
    const payload = encode({ a: "b" });
    const entry = latin1(djangoCacheEntries({ codec, format: { serializer: "pickle" } }).write(KEY, payload)!);
    const pickle = latin1(djangoCacheCodec({ serializer: "pickle" }).encode({ a: "b" }, now));
    assert.equal(entry.slice(0, -13), `${pickle}${payload}${payload.length.toString(16).padStart(8, "0")}`);
    assert.match(entry.slice(-13), /^[\w+/]{12}=$/);
  });

  test("is JSON whose first name comes twice: Python takes the last", () => {
    const entries = djangoCacheEntries({ codec, format: { serializer: "json" } });
    const payload = encode({ 'a"\\: "=': 1.5, b: [2] });
    const text = String(entries.write(KEY, payload));
    assert.match(text, /^\{"a\\"\\\\: \\"=": "=[\w+/]{12}[^"]+", "a\\"\\\\: \\"=": 1\.5, "b": \[2\]\}$/);
    assert.ok(text.includes(payload));
  });

  test("is not there in JSON where the payload has signs that JSON would write otherwise", () => {
    const any = { ...codec, decode: () => ({ data: { a: 1 } }) };
    const entries = djangoCacheEntries({ codec: any, format: { serializer: "json" } });
    for (const payload of ['a"', "a\\", "a\n", "é"]) assert.equal(entries.write(KEY, payload), null);
    assert.deepEqual(entries.read(KEY, entries.write(KEY, "a")!), { payload: "a" });
  });

  test("is compressed with what follows, as Python's gzip takes nothing behind its end", () => {
    const payload = encode({ a: "b" });
    for (const [compressor, unfold] of [
      ["zlib", inflateSync],
      ["gzip", gunzipSync],
    ] as const) {
      const entry = djangoCacheEntries({ codec, format: { serializer: "pickle", compressor } }).write(KEY, payload)!;
      assert.ok(latin1(unfold(Buffer.from(entry))).includes(payload));
    }
  });

  test("is not there where a name of the database's JSON would be a Python type in a pickle", () => {
    for (const data of [{ $set: [1] }, { a: [{ b: { $decimal: "1.5" } }] }, { a: { $dict: [], c: 1 } }]) {
      const payload = encode(data);
      assert.equal(djangoCacheEntries({ codec, format: { serializer: "pickle" } }).write(KEY, payload), null);
      const asJson = djangoCacheEntries({ codec, format: { serializer: "json" } });
      assert.deepEqual(asJson.read(KEY, asJson.write(KEY, payload)!), { payload });
    }
  });

  test("are Python's types where the database pickles as well, and nothing where the cache cannot say them", () => {
    const pickling = djangoCodec({ secretKey: SECRET_KEY, serializer: pickleSerializer() });
    const payload = pickling.encode({ a: { $set: [1] } }, now);
    const over = (format: DjangoCacheCodecOptions) =>
      djangoCacheEntries({ codec: pickling, serializer: "pickle", format });
    const entry = latin1(over({ serializer: "pickle" }).write(KEY, payload)!);
    const pickle = latin1(djangoCacheCodec({ serializer: "pickle" }).encode({ a: { $set: [1] } }, now));
    assert.ok(entry.startsWith(pickle));
    assert.equal(over({ serializer: "json" }).write(KEY, payload), null);
  });
});

describe("who writes what was read just now", () => {
  test("does not make again the entry that it replaces; a hundred sessions are remembered", () => {
    let decoded = 0;
    const counting: SessionCodec = {
      ...codec,
      decode(payload) {
        decoded++;
        return codec.decode(payload);
      },
    };
    const entries = djangoCacheEntries({ codec: counting, format: { serializer: "pickle" } });
    const payload = encode({ a: 1 });
    const entry = djangoCacheEntries({ codec, format: { serializer: "pickle" } }).write("key 0", payload)!;
    entries.read("key 0", entry);
    assert.deepEqual(entries.write("key 0", payload), entry);
    assert.equal(decoded, 0);
    for (let n = 1; n <= 100; n++) entries.write(`key ${n}`, payload);
    assert.equal(decoded, 100);
    entries.write("key 1", payload);
    assert.equal(decoded, 100);
    assert.deepEqual(entries.write("key 0", payload), entry);
    assert.equal(decoded, 101);
    const long = encode({ a: randomBytes(40_000).toString("hex") });
    assert.deepEqual(entries.write("key 1", long), entries.write("key 1", long));
    assert.equal(decoded, 103, "what is long is not");
  });
});

describe("a cache that Django shares", () => {
  const entries = djangoCacheEntries({ codec, format: { serializer: "pickle" } });
  const values = djangoCacheCodec({ serializer: "pickle" });

  function world() {
    const asked: string[] = [];
    const [cache, database] = [memoryStore(), memoryStore()];
    const store = cachedStore(listing(cache, "cache", asked), listing(database, "database", asked), { entries });
    return { cache, database, store, taken: () => asked.splice(0) };
  }

  test("a payload that cannot be cached leaves nothing there, neither lease nor entry", async () => {
    const { cache, database, store, taken } = world();
    await store.create(KEY, { payload: "unsigned", expiresAt });
    assert.equal(await cache.load(KEY), null);
    assert.equal((await store.load(KEY))?.payload, "unsigned");
    assert.equal(await cache.load(KEY), null);
    const payload = encode({ a: 1 });
    await database.update(KEY, { payload, expiresAt });
    await store.load(KEY);
    taken();
    await store.update(KEY, { payload: "unsigned again", expiresAt }, payload);
    assert.deepEqual(taken(), ["database update", "cache delete"]);
    assert.equal(await cache.load(KEY), null);
  });

  test("an entry of Django's is never believed, nor reported", async (t) => {
    const failures: unknown[] = [];
    const collect = (event: unknown) => void failures.push(event);
    subscribe("sojourn:cache-failed", collect);
    t.after(() => unsubscribe("sojourn:cache-failed", collect));
    const { cache, database, store, taken } = world();
    await cache.create(KEY, { payload: values.encode({ a: "stale" }, now), expiresAt });
    assert.equal(await store.load(KEY), null);
    assert.deepEqual(taken(), ["cache load", "cache update", "database load", "cache delete"]);
    const payload = encode({ a: 1 });
    await database.create(KEY, { payload, expiresAt });
    await cache.create(KEY, { payload: values.encode({ a: "stale" }, now), expiresAt });
    assert.equal((await store.load(KEY))?.payload, payload);
    assert.deepEqual(entries.read(KEY, (await cache.load(KEY))!.payload), { payload });
    assert.deepEqual(failures, []);
  });

  test("an entry of Django's that came after what a writer expects is removed by the write", async () => {
    const { cache, store, taken } = world();
    const payload = encode({ a: 1 });
    await store.create(KEY, { payload, expiresAt });
    await cache.update(KEY, { payload: values.encode({ a: 0 }, now), expiresAt });
    taken();
    assert.equal(await store.update(KEY, { payload: encode({ a: 2 }), expiresAt }, payload), true);
    assert.deepEqual(taken(), ["database update", "cache update", "cache delete"]);
    assert.equal(await cache.load(KEY), null);
  });
});

describe("cached_db from settings", () => {
  const settings = {
    SECRET_KEY,
    SESSION_ENGINE: "django.contrib.sessions.backends.cached_db",
    DATABASES: { default: { ENGINE: "django.db.backends.sqlite3", NAME: `${temporaryDirectory()}/db.sqlite3` } },
  };
  const saving = { now: new Date(), expiresAt: () => new Date(Date.now() + 3_600_000) };

  test("tells memcached's clients in Python that entries and leases are pickles, and reads what pylibmc compressed", async (t) => {
    const server = await startMemcached();
    const LOCATION = `127.0.0.1:${server.port}`;
    const BACKEND = "django.core.cache.backends.memcached.PyLibMCCache";
    const { engine, store } = await connectDjango(
      resolveDjangoSettings({ ...settings, CACHES: { default: { BACKEND, LOCATION } } }),
    );
    const raw = memcachedClient({ port: server.port });
    t.after(() => Promise.all([store!.close(), raw.close()]));
    await store!.migrate();
    const { token } = await engine.create({ a: 1 }, saving);
    const name = `:1:django.contrib.sessions.cached_db${token}`;
    assert.equal((await raw.get(name))!.flags, 1);
    const pickle = djangoCacheCodec({ serializer: "pickle" }).encode({ a: 1 }, now);
    await raw.set(name, deflateSync(pickle), { mode: "replace", flags: 1 | 8, exptime: 60 });
    assert.deepEqual({ ...((await engine.load(token)) as LoadedSession).data }, { a: 1 });
    const { value, flags } = (await raw.get(name))!;
    assert.equal(flags, 1);
    assert.ok(latin1(value).startsWith(latin1(pickle)) && latin1(value).endsWith("="), "replaced by ours");
  });

  test("knows by SESSION_SERIALIZER whether the database has Python's types too", async (t) => {
    const server = await startMemcached();
    const BACKEND = "django.core.cache.backends.memcached.PyMemcacheCache";
    const CACHES = { default: { BACKEND, LOCATION: `127.0.0.1:${server.port}` } };
    const raw = memcachedClient({ port: server.port });
    t.after(() => raw.close());
    for (const [name, isCached] of [
      ["JSONSerializer", false],
      ["PickleSerializer", true],
    ] as const) {
      const SESSION_SERIALIZER = `django.contrib.sessions.serializers.${name}`;
      const { engine, store } = await connectDjango(
        resolveDjangoSettings({ ...settings, CACHES, SESSION_SERIALIZER, DJANGO_VERSION: "4.2", USE_TZ: true }),
      );
      t.after(() => store!.close());
      await store!.migrate();
      const { token } = await engine.create({ a: { $set: [1] } }, saving);
      assert.equal((await raw.get(`:1:django.contrib.sessions.cached_db${token}`)) !== null, isCached, name);
    }
  });

  test("keeps nothing in memory of its own, of which Django would not know", async (t) => {
    const { engine, store } = await connectDjango(resolveDjangoSettings(settings));
    t.after(() => store!.close());
    await store!.migrate();
    const { token } = await engine.create({ a: 1 }, saving);
    const other = await connect(`sqlite:${settings.DATABASES.default.NAME}`);
    t.after(() => other.close());
    await other.delete(token);
    assert.equal(await engine.load(token), "missing");
  });
});
