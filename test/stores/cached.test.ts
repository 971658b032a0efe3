import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { connect } from "../../src/connect.ts";
import type { LoadedSession, Payload, SessionEngine, SessionStore } from "../../src/core/contracts.ts";
import { djangoCodec } from "../../src/django/codec.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { type CachedStoreOptions, cachedStore } from "../../src/stores/cached/store.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { pseudoRandom } from "../../src/testing/codec-values.ts";
import { storeSuite } from "../../src/testing/index.ts";
import { bytesOnly, emptyCache, listing, through } from "./caches.ts";

const KEY = "k3y0fas3ss10nk3y0fas3ss10nk3y0fa";
const OTHER_KEY = "0therk3y0therk3y0therk3y0therk3y";
const START = Date.UTC(2026, 10, 20);
const HOUR = 3_600_000;
const inAnHour = new Date(START + HOUR);

describe("a memory cache over memory", () => {
  storeSuite(test, ({ now }) => cachedStore(memoryStore({ now }), memoryStore({ now }), { now }), { binary: true });
});

describe("a memory cache over SQLite", () => {
  storeSuite(test, async ({ now }) => {
    const database = await connect("sqlite::memory:", { now });
    await database.migrate();
    return { ...cachedStore(memoryStore({ now }), database, { now }), close: () => database.close() };
  });
});

describe("a cache that knows only bytes, over memory", () => {
  storeSuite(test, ({ now }) => cachedStore(bytesOnly(memoryStore({ now })), memoryStore({ now }), { now }), {
    binary: true,
  });
});

describe("a cache that loses everything, over memory", () => {
  storeSuite(test, ({ now }) => cachedStore(emptyCache, memoryStore({ now }), { now }), { binary: true });
});

describe("a cache that always fails, over memory", () => {
  const cache = through(memoryStore(), async () => {
    throw new Error("down");
  });
  storeSuite(test, ({ now }) => cachedStore(cache, memoryStore({ now }), { now }), { binary: true });
});

describe("a cache that always hangs, over memory", () => {
  const cache = through(memoryStore(), () => new Promise(() => {}));
  storeSuite(test, ({ now }) => cachedStore(cache, memoryStore({ now }), { now, cacheTimeoutMs: 1 }), { binary: true });
});

for (const seed of [1, 2, 3]) {
  describe(`a cache that forgets at random (${seed}), over memory`, () => {
    const random = pseudoRandom(seed);
    storeSuite(
      test,
      ({ now }) => {
        const memory = memoryStore({ now });
        const forgetting = (store: SessionStore): SessionStore => ({
          ...store,
          async load(key) {
            if (random() < 0.3) await memory.delete(key);
            return store.load(key);
          },
          async create(key, record) {
            if (random() < 0.3) await memory.delete(key);
            return store.create(key, record);
          },
          async update(key, record, expected) {
            if (random() < 0.3) await memory.delete(key);
            return store.update(key, record, expected);
          },
        });
        return cachedStore(forgetting(memory), memoryStore({ now }), { now });
      },
      { binary: true },
    );
  });

  describe(`a cache that fails at random, before or after the operation (${seed}), over memory`, () => {
    const random = pseudoRandom(seed);
    storeSuite(
      test,
      ({ now }) => {
        const cache = through(memoryStore({ now }), async (_operation, run) => {
          const fate = random();
          if (fate < 0.1) throw new Error("not done");
          const answer = await run();
          if (fate > 0.9) throw new Error("done, but the answer was lost");
          return answer;
        });
        return cachedStore(cache, memoryStore({ now }), { now });
      },
      { binary: true },
    );
  });
}

/** A cached store over memory, what it asked since the list was last taken, and the time. */
function observed(options: CachedStoreOptions = {}) {
  let time = START;
  const now = () => new Date(time);
  const asked: string[] = [];
  const cache = memoryStore({ now });
  const database = memoryStore({ now });
  const make = () =>
    cachedStore(listing(cache, "cache", asked), listing(database, "database", asked), { now, ...options });
  return {
    cache,
    database,
    store: make(),
    /** Another process over the same cache and database. */
    make,
    taken: () => asked.splice(0),
    advance(ms: number) {
      time += ms;
    },
  };
}

