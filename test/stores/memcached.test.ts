import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { deflateSync } from "node:zlib";
import { SessionError } from "../../src/core/errors.ts";
import { type MemcachedClient, memcachedClient } from "../../src/stores/memcached/client.ts";
import { openConnection } from "../../src/stores/memcached/connection.ts";
import { memcachedStore } from "../../src/stores/memcached/store.ts";
import { type StoreMaker, storeSuite } from "../../src/testing/index.ts";
import { startMemcached } from "../support/servers/memcached.ts";
import { KEY } from "./memcached-fault.ts";

const HOUR = 3_600_000;

// The suite writes payloads of a megabyte, which memcached's default does not take with the key.
const server = await startMemcached(["-I", "4m"]);
const client = memcachedClient({ port: server.port });
const raw = openConnection({
  address: { host: "127.0.0.1", port: server.port },
  where: "127.0.0.1",
  timeoutMs: 5000,
  connectTimeoutMs: 5000,
  maxValueBytes: () => 0,
  onEnd: () => {},
});
after(() => {
  client.close();
  raw.end(new SessionError("ERR_SESSION_UNAVAILABLE", "closed"));
});

/** Seconds that an item has left; -1 for one that never expires, `null` for none. */
const timeLeft = (key: string) =>
  raw.request(`mg ${key} t`, { HD: (flags) => Number(flags[0]!.slice(1)), EN: () => null });

let stores = 0;

const emptyStore: StoreMaker = ({ now }) => {
  const keys = new Set<string>();
  const remembering: MemcachedClient = {
    ...client,
    set(key, value, options) {
      keys.add(key);
      return client.set(key, value, options);
    },
  };
  return {
    ...memcachedStore(remembering, { prefix: `store${stores++}:`, now }),
    async age(ms) {
      for (const key of keys) {
        const seconds = await timeLeft(key);
        if (seconds === null || seconds === -1) continue;
        if (seconds > ms / 1000) await raw.request(`mg ${key} T${seconds - ms / 1000}`, { HD: () => true });
        else await client.delete(key);
      }
    },
  };
};

describe("the memcached store", () => {
  storeSuite(test, emptyStore, { binary: true, selfExpiring: true });
});

/** Keys of their own for each test, in Django's manner. */
function fresh(options: { flags?: number; now?: () => Date } = {}) {
  const prefix = `:1:test${stores++}:`;
  return { store: memcachedStore(client, { prefix, ...options }), item: `${prefix}${KEY}` };
}
const inOneHour = () => new Date(Date.now() + HOUR);

describe("the expiry in memcached", () => {
  const now = new Date("2026-11-20T12:00:00.250Z");
  const in30Days = 30 * 24 * HOUR;
  const later = (ms: number) => new Date(now.getTime() + ms);

  // What memcached takes for seconds ends at 30 days. What it takes for a time is 32 bits.
  for (const [what, expiresAt, exptime] of [
    ["a millisecond is a second", later(1), 1],
    ["a second is a second", later(1000), 1],
    ["more than a second is rounded up", later(1001), 2],
    ["up to 30 days is told in seconds", later(in30Days), 30 * 24 * 3600],
    ["more than 30 days is told as a time", later(in30Days + 1), 1_797_768_001],
    ["the last second of 32 bits is told as a time", new Date("2038-01-19T03:14:07Z"), 2 ** 31 - 1],
    ["what comes after is never", new Date("2038-01-19T03:14:07.001Z"), 0],
    ["the end of time is never", new Date(8.64e15), 0],
    ["now is at once", now, -1],
    ["the past is at once", later(-in30Days), -1],
  ] as const) {
    test(`${what}: ${expiresAt.toISOString()}`, async () => {
      const sent: number[] = [];
      const recording: MemcachedClient = {
        ...client,
        set: async (_key, _value, options) => sent.push(options.exptime) > 0,
      };
      const store = memcachedStore(recording, { now: () => now });
      await store.create(KEY, { payload: "a", expiresAt });
      await store.update(KEY, { payload: "a", expiresAt });
      assert.deepEqual(sent, [exptime, exptime]);
    });
  }

  test("is told by the system's clock unless another is given", async () => {
    const { store, item } = fresh();
    await store.create(KEY, { payload: "a", expiresAt: inOneHour() });
    const left = (await timeLeft(item))!;
    assert.ok(Math.abs(left - 3600) <= 2, `${left}`);
  });

  test("of more than 30 days is kept by the server", async () => {
    const { store, item } = fresh();
    await store.create(KEY, { payload: "a", expiresAt: new Date(Date.now() + 400 * 24 * HOUR) });
    const left = (await timeLeft(item))!;
    assert.ok(Math.abs(left - 400 * 24 * 3600) <= 2, `${left}`);
  });

  test("of more than 32 bits is kept for ever", async () => {
    const { store, item } = fresh();
    await store.create(KEY, { payload: "a", expiresAt: new Date("2038-01-19T03:14:08Z") });
    assert.equal(await timeLeft(item), -1);
  });
});

