import assert from "node:assert/strict";
import type { DeleteExpiredProgress, SessionStore } from "../core/contracts.ts";
import { atOnce, CROWD, HOUR, KEY, numberedKey, payloadOf, type StoreCases } from "./store-case.ts";

/** An expired record does not exist for a reader, and `deleteExpired` removes it. */
export const storeExpiryCases: StoreCases = {
  "a record is there until its expiry, and gone from it": async (store, clock) => {
    // Also across a full second, where Django's SQLite text has no fraction.
    for (const ticks of [1000, 1001, 1999]) {
      const lifetime = ticks * clock.tick;
      await store.create(KEY, { payload: "a", expiresAt: clock.in(lifetime) });
      await clock.advance(lifetime - clock.tick);
      assert.equal(await payloadOf(store, KEY), "a", `${clock.tick} ms before ${lifetime} ms`);
      await clock.advance(clock.tick);
      assert.equal(await store.load(KEY), null, `at ${lifetime} ms`);
      await clock.advance(clock.tick);
      assert.equal(await store.load(KEY), null, `${clock.tick} ms after ${lifetime} ms`);
      await clock.advance(998 * clock.tick);
    }
  },

  "reading does not move the expiry": async (store, clock) => {
    await store.create(KEY, { payload: "a", expiresAt: clock.in(1000 * clock.tick) });
    await clock.advance(999 * clock.tick);
    await store.load(KEY);
    await clock.advance(clock.tick);
    assert.equal(await store.load(KEY), null);
  },

  "a record that is created expired is not there": async (store, clock) => {
    for (const age of [0, 1, HOUR]) {
      assert.equal(await store.create(KEY, { payload: "a", expiresAt: clock.in(-age) }), true);
      assert.equal(await store.load(KEY), null);
    }
  },

  "an expired record is not updated, with or without expectation": async (store, clock) => {
    await store.create(KEY, { payload: "a", expiresAt: clock.in(1000 * clock.tick) });
    await clock.advance(1000 * clock.tick);
    assert.equal(await store.update(KEY, { payload: "b", expiresAt: clock.in(HOUR) }), false);
    assert.equal(await store.update(KEY, { payload: "b", expiresAt: clock.in(HOUR) }, "a"), false);
    assert.equal(await store.load(KEY), null);
  },

  "delete of an expired record says that there was none": async (store, clock) => {
    for (const expected of [undefined, "a"]) {
      await store.create(KEY, { payload: "a", expiresAt: clock.in(1000 * clock.tick) });
      await clock.advance(1000 * clock.tick);
      assert.equal(await store.delete(KEY, expected), false);
      assert.equal(await store.load(KEY), null);
    }
  },

  "an expired record does not keep its key taken": async (store, clock) => {
    await store.create(KEY, { payload: "old", expiresAt: clock.in(1000 * clock.tick) });
    await clock.advance(1000 * clock.tick);
    const created = await atOnce(CROWD, (n) =>
      store.create(KEY, { payload: `${n}`, expiresAt: clock.in(1000 * clock.tick) }),
    );
    assert.equal(created.filter(Boolean).length, 1);
    assert.equal(await payloadOf(store, KEY), `${created.indexOf(true)}`);
    await clock.advance(1000 * clock.tick);
    assert.equal(await store.load(KEY), null);
  },

  "update moves the expiry later": async (store, clock) => {
    await store.create(KEY, { payload: "a", expiresAt: clock.in(1000 * clock.tick) });
    assert.equal(await store.update(KEY, { payload: "a", expiresAt: clock.in(2000 * clock.tick) }, "a"), true);
    await clock.advance(1999 * clock.tick);
    assert.equal(await payloadOf(store, KEY), "a");
    await clock.advance(clock.tick);
    assert.equal(await store.load(KEY), null);
  },

  "update moves the expiry earlier, even into the past": async (store, clock) => {
    await store.create(KEY, { payload: "a", expiresAt: clock.in(HOUR) });
    assert.equal(await store.update(KEY, { payload: "a", expiresAt: clock.in(1000 * clock.tick) }), true);
    await clock.advance(999 * clock.tick);
    assert.equal(await payloadOf(store, KEY), "a");
    assert.equal(await store.update(KEY, { payload: "a", expiresAt: clock.in(-1) }, "a"), true);
    assert.equal(await store.load(KEY), null);
  },

  "a far expiry lasts: the year 9999, and what follows it": async (store, clock) => {
    // The last is as far as a Date reaches.
    for (const expiresAt of [new Date("9999-12-31T23:59:59.999Z"), new Date(8.64e15)]) {
      await store.create(KEY, { payload: "a", expiresAt });
      await clock.advance(1000 * 365 * 24 * HOUR);
      assert.equal(await payloadOf(store, KEY), "a");
      assert.equal(await store.deleteExpired(), 0);
      assert.equal(await store.delete(KEY), true);
    }
  },
};

