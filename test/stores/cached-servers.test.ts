import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { type ConnectedStore, connect } from "../../src/connect.ts";
import type { SessionStore } from "../../src/core/contracts.ts";
import { cachedStore } from "../../src/stores/cached/store.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { storeSuite } from "../../src/testing/index.ts";
import { startMemcached } from "../support/servers/memcached.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import { startRedis } from "../support/servers/redis.ts";
import { until } from "../support/servers/server.ts";

const [redis, memcached, postgres] = [await startRedis(), await startMemcached(), await startPostgres()];
const redisUrl = `redis://127.0.0.1:${redis.port}`;
const memcachedUrl = `memcached://127.0.0.1:${memcached.port}`;
const database = await connect(postgres.url());
await database.migrate();
after(() => database.close());

const expiresAt = new Date(8e15);
let suites = 0;

/**
 * Each test has a prefix of its own. The servers' clocks stand still for the suite, so a cache with another prefix takes
 * over when time goes by: it has forgotten everything. That entries expire is tested over memory.
 */
function suiteOver(cacheUrl: string, makeDatabase: (now: () => Date) => Promise<ConnectedStore>): void {
  storeSuite(test, async ({ now }) => {
    const store = await makeDatabase(now);
    const opened: ConnectedStore[] = [];
    const open = async () => {
      opened.push(await connect(cacheUrl, { prefix: `suite${suites++}:`, now }));
      return cachedStore(opened.at(-1)!, store, { now });
    };
    let current = await open();
    return {
      load: (key) => current.load(key),
      create: (key, record) => current.create(key, record),
      update: (key, record, expected) => current.update(key, record, expected),
      delete: (key, expected) => current.delete(key, expected),
      deleteExpired: (options) => current.deleteExpired(options),
      age: async () => {
        current = await open();
      },
      close: () => Promise.all([...opened, store].map((part) => part.close())),
    };
  });
}

describe("Redis over PostgreSQL", () => {
  suiteOver(redisUrl, async (now) => {
    postgres.sql("DELETE FROM django_session");
    return connect(postgres.url(), { now });
  });
});

describe("memcached over SQLite", () => {
  suiteOver(memcachedUrl, async (now) => {
    const sqlite = await connect("sqlite::memory:", { now });
    await sqlite.migrate();
    return sqlite;
  });
});

const CACHES = {
  Redis: { url: redisUrl, freeze: redis.freeze, thaw: redis.thaw },
  memcached: { url: memcachedUrl, freeze: memcached.freeze, thaw: memcached.thaw },
};

for (const [name, { url, freeze, thaw }] of Object.entries(CACHES)) {
  describe(`while ${name} is frozen`, () => {
    test("the database serves, and what was changed then is seen by everyone soon after", async (t) => {
      const truth = memoryStore();
      const caches = [await connect(url), await connect(url)] as const;
      t.after(() => Promise.all(caches.map((cache) => cache.close())));
      const stores = caches.map((cache) => cachedStore(cache, truth));
      const [one, other] = stores as [SessionStore, SessionStore];
      const [changed, ended] = ["changedchangedchangedchanged1234", "endedendedendedendedendedended12"];
      const isCached = async (key: string) => (await caches[1].load(key)) !== null;
      for (const key of [changed, ended]) {
        await until(() => one.create(key, { payload: "1", expiresAt }), "the cache");
        await until(async () => (await other.load(key))?.payload === "1" && isCached(key), "the entry");
      }
      await freeze();
      assert.equal(await one.update(changed, { payload: "2", expiresAt }, "1"), true);
      assert.equal(await one.delete(ended), true);
      for (const store of stores) {
        assert.equal((await store.load(changed))?.payload, "2");
        assert.equal(await store.load(ended), null);
      }
      thaw();
      await until(async () => !(await isCached(ended)), "the removal");
      const readCold = async (store: SessionStore) => (await store.load(changed)) !== null && isCached(changed);
      for (const store of stores) await until(() => readCold(store), "the cache's return");
      for (const store of stores) {
        assert.equal((await store.load(changed))?.payload, "2");
        assert.equal(await store.load(ended), null);
      }
    });
  });
}

test("while Redis is dead the database serves, and after its restart reads are cached again", async (t) => {
  let server = await startRedis();
  const cache = await connect(`redis://127.0.0.1:${server.port}`);
  const store = cachedStore(cache, memoryStore());
  t.after(() => cache.close());
  const key = "k3y0fas3ss10nk3y0fas3ss10nk3y0fa";
  await store.create(key, { payload: "1", expiresAt });
  await server.kill();
  for (let n = 1; n < 50; n++) {
    assert.equal(await store.update(key, { payload: `${n + 1}`, expiresAt }, `${n}`), true);
    assert.equal((await store.load(key))?.payload, `${n + 1}`);
  }
  server = await server.restart();
  await until(async () => (await store.load(key)) !== null && (await cache.load(key)) !== null, "the cache's return");
  assert.equal((await store.load(key))?.payload, "50");
});