describe("what Python's clients write", () => {
  const pickle = Buffer.from("80057d942e", "hex");
  const write = (item: string, value: Buffer, flags: number) =>
    client.set(item, value, { mode: "add", flags, exptime: 60 });

  for (const [what, flags, value, payload] of [
    ["bytes", 0, pickle, pickle],
    ["a pickle", 1, pickle, pickle],
    ["an integer", 2, Buffer.from("42"), Buffer.from("42")],
    ["text", 16, Buffer.from("é"), Buffer.from("é")],
    ["compressed bytes", 8, deflateSync(pickle), pickle],
    ["a compressed pickle", 9, deflateSync(pickle), pickle],
    ["a flag of its own", 2 ** 31 + 1, pickle, pickle],
  ] as const) {
    test(`is read and can be expected: ${what}`, async () => {
      const { store, item } = fresh();
      await write(item, value, flags);
      const loaded = (await store.load(KEY))!.payload as Uint8Array;
      assert.deepEqual(Buffer.from(loaded), payload);
      assert.equal(await store.update(KEY, { payload: "b", expiresAt: inOneHour() }, "other"), false);
      assert.equal(await store.update(KEY, { payload: "b", expiresAt: inOneHour() }, loaded), true);
      // Written plain, and said to be so.
      assert.equal((await client.get(item))?.flags, 0);
      assert.equal(await store.delete(KEY, "b"), true);
    });
  }

  for (const [what, value] of [
    ["does not inflate", Buffer.from("not zlib")],
    ["inflates only in part", deflateSync(Buffer.alloc(1000, "a")).subarray(0, -5)],
    ["inflates beyond all bounds", deflateSync(Buffer.alloc(5 * 1024 * 1024))],
  ] as const) {
    test(`and ${what} is left to the codec as it is`, async () => {
      const { store, item } = fresh();
      await write(item, value, 8);
      assert.deepEqual(Buffer.from((await store.load(KEY))!.payload), value);
      assert.equal(await store.delete(KEY, value), true);
    });
  }

  test("may be 4 MiB when inflated", async () => {
    const { store, item } = fresh();
    await write(item, deflateSync(Buffer.alloc(4 * 1024 * 1024)), 8);
    assert.equal((await store.load(KEY))?.payload.length, 4 * 1024 * 1024);
  });

  test("is told what we write: the flags that were given", async () => {
    const { store, item } = fresh({ flags: 1 });
    await store.create(KEY, { payload: pickle, expiresAt: inOneHour() });
    assert.equal((await client.get(item))?.flags, 1);
    await store.update(KEY, { payload: pickle, expiresAt: inOneHour() });
    assert.equal((await client.get(item))?.flags, 1);
    await store.update(KEY, { payload: pickle, expiresAt: inOneHour() }, pickle);
    assert.deepEqual(await client.get(item).then((it) => [it?.flags, it?.value]), [1, pickle]);
  });

  for (const flags of [8, 9, -1, -16, 2 ** 32, 0.5, Number.NaN]) {
    test(`cannot be told the flags ${flags}`, () => {
      assert.throws(() => memcachedStore(client, { flags }), { code: "ERR_CONFIG", message: /flags/ });
    });
  }
});