/** As a fresh process would find it. */
async function warmed(options: CachedStoreOptions = {}) {
  const world = observed(options);
  await world.store.create(KEY, { payload: "1", expiresAt: inAnHour });
  world.taken();
  return world;
}

describe("what operations cost", () => {
  test("a warm read: one operation of the cache, none of the database", async () => {
    const { store, taken } = await warmed();
    assert.deepEqual(await store.load(KEY), { payload: "1" });
    assert.deepEqual(taken(), ["cache load"]);
  });

  test("a cold read: one query, and three operations of the cache to fill it safely", async () => {
    const { store, cache, taken } = await warmed();
    await cache.delete(KEY);
    assert.equal((await store.load(KEY))?.payload, "1");
    assert.deepEqual(taken(), ["cache load", "cache create", "database load", "cache update"]);
    await store.load(KEY);
    assert.deepEqual(taken(), ["cache load"]);
  });

  test("a read of no session leaves nothing in the cache", async () => {
    const { store, cache, taken } = observed();
    assert.equal(await store.load(KEY), null);
    assert.deepEqual(taken(), ["cache load", "cache create", "database load", "cache delete"]);
    assert.equal(await cache.load(KEY), null);
  });

  test("a write: one operation of each, and the next read is warm", async () => {
    const { store, taken } = await warmed();
    assert.equal(await store.update(KEY, { payload: "2", expiresAt: inAnHour }, "1"), true);
    assert.deepEqual(taken(), ["database update", "cache update"]);
    assert.equal((await store.load(KEY))?.payload, "2");
    assert.deepEqual(taken(), ["cache load"]);
  });

  test("a new session: one write of the database, two of the cache, and the first read is warm", async () => {
    const { store, taken } = observed();
    assert.equal(await store.create(KEY, { payload: "1", expiresAt: inAnHour }), true);
    assert.deepEqual(taken(), ["cache create", "database create", "cache update"]);
    assert.equal((await store.load(KEY))?.payload, "1");
    assert.deepEqual(taken(), ["cache load"]);
  });

  test("a logout: one operation of each, the database first", async () => {
    const { store, taken } = await warmed();
    assert.equal(await store.delete(KEY), true);
    assert.deepEqual(taken(), ["database delete", "cache delete"]);
  });

  test("a clean-up: the database's alone", async () => {
    const { store, database, advance, taken } = await warmed();
    await database.create(OTHER_KEY, { payload: "1", expiresAt: inAnHour });
    advance(HOUR);
    assert.equal(await store.deleteExpired(), 2);
    assert.deepEqual(taken(), []);
  });
});

