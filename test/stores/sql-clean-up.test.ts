import assert from "node:assert/strict";
import { syncBuiltinESMExports } from "node:module";
import { describe, type TestContext, test } from "node:test";
import timers from "node:timers/promises";
import type { SqlClient } from "../../src/stores/sql/dialect.ts";
import { mysql } from "../../src/stores/sql/mysql.ts";
import { postgres } from "../../src/stores/sql/postgres.ts";
import { sqlite } from "../../src/stores/sql/sqlite.ts";
import { sqlStore } from "../../src/stores/sql/store.ts";

/* The pauses between the batches of a clean-up, by a clock that only batches and pauses move. */

const BATCH = 100;

/** A database whose batches take `workMs` each, until `expired` rows are gone; and how long the clean-up pauses. */
function paced(t: TestContext, workMs: number, expired: number, onPause = () => {}) {
  let time = 0;
  const pauses: number[] = [];
  t.mock.method(performance, "now", () => time);
  // Not by mock.timers, which does not reach what a module imported by name.
  const sleep = t.mock.method(timers, "setTimeout", async (ms: number) => {
    pauses.push(Math.round(ms));
    time += ms;
    onPause();
  });
  syncBuiltinESMExports();
  t.after(() => {
    sleep.mock.restore();
    syncBuiltinESMExports();
  });
  let left = expired;
  const client: SqlClient = {
    async run() {
      time += workMs;
      const batch = Math.min(left, BATCH);
      left -= batch;
      return batch;
    },
    rows: async () => [[expired]],
  };
  return { client, pauses, time: () => time };
}

describe("a clean-up of a SQL store", () => {
  for (const [name, dialect, share] of [
    ["SQLite", sqlite, 0.03],
    ["PostgreSQL", postgres, 0.25],
    ["MySQL", mysql, 0.25],
  ] as const) {
    test(`takes ${share} of the time with ${name}, and leaves the rest to live traffic`, async (t) => {
      const { client, pauses, time } = paced(t, 6, 10 * BATCH);
      assert.equal(await sqlStore(client, dialect).deleteExpired(), 10 * BATCH);
      // One batch more finds that nothing is left, and no pause follows it.
      assert.deepEqual(pauses, new Array(10).fill(6 / share - 6));
      assert.equal(Math.round(((time() - 6) * share) / 6), 10);
    });
  }

  test("pauses 250 ms at most, however long a batch had to wait", async (t) => {
    for (const [workMs, pauseMs] of [
      [83, 249],
      [84, 250],
      [60_000, 250],
    ] as const) {
      const { client, pauses } = paced(t, workMs, BATCH);
      await sqlStore(client, postgres).deleteExpired();
      assert.deepEqual(pauses, [pauseMs]);
      t.mock.restoreAll();
    }
  });

  test("ends without a pause after a batch that was not full", async (t) => {
    const { client, pauses } = paced(t, 6, BATCH - 1);
    assert.equal(await sqlStore(client, sqlite).deleteExpired(), BATCH - 1);
    assert.deepEqual(pauses, []);
  });

  test("that is stopped during a pause deletes no more", async (t) => {
    const controller = new AbortController();
    const { client, pauses } = paced(t, 6, 5 * BATCH, () => {
      if (pauses.length === 2) controller.abort();
    });
    assert.equal(await sqlStore(client, sqlite).deleteExpired({ signal: controller.signal }), 2 * BATCH);
  });
});
