import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Payload, SessionRecord, SessionStore } from "../../src/core/contracts.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { type StoreMaker, storeSuite } from "../../src/testing/index.ts";

/** Runs the suite; the names of the cases that failed. */
async function failures(makeStore: StoreMaker, binary = true): Promise<string[]> {
  const cases: [string, () => Promise<void>][] = [];
  storeSuite((name, body) => cases.push([name, body]), makeStore, { binary });
  const failed: string[] = [];
  for (const [name, body] of cases) await body().catch(() => failed.push(name));
  return failed;
}

type Sabotage = (store: SessionStore, now: () => Date) => Partial<SessionStore>;

const nfc = (payload: Payload) => (typeof payload === "string" ? payload.normalize() : payload);
const passing = (record: SessionRecord, change: (payload: Payload) => Payload): SessionRecord => ({
  ...record,
  payload: change(record.payload),
});

/** Mistakes that stores have been seen to make, and a word in the name of a case that must find each. */
const MISTAKES: Record<string, { found: RegExp; by: Sabotage }> = {
  "create overwrites": {
    found: /create refuses a taken key/,
    by: (store) => ({
      async create(key, record) {
        await store.delete(key);
        return store.create(key, record);
      },
    }),
  },
  "create looks before it writes": {
    found: /of many parallel creates/,
    by: (store) => ({
      async create(key, record) {
        if (await store.load(key)) return false;
        await store.create(key, record);
        return store.update(key, record);
      },
    }),
  },
  "create is refused while an expired record lies there": {
    found: /does not keep its key taken/,
    by(store) {
      const used = new Set<string>();
      return {
        async create(key, record) {
          if (used.has(key)) return false;
          used.add(key);
          return store.create(key, record);
        },
        delete: async (key, expected) => (await store.delete(key, expected)) && used.delete(key),
      };
    },
  },
  "update inserts": {
    found: /CVE-2025-46336/,
    by: (store) => ({
      update: async (key, record, expected) =>
        (await store.update(key, record, expected)) || (await store.create(key, record)),
    }),
  },
  "update ignores what is expected": {
    found: /another payload expected/,
    by: (store) => ({ update: (key, record) => store.update(key, record) }),
  },
  "update takes the empty expectation for none": {
    found: /empty payload expected/,
    by: (store) => ({ update: (key, record, expected) => store.update(key, record, expected || undefined) }),
  },
  "update compares, and then writes": {
    found: /of many parallel updates/,
    by: (store) => ({
      async update(key, record, expected) {
        if (expected !== undefined && (await store.load(key))?.payload !== expected) return false;
        return store.update(key, record);
      },
    }),
  },
  "update counts changed rows": {
    found: /already stored succeeds/,
    by: (store) => ({
      update: async (key, record, expected) =>
        (await store.load(key))?.payload !== record.payload && (await store.update(key, record, expected)),
    }),
  },
  "update keeps the old expiry": {
    found: /moves the expiry later/,
    by: (store) => ({
      update: async (key, record, expected) =>
        store.update(key, { ...record, expiresAt: (await store.load(key))?.expiresAt ?? record.expiresAt }, expected),
    }),
  },
  "delete ignores what is expected": {
    found: /delete with another payload expected/,
    by: (store) => ({ delete: (key) => store.delete(key) }),
  },
  "delete throws the second time": {
    found: /says whether there was one/,
    by: (store) => ({
      async delete(key, expected) {
        if (!(await store.load(key))) throw new Error("ENOENT");
        return store.delete(key, expected);
      },
    }),
  },
  "delete always says that there was one": {
    found: /of many parallel deletes/,
    by: (store) => ({ delete: async (key, expected) => (await store.delete(key, expected)) || true }),
  },
  "load renews": {
    found: /reading does not move/,
    by: (store, now) => ({
      async load(key) {
        const loaded = await store.load(key);
        if (loaded) await store.update(key, { ...loaded, expiresAt: new Date(now().getTime() + 1000) });
        return loaded;
      },
    }),
  },
  "load creates": {
    found: /creates nothing/,
    by: (store, now) => ({
      async load(key) {
        const loaded = await store.load(key);
        if (!loaded) await store.create(key, { payload: "", expiresAt: new Date(now().getTime() + 1) });
        return loaded;
      },
    }),
  },
  "expiry is kept in whole seconds": {
    found: /until its expiry/,
    by: (store) => ({
      create: (key, { payload, expiresAt }) =>
        store.create(key, { payload, expiresAt: new Date(Math.floor(expiresAt.getTime() / 1000) * 1000) }),
    }),
  },
  "a record is there at its expiry": {
    found: /until its expiry/,
    by: (store) => ({
      create: (key, { payload, expiresAt }) =>
        store.create(key, { payload, expiresAt: new Date(expiresAt.getTime() + 1) }),
    }),
  },
  "years of five digits are compared as text": {
    found: /far expiry/,
    by: (store) => ({
      create: (key, record) =>
        store.create(key, record.expiresAt.toISOString() < "1" ? { ...record, expiresAt: new Date(0) } : record),
    }),
  },
  "keys ignore case": {
    found: /keys that differ in case/,
    by: (store) => ({
      load: (key) => store.load(key.toLowerCase()),
      create: (key, record) => store.create(key.toLowerCase(), record),
    }),
  },
  "keys are cut off": {
    found: /keys that differ in case, in one character or in length/,
    by: (store) => ({ create: (key, record) => store.create(key.slice(0, 32), record) }),
  },
  "payloads are normalized": {
    found: /composed and decomposed/,
    by: (store) => ({ create: (key, record) => store.create(key, passing(record, nfc)) }),
  },
  "expected payloads are normalized": {
    found: /normal form/,
    by: (store) => ({
      create: (key, record) => store.create(key, passing(record, nfc)),
      update: (key, record, expected) => store.update(key, record, expected === undefined ? expected : nfc(expected)),
      delete: (key, expected) => store.delete(key, expected === undefined ? expected : nfc(expected)),
    }),
  },
  "texts end at NUL": {
    found: /NUL characters/,
    by: (store) => ({
      update: (key, record, expected) =>
        store.update(
          key,
          passing(record, (p) => (typeof p === "string" ? p.split("\0")[0]! : p)),
          expected,
        ),
    }),
  },
  "long payloads are cut off": {
    found: /a megabyte/,
    by: (store) => ({
      create: (key, record) =>
        store.create(
          key,
          passing(record, (p) => p.slice(0, 65_535)),
        ),
    }),
  },
  "bytes become text": {
    found: /payloads of bytes come back/,
    by: (store) => ({
      create: (key, record) =>
        store.create(
          key,
          passing(record, (p) => (typeof p === "string" ? p : Buffer.from(p).toString())),
        ),
    }),
  },
  "bytes stay the caller's": {
    found: /belong to the store/,
    by: () => {
      const records = new Map<string, SessionRecord>();
      return {
        load: async (key) => records.get(key) ?? null,
        create: async (key, record) => !!records.set(key, record),
        update: async (key, record) => !!records.set(key, record),
      };
    },
  },
  "clean-up removes everything at once": {
    found: /in batches/,
    by: (store) => ({
      deleteExpired: ({ onProgress, signal } = {}) => store.deleteExpired({ onProgress, signal, batchSize: 1000 }),
    }),
  },
  "clean-up cannot be stopped": {
    found: /stops between two batches/,
    by: (store) => ({ deleteExpired: ({ signal: _, ...options } = {}) => store.deleteExpired(options) }),
  },
  "clean-up miscounts": {
    found: /says how many/,
    by: (store) => ({ deleteExpired: async (options) => (await store.deleteExpired(options)) && 1 }),
  },
  "clean-up leaves the expired": {
    found: /says how many/,
    by: () => ({ deleteExpired: async () => 0 }),
  },
  "clean-up removes what it once saw expired": {
    found: /created meanwhile under an expired key/,
    by(store, now) {
      const seen = new Map<string, Date>();
      return {
        create(key, record) {
          seen.set(key, record.expiresAt);
          return store.create(key, record);
        },
        async deleteExpired(options) {
          const keys = [...seen].filter(([, expiresAt]) => expiresAt <= now()).map(([key]) => key);
          const deleted = await store.deleteExpired(options);
          for (const key of keys) await store.delete(key);
          return deleted;
        },
      };
    },
  },
  "clean-up removes what is about to expire": {
    found: /leaves live sessions alone|leaves the others/,
    by(store, now) {
      const seen = new Map<string, Date>();
      return {
        create(key, record) {
          seen.set(key, record.expiresAt);
          return store.create(key, record);
        },
        async deleteExpired(options) {
          for (const [key, at] of seen) if (at.getTime() <= now().getTime() + 1) await store.delete(key);
          return store.deleteExpired(options);
        },
      };
    },
  },
};

describe("the store suite", () => {
  test("passes a store that keeps the contract", async () => {
    assert.deepEqual(await failures(({ now }) => memoryStore({ now })), []);
  });

  for (const [mistake, { found, by }] of Object.entries(MISTAKES)) {
    test(`finds it when ${mistake}`, async () => {
      const failed = await failures(({ now }) => {
        const store = memoryStore({ now });
        return { ...store, ...by(store, now) };
      });
      assert.ok(
        failed.some((name) => found.test(name)),
        `failed: ${failed.join("; ") || "nothing"}`,
      );
    });
  }

  test("finds it when bytes are taken by a store that is said to take none", async () => {
    assert.match((await failures(({ now }) => memoryStore({ now }), false)).join(), /payloads of bytes are refused/);
  });

  test("closes the store after each case, also after one that failed", async () => {
    let open = 0;
    await failures(() => {
      open++;
      return { ...memoryStore(), load: () => Promise.reject(new Error("down")), close: () => open-- };
    });
    assert.equal(open, 0);
  });
});