/** `deleteExpired` of a store whose expired records lie there until they are removed. */
export const storeCleanUpCases: StoreCases = {
  "deleteExpired of an empty store removes nothing": async (store) => {
    assert.equal(await store.deleteExpired(), 0);
  },

  "deleteExpired removes the expired records, says how many, and leaves the others": async (store, clock) => {
    await fill(store, 5, clock.in(1000));
    await store.create(KEY, { payload: "live", expiresAt: clock.in(1001) });
    await clock.advance(1000);
    assert.equal(await store.deleteExpired(), 5);
    assert.equal(await store.deleteExpired(), 0);
    assert.equal(await payloadOf(store, KEY), "live");
  },

  "deleteExpired removes in batches, and reports after each": async (store, clock) => {
    await fill(store, 25, clock.in(1000));
    await clock.advance(1000);
    const progress: DeleteExpiredProgress[] = [];
    assert.equal(await store.deleteExpired({ batchSize: 10, onProgress: (step) => progress.push(step) }), 25);
    assert.deepEqual(progress, [
      { deleted: 10, total: 25 },
      { deleted: 20, total: 25 },
      { deleted: 25, total: 25 },
    ]);
  },

  "deleteExpired reports nothing where nothing is left to remove": async (store, clock) => {
    await fill(store, 20, clock.in(1000));
    await clock.advance(1000);
    const progress: number[] = [];
    const onProgress = ({ deleted }: DeleteExpiredProgress) => progress.push(deleted);
    assert.equal(await store.deleteExpired({ batchSize: 10, onProgress }), 20);
    assert.equal(await store.deleteExpired({ batchSize: 10, onProgress }), 0);
    assert.deepEqual(progress, [10, 20]);
  },

  "deleteExpired refuses a batch size that would never end": async (store, clock) => {
    await fill(store, 1, clock.in(-1));
    await refusesBatchSizes(store);
    assert.equal(await store.deleteExpired({ batchSize: 1 }), 1);
  },

  "deleteExpired stops between two batches when aborted, and goes on when called again": async (store, clock) => {
    await fill(store, 25, clock.in(1000));
    await clock.advance(1000);
    const controller = new AbortController();
    const { signal } = controller;
    assert.equal(await store.deleteExpired({ batchSize: 10, signal, onProgress: () => controller.abort() }), 10);
    assert.equal(await store.deleteExpired({ signal }), 0);
    assert.equal(await store.deleteExpired(), 15);
  },

  "several deleteExpired at once remove each expired record once": async (store, clock) => {
    await fill(store, 100, clock.in(1000));
    await clock.advance(1000);
    const deleted = await atOnce(5, () => store.deleteExpired({ batchSize: 7 }));
    assert.equal(
      deleted.reduce((sum, count) => sum + count),
      100,
    );
  },

  "deleteExpired leaves live sessions alone while they are renewed": async (store, clock) => {
    await fill(store, 100, clock.in(-1));
    const keys = Array.from({ length: CROWD }, (_, n) => numberedKey(1000 + n));
    for (const key of keys) await store.create(key, { payload: "0", expiresAt: clock.in(1) });
    let renewed = 0;
    const renewals: Promise<unknown>[] = [];
    // Each batch sees another session renewed just before it would have expired.
    const onProgress = () => {
      const key = keys[renewed++];
      if (key) renewals.push(store.update(key, { payload: "1", expiresAt: clock.in(HOUR) }, "0"));
    };
    assert.equal(await store.deleteExpired({ batchSize: 2, onProgress }), 100);
    assert.deepEqual(await Promise.all(renewals), new Array(CROWD).fill(true));
    await clock.advance(1);
    for (const key of keys) assert.equal(await payloadOf(store, key), "1");
  },

  "deleteExpired leaves a session that was created meanwhile under an expired key": async (store, clock) => {
    await fill(store, 20, clock.in(-1));
    const creations: Promise<boolean>[] = [];
    const onProgress = () => {
      if (creations.length > 0) return;
      for (let n = 0; n < 20; n++) {
        creations.push(store.create(numberedKey(n), { payload: "new", expiresAt: clock.in(HOUR) }));
      }
    };
    await store.deleteExpired({ batchSize: 5, onProgress });
    const created = await Promise.all(creations);
    for (const [n, isNew] of created.entries()) {
      assert.equal(await payloadOf(store, numberedKey(n)), isNew ? "new" : null);
    }
    assert.ok(created.some(Boolean));
  },
};

/** `deleteExpired` of a store whose backend removes them by itself. */
export const selfExpiringCases: StoreCases = {
  "deleteExpired removes nothing, for expired records remove themselves": async (store, clock) => {
    await fill(store, 5, clock.in(1000 * clock.tick));
    await store.create(KEY, { payload: "live", expiresAt: clock.in(2000 * clock.tick) });
    await clock.advance(1000 * clock.tick);
    assert.equal(await store.deleteExpired(), 0);
    assert.equal(await payloadOf(store, KEY), "live");
  },

  // A program that moves to another store should not learn of its mistake only then.
  "deleteExpired refuses a batch size that would never end elsewhere": async (store) => {
    await refusesBatchSizes(store);
    assert.equal(await store.deleteExpired({ batchSize: 1 }), 0);
  },
};

async function refusesBatchSizes(store: SessionStore): Promise<void> {
  for (const batchSize of [0, -1, 0.5, Number.NaN]) {
    await assert.rejects(store.deleteExpired({ batchSize }), { name: "SessionError", code: "ERR_CONFIG" });
  }
}

async function fill(store: SessionStore, count: number, expiresAt: Date): Promise<void> {
  await atOnce(count, (n) => store.create(numberedKey(n), { payload: "expired", expiresAt }));
}
