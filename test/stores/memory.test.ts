import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { SessionStore } from "../../src/core/contracts.ts";
import { type MemoryStoreOptions, memoryStore } from "../../src/stores/memory.ts";
import { storeSuite } from "../../src/testing/index.ts";

describe("the memory store", () => {
  storeSuite(test, ({ now }) => memoryStore({ now }), { binary: true });
});

describe("the memory store's bounds", () => {
  const start = Date.UTC(2026, 0);
  const later = new Date(start + 1000);

  /** How many records lie in the store: it is asked after all of them have expired. */
  function countable(options: MemoryStoreOptions): { store: SessionStore; count(): Promise<number> } {
    let time = start;
    const store = memoryStore({ ...options, now: () => new Date(time) });
    return {
      store,
      count() {
        time = later.getTime();
        return store.deleteExpired();
      },
    };
  }

  async function keysIn(store: SessionStore, keys: string): Promise<string> {
    let found = "";
    for (const key of keys) if (await store.load(key)) found += key;
    return found;
  }

  for (const options of [
    { maxEntries: 0 },
    { maxBytes: 0 },
    { maxEntries: -1 },
    { maxEntries: 0.5 },
    { maxBytes: NaN },
  ]) {
    test(`a bound that holds nothing is refused: ${JSON.stringify(options)}`, () => {
      assert.throws(() => memoryStore(options), { code: "ERR_CONFIG", message: new RegExp(Object.keys(options)[0]!) });
    });
  }

  test("a million creations leave maxEntries records", async () => {
    const { store, count } = countable({ maxEntries: 1000 });
    for (let n = 0; n < 1_000_000; n++) await store.create(`k${n}`, { payload: "x", expiresAt: later });
    assert.equal(await keysExist(store, 999_000, 1_000_000), 1000);
    assert.equal(await count(), 1000);
  });

  async function keysExist(store: SessionStore, from: number, to: number): Promise<number> {
    let found = 0;
    for (let n = from; n < to; n++) if (await store.load(`k${n}`)) found++;
    return found;
  }

  test("no more than maxBytes are kept, keys counted", async () => {
    // Keys of 32 and payloads of 68 characters, as UTF-16: 200 bytes each.
    const { store, count } = countable({ maxBytes: 1_000 });
    for (let n = 0; n < 100; n++) {
      await store.create(`${n}`.padStart(32, "k"), { payload: "x".repeat(68), expiresAt: later });
    }
    assert.equal(await count(), 5);
  });

  test("bytes are counted as bytes", async () => {
    const { store, count } = countable({ maxBytes: 1_000 });
    for (let n = 0; n < 100; n++) {
      await store.create(`${n}`.padStart(32, "k"), { payload: new Uint8Array(136), expiresAt: later });
    }
    assert.equal(await count(), 5);
  });

  test("what is deleted, replaced or expired no longer counts", async () => {
    let time = start;
    const store = memoryStore({ maxBytes: 1_002, now: () => new Date(time) });
    await store.create("l", { payload: "", expiresAt: new Date(start + 1_000_000) });
    for (let n = 0; n < 100; n++) {
      const record = { payload: "x".repeat(400), expiresAt: new Date(time + 1000) };
      await store.create("a", record);
      await store.update("a", record);
      if (n % 2) await store.delete("a");
      else time += 1000;
    }
    assert.equal(await keysIn(store, "l"), "l");
  });

  test("when full, the record that was not used for longest goes", async () => {
    const store = memoryStore({ maxEntries: 3, now: () => new Date(start) });
    const record = { payload: "x", expiresAt: later };
    for (const key of "abc") await store.create(key, record);
    await store.load("a");
    await store.update("b", record);
    await store.create("d", record);
    assert.equal(await keysIn(store, "abcd"), "abd");
    await store.create("e", record);
    assert.equal(await keysIn(store, "abde"), "bde");
  });

  test("a refused create or update is no use of the record", async () => {
    const store = memoryStore({ maxEntries: 2, now: () => new Date(start) });
    const record = { payload: "x", expiresAt: later };
    await store.create("a", record);
    await store.create("b", record);
    await store.create("a", record);
    await store.update("a", record, "other");
    await store.create("c", record);
    assert.equal(await keysIn(store, "abc"), "bc");
  });

  test("when full, an expired record goes before a live one that was used earlier", async () => {
    let time = start;
    const store = memoryStore({ maxEntries: 3, now: () => new Date(time) });
    await store.create("a", { payload: "x", expiresAt: later });
    await store.create("b", { payload: "x", expiresAt: new Date(start + 1) });
    await store.create("c", { payload: "x", expiresAt: later });
    time += 1;
    await store.create("d", { payload: "x", expiresAt: later });
    assert.equal(await keysIn(store, "abcd"), "acd");
  });

  test("a record that is larger than the store is refused, and the one it would replace stays", async () => {
    const store = memoryStore({ maxBytes: 1_000, now: () => new Date(start) });
    const tooLarge = { payload: "x".repeat(1_000), expiresAt: later };
    await store.create("a", { payload: "small", expiresAt: later });
    await assert.rejects(store.update("a", tooLarge), { code: "ERR_SESSION_TOO_LARGE" });
    await assert.rejects(store.create("b", tooLarge), { code: "ERR_SESSION_TOO_LARGE" });
    assert.deepEqual(await store.load("a"), { payload: "small", expiresAt: later });
    assert.equal(await store.load("b"), null);
  });

  test("a record that grows pushes others out, never itself", async () => {
    const store = memoryStore({ maxBytes: 1_000, now: () => new Date(start) });
    for (const key of "abcd") await store.create(key, { payload: "x".repeat(100), expiresAt: later });
    await store.update("a", { payload: "x".repeat(400), expiresAt: later });
    assert.equal(await keysIn(store, "abcd"), "a");
  });

  test("it does not keep the process running", () => {
    const script = `
      import { memoryStore } from ${JSON.stringify(new URL("../../src/stores/memory.js", import.meta.url))};
      const store = memoryStore();
      await store.create("key", { payload: "a", expiresAt: new Date(Date.now() + 1e9) });
      console.log((await store.load("key")).payload);`;
    const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
      timeout: 30_000,
    });
    assert.deepEqual({ status, stdout }, { status: 0, stdout: "a\n" });
  });
});