describe("an entry of the cache", () => {
  test("is believed for maxAge at most, whatever happens behind the store's back", async () => {
    const { store, database, advance } = await warmed();
    await database.delete(KEY);
    advance(300_000 - 1);
    assert.equal((await store.load(KEY))?.payload, "1");
    advance(1);
    assert.equal(await store.load(KEY), null);
  });

  test("lives no longer than its session, however it came", async () => {
    for (const arrival of ["create", "load", "update"]) {
      const { store, cache, database, advance } = await warmed();
      const expiresAt = new Date(START + 1000);
      await database.update(KEY, { payload: "1", expiresAt });
      if (arrival !== "create") await cache.delete(KEY);
      if (arrival === "create") {
        await store.delete(KEY);
        await store.create(KEY, { payload: "1", expiresAt });
      } else {
        await store.load(KEY);
        if (arrival === "update") await store.update(KEY, { payload: "1", expiresAt }, "1");
      }
      advance(999);
      assert.equal((await cache.load(KEY))?.expiresAt?.getTime(), expiresAt.getTime(), arrival);
      advance(1);
      assert.equal(await store.load(KEY), null, arrival);
    }
  });

  test("is not made where the database does not tell when the session ends", async () => {
    const { cache, database } = await warmed();
    await cache.delete(KEY);
    const store = cachedStore(cache, { ...database, load: async () => ({ payload: "1" }) });
    assert.deepEqual(await store.load(KEY), { payload: "1" });
    assert.equal(await cache.load(KEY), null);
  });

  test("gives text back as text and bytes as bytes, also from a cache that knows only bytes", async () => {
    for (const payload of ["é漢😀", new Uint8Array([0, 255, 61, 35]), "", new Uint8Array()]) {
      const database = memoryStore();
      const store = cachedStore(bytesOnly(memoryStore()), database);
      await store.create(KEY, { payload, expiresAt: new Date(8e15) });
      await database.delete(KEY);
      const loaded = (await store.load(KEY))!.payload;
      assert.equal(typeof loaded, typeof payload);
      assert.deepEqual(Buffer.from(loaded), Buffer.from(payload));
    }
  });

  const damages: Record<string, (entry: Payload) => Payload> = {
    "cut off": (entry) => entry.slice(0, -1),
    "cut off before its payload": (entry) => entry.slice(0, 5),
    "of which one character changed": (entry) => `${String(entry).slice(0, -1)}X`,
    "that is empty": () => "",
    "that is another program's": () => "\x80\x05N.",
    "that is another program's, in bytes": () => new Uint8Array([0x80, 5, 0x4e, 0x2e]),
    "of text that claims to be bytes": (entry) => Buffer.from(`#${String(entry).slice(1)}`),
    "of text that claims to be bytes, from a cache that gives text": (entry) => `#${String(entry).slice(1)}`,
  };
  for (const [name, damage] of Object.entries(damages)) {
    test(`${name} is not read: the database is asked, and the entry removed`, async () => {
      const { store, cache, taken } = await warmed();
      const { payload } = (await cache.load(KEY))!;
      await cache.update(KEY, { payload: damage(payload), expiresAt: inAnHour });
      assert.equal((await store.load(KEY))?.payload, "1");
      assert.deepEqual(taken(), ["cache load", "cache delete", "database load"]);
      await store.load(KEY);
      await store.load(KEY);
      assert.equal(taken().at(-1), "cache load");
    });
  }

  test("of another session is not read", async () => {
    const { store, cache, database } = await warmed();
    await database.create(OTHER_KEY, { payload: "other", expiresAt: inAnHour });
    const { payload } = (await cache.load(KEY))!;
    await cache.create(OTHER_KEY, { payload, expiresAt: inAnHour });
    assert.equal((await store.load(OTHER_KEY))?.payload, "other");
  });
});

describe("a stale entry", () => {
  test("that made a writer expect the wrong payload is gone when the writer asks again", async () => {
    const { store, database } = await warmed();
    await database.update(KEY, { payload: "2", expiresAt: inAnHour });
    assert.equal(await store.update(KEY, { payload: "3", expiresAt: inAnHour }, "1"), false);
    assert.equal((await store.load(KEY))?.payload, "2");
  });

  test("of a deleted session does not outlive the first write or delete that the database refuses", async () => {
    for (const operation of ["update", "delete"] as const) {
      const { store, database } = await warmed();
      await database.delete(KEY);
      assert.equal((await store.load(KEY))?.payload, "1");
      const refused =
        operation === "update" ? store.update(KEY, { payload: "2", expiresAt: inAnHour }, "1") : store.delete(KEY);
      assert.equal(await refused, false);
      assert.equal(await store.load(KEY), null);
    }
  });

  test("of an earlier life of the key does not hide the session that is created under it", async () => {
    const { store, database } = await warmed();
    await database.delete(KEY);
    assert.equal(await store.create(KEY, { payload: "new", expiresAt: inAnHour }), true);
    assert.equal((await store.load(KEY))?.payload, "new");
  });

  test("is not left by a write without expectation", async () => {
    const { store } = await warmed();
    assert.equal(await store.update(KEY, { payload: "2", expiresAt: inAnHour }), true);
    assert.equal((await store.load(KEY))?.payload, "2");
  });
});