describe("keys in memcached", () => {
  test("begin with session: unless told otherwise", async () => {
    const key = `default${stores++}`;
    await memcachedStore(client).create(key, { payload: "a", expiresAt: inOneHour() });
    assert.equal((await client.get(`session:${key}`))?.value.toString(), "a");
  });

  for (const prefix of ["a b", "a\r\nflush_all\r\n", "a\n", "\0", "\x7f", "é".repeat(106), "x".repeat(211)]) {
    test(`never begin with ${JSON.stringify(prefix.slice(0, 20))}: it is refused at once`, () => {
      assert.throws(() => memcachedStore(client, { prefix }), { code: "ERR_CONFIG", message: /250 bytes/ });
    });
  }

  test("may be empty before the session key, or 250 bytes with it", async () => {
    for (const prefix of ["", "x".repeat(210), "é".repeat(105)]) {
      const store = memcachedStore(client, { prefix });
      const key = `key${stores++}`.padEnd(40, "k");
      assert.equal(await store.create(key, { payload: "a", expiresAt: inOneHour() }), true);
      assert.equal(await store.delete(key), true);
    }
  });

  // CVE-2020-13254: what memcached reads as another command answers the next caller's.
  for (const key of ["", "a b", "a\r\nmg b v", "a\n", "a\0", "x".repeat(251)]) {
    test(`are refused before they are sent: ${JSON.stringify(key.slice(0, 20))}`, async () => {
      const unprefixed = memcachedStore(client, { prefix: "" });
      const record = { payload: "a", expiresAt: inOneHour() };
      for (const operation of [
        () => unprefixed.load(key),
        () => unprefixed.create(key, record),
        () => unprefixed.update(key, record, "a"),
        () => unprefixed.delete(key),
      ]) {
        await assert.rejects(operation(), (error: SessionError) => {
          assert.equal(error.code, "ERR_CONFIG");
          assert.ok(key === "" || !error.message.includes(key));
          return true;
        });
      }
      assert.equal(await unprefixed.load(`fine${stores++}`), null);
    });
  }
});

describe("an expected payload in memcached", () => {
  /** Somebody else acts between the look at the item and the change. */
  function meddling(meddle: (round: number) => Promise<unknown>): { client: MemcachedClient; rounds: () => number } {
    let round = 0;
    return {
      rounds: () => round,
      client: {
        ...client,
        async get(key) {
          const item = await client.get(key);
          await meddle(round++);
          return item;
        },
      },
    };
  }
  const set = (item: string, value: string) => client.set(item, value, { mode: "replace", flags: 0, exptime: 60 });

  for (const change of ["update", "delete"] as const) {
    const apply = (store: ReturnType<typeof memcachedStore>) =>
      change === "update"
        ? store.update(KEY, { payload: "mine", expiresAt: inOneHour() }, "a")
        : store.delete(KEY, "a");

    test(`that was replaced meanwhile refuses the ${change}`, async () => {
      const { store, item } = fresh();
      await store.create(KEY, { payload: "a", expiresAt: inOneHour() });
      const others = meddling((round) => (round === 0 ? set(item, "theirs") : Promise.resolve()));
      assert.equal(await apply(memcachedStore(others.client, { prefix: item.slice(0, -KEY.length) })), false);
      assert.equal((await client.get(item))?.value.toString(), "theirs");
    });

    test(`that was deleted meanwhile refuses the ${change}`, async () => {
      const { store, item } = fresh();
      await store.create(KEY, { payload: "a", expiresAt: inOneHour() });
      const others = meddling((round) => (round === 0 ? client.delete(item) : Promise.resolve()));
      assert.equal(await apply(memcachedStore(others.client, { prefix: item.slice(0, -KEY.length) })), false);
      assert.equal(await client.get(item), null);
    });

    test(`that was written again as it was does not refuse the ${change}`, async () => {
      const { store, item } = fresh();
      await store.create(KEY, { payload: "a", expiresAt: inOneHour() });
      const others = meddling((round) => (round < 3 ? set(item, "a") : Promise.resolve()));
      assert.equal(await apply(memcachedStore(others.client, { prefix: item.slice(0, -KEY.length) })), true);
      assert.equal((await client.get(item))?.value.toString() ?? null, change === "update" ? "mine" : null);
    });

    test(`that is written again and again ends the ${change} as a conflict`, async () => {
      const { store, item } = fresh();
      await store.create(KEY, { payload: "a", expiresAt: inOneHour() });
      const others = meddling(() => set(item, "a"));
      await assert.rejects(apply(memcachedStore(others.client, { prefix: item.slice(0, -KEY.length) })), {
        code: "ERR_SESSION_CONFLICT",
      });
      assert.equal(others.rounds(), 100);
      assert.equal((await client.get(item))?.value.toString(), "a");
    });
  }
});