describe("the memory store and a list", () => {
  /** The same rules, in the plainest words: a list from the least to the most recently used. */
  function model(maxEntries: number, maxBytes: number, now: () => number) {
    let list: { key: string; payload: string; expiresAt: number }[] = [];
    const size = () => list.reduce((sum, { key, payload }) => sum + 2 * (key.length + payload.length), 0);
    const find = (key: string) => {
      list = list.filter((entry) => entry.key !== key || entry.expiresAt > now());
      return list.find((entry) => entry.key === key);
    };
    const without = (key: string) => list.filter((entry) => entry.key !== key);
    const write = (key: string, payload: string, expiresAt: number) => {
      if (2 * (key.length + payload.length) > maxBytes) return "ERR_SESSION_TOO_LARGE";
      list = [...without(key), { key, payload, expiresAt }];
      while (list.length > maxEntries || size() > maxBytes) {
        const expired = list.slice(0, -1).findIndex((entry) => entry.expiresAt <= now());
        list.splice(Math.max(expired, 0), 1);
      }
      return true;
    };
    return {
      load(key: string) {
        const entry = find(key);
        if (!entry) return null;
        list = [...without(key), entry];
        return { payload: entry.payload, expiresAt: new Date(entry.expiresAt) };
      },
      create: (key: string, payload: string, expiresAt: number) => (find(key) ? false : write(key, payload, expiresAt)),
      update(key: string, payload: string, expiresAt: number, expected?: string) {
        const entry = find(key);
        return entry && (expected ?? entry.payload) === entry.payload ? write(key, payload, expiresAt) : false;
      },
      delete(key: string, expected?: string) {
        const entry = find(key);
        if (!entry || (expected ?? entry.payload) !== entry.payload) return false;
        list = without(key);
        return true;
      },
      deleteExpired() {
        const before = list.length;
        list = list.filter((entry) => entry.expiresAt > now());
        return before - list.length;
      },
    };
  }

  const key = fc.constantFrom("a", "b", "c", "dd", "eee", "f");
  const payload = fc.constantFrom("", "x", "xx", "y".repeat(10), "z".repeat(31));
  const lifetime = fc.integer({ min: -1, max: 5 });
  const step = fc.oneof(
    fc.record({ do: fc.constant("load" as const), key }),
    fc.record({ do: fc.constant("create" as const), key, payload, lifetime }),
    fc.record({
      do: fc.constant("update" as const),
      key,
      payload,
      lifetime,
      expected: fc.option(payload, { nil: undefined }),
    }),
    fc.record({ do: fc.constant("delete" as const), key, expected: fc.option(payload, { nil: undefined }) }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 3 }) }),
    fc.record({ do: fc.constant("deleteExpired" as const) }),
  );

  test("answer alike, whatever is done to them", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 120 }),
        fc.array(step, { maxLength: 60 }),
        async (maxEntries, maxBytes, steps) => {
          let time = 0;
          const store = memoryStore({ maxEntries, maxBytes, now: () => new Date(time) });
          const list = model(maxEntries, maxBytes, () => time);
          for (const s of steps) {
            if (s.do === "wait") {
              time += s.ms;
            } else if (s.do === "load") {
              assert.deepEqual(await store.load(s.key), list.load(s.key));
            } else if (s.do === "deleteExpired") {
              assert.equal(await store.deleteExpired(), list.deleteExpired());
            } else if (s.do === "delete") {
              assert.equal(await store.delete(s.key, s.expected), list.delete(s.key, s.expected));
            } else {
              const record = { payload: s.payload, expiresAt: new Date(time + s.lifetime) };
              const answer = s.do === "create" ? store.create(s.key, record) : store.update(s.key, record, s.expected);
              const expected =
                s.do === "create"
                  ? list.create(s.key, s.payload, time + s.lifetime)
                  : list.update(s.key, s.payload, time + s.lifetime, s.expected);
              assert.equal(await answer.catch((error: { code: string }) => error.code), expected);
            }
          }
        },
      ),
      { numRuns: 2000, seed: 1 },
    );
  });
});