describe("a lease", () => {
  test("of a reader that never came back keeps others from filling, not from reading, for 5 seconds", async () => {
    const { cache, database, make, store, taken, advance } = await warmed();
    await cache.delete(KEY);
    const crashed = cachedStore(
      cache,
      { ...database, load: () => new Promise(() => {}) },
      { now: () => new Date(START) },
    );
    void crashed.load(KEY);
    await new Promise(setImmediate);
    assert.equal((await store.load(KEY))?.payload, "1");
    assert.deepEqual(taken(), ["cache load", "database load"]);
    advance(5000);
    await make().load(KEY);
    taken();
    await store.load(KEY);
    assert.deepEqual(taken(), ["cache load"]);
  });

  test("of a reader that took longer than 5 seconds fills nothing", async () => {
    const { cache, database, advance, store } = await warmed();
    await cache.delete(KEY);
    let answer = () => {};
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const slow: SessionStore = {
      ...database,
      async load(key) {
        const loaded = await database.load(key);
        await asked;
        return loaded;
      },
    };
    const reading = cachedStore(cache, slow, { now: () => new Date(START) }).load(KEY);
    await new Promise(setImmediate);
    advance(5000);
    await store.delete(KEY);
    answer();
    assert.equal((await reading)?.payload, "1");
    assert.equal(await cache.load(KEY), null);
  });
});

describe("a database that fails", () => {
  const failing = (database: SessionStore) =>
    through(database, async (operation, run) => {
      // A write may have been done all the same.
      if (operation !== "load") await run();
      throw new Error(`${operation} failed`);
    });

  test("fails the request, but for warm reads", async () => {
    const { cache, database } = await warmed();
    const store = cachedStore(cache, failing(database));
    assert.equal((await store.load(KEY))?.payload, "1");
    const record = { payload: "2", expiresAt: inAnHour };
    await assert.rejects(store.create(OTHER_KEY, record), { message: "create failed" });
    await assert.rejects(store.update(KEY, record, "1"), { message: "update failed" });
    await assert.rejects(store.load(KEY), { message: "load failed" });
    await assert.rejects(store.delete(KEY), { message: "delete failed" });
  });

  test("may have done what it did not acknowledge: the entry is removed, and the truth is read", async () => {
    for (const operation of ["update", "delete"] as const) {
      const { cache, database, store } = await warmed();
      const broken = cachedStore(cache, failing(database));
      const record = { payload: "2", expiresAt: inAnHour };
      await assert.rejects(operation === "update" ? broken.update(KEY, record, "1") : broken.delete(KEY));
      assert.equal((await store.load(KEY))?.payload, operation === "update" ? "2" : undefined);
    }
  });
});

describe("cachedStore", () => {
  for (const name of ["maxAge", "cacheTimeoutMs"]) {
    for (const value of [0, -1, Number.NaN, Infinity, "100"]) {
      test(`refuses ${name} ${JSON.stringify(value)}`, () => {
        assert.throws(() => cachedStore(emptyCache, emptyCache, { [name]: value }), {
          name: "SessionError",
          code: "ERR_CONFIG",
          message: new RegExp(name),
        });
      });
    }
  }

  test("loses no write of requests that meet in two processes, with a cache that forgets", async () => {
    const random = pseudoRandom(4);
    const memory = memoryStore();
    const database = memoryStore();
    const slowly = (store: SessionStore) =>
      through(store, async (_operation, run) => {
        for (let turns = random() * 5; turns > 0; turns--) await new Promise(setImmediate);
        return run();
      });
    const forgetting: SessionStore = {
      ...memory,
      async load(key) {
        if (random() < 0.1) await memory.delete(key);
        return memory.load(key);
      },
    };
    const codec = djangoCodec({ secretKey: "a secret key for tests, 32 characters at least" });
    const saving = { now: new Date(), expiresAt: () => new Date(8e15) };
    const [one, other] = [1, 2].map(() =>
      storeEngine(cachedStore(slowly(forgetting), slowly(database), { cacheTimeoutMs: 10_000 }), codec),
    ) as [SessionEngine, SessionEngine];
    const { token } = await one.create({ start: true }, saving);
    await Promise.all(
      Array.from({ length: 50 }, async (_, n) => {
        const engine = n % 2 ? one : other;
        const loaded = (await engine.load(token)) as LoadedSession;
        await engine.update(loaded, { ...loaded.data, [`key${n}`]: n }, saving, (mine, _base, theirs) => {
          Object.assign(mine, theirs);
        });
      }),
    );
    const { data } = (await other.load(token)) as LoadedSession;
    assert.equal(Object.keys(data).length, 51);
  });
});
