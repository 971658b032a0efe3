import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { access } from "node:fs/promises";
import { describe, type TestContext, test } from "node:test";
import { inspect } from "node:util";
import type { SessionStore } from "../../src/core/contracts.ts";
import { SessionError } from "../../src/core/errors.ts";
import type { SessionEvents } from "../../src/core/events.ts";
import { fingerprint } from "../../src/core/key.ts";
import { cachedStore } from "../../src/stores/cached/store.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { numberedKey } from "../../src/testing/store-case.ts";
import { listing, through } from "./caches.ts";

const KEY = "k3y0fas3ss10nk3y0fas3ss10nk3y0fa";
const OTHER_KEY = "0therk3y0therk3y0therk3y0therk3y";
const expiresAt = new Date(8e15);

/** What the cache does when it is asked. */
type Fate = (operation: keyof SessionStore, run: () => Promise<unknown>) => Promise<unknown>;

const works: Fate = (_operation, run) => run();
const hangs: Fate = () => new Promise(() => {});
const fails: Fate = async () => {
  throw new Error("ECONNREFUSED");
};
const failsTo =
  (...operations: (keyof SessionStore)[]): Fate =>
  (operation, run) =>
    operations.includes(operation) ? fails(operation, run) : run();

/** Answers, but does not do it. */
const refuses: Fate = async (operation, run) => {
  if (operation === "update") return false;
  if (operation === "delete") throw new SessionError("ERR_SESSION_CONFLICT", "others were faster");
  return run();
};

/** A session in the database and the cache, seen by two processes: one whose way to the cache has a fate, and another. */
async function world(t: TestContext) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const asked: string[] = [];
  const failures: SessionEvents["sojourn:cache-failed"][] = [];
  const collect = (event: unknown) => failures.push(event as SessionEvents["sojourn:cache-failed"]);
  subscribe("sojourn:cache-failed", collect);
  t.after(() => unsubscribe("sojourn:cache-failed", collect));
  let fate = works;
  const cache = memoryStore();
  const database = memoryStore();
  const fated = through(cache, (operation, run) => fate(operation, run) as ReturnType<typeof run>);
  const store = cachedStore(listing(fated, "cache", asked), listing(database, "database", asked));
  const other = cachedStore(cache, database);
  await store.create(KEY, { payload: "1", expiresAt });
  asked.length = 0;
  return {
    store,
    other,
    cache,
    database,
    failures,
    taken: () => asked.splice(0),
    isFated(next: Fate) {
      fate = next;
    },
    async pass(ms: number) {
      await settled();
      tick(t, ms);
      await settled();
    },
  };
}

/** Step by step, for a mocked timer that is set by another one starts when all of the time has passed. */
function tick({ mock }: TestContext, ms: number): void {
  const step = 25;
  for (let left = ms; left > 0; left -= step) mock.timers.tick(Math.min(step, left));
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
}

const payloadOf = async (store: SessionStore, key = KEY) => (await store.load(key))?.payload ?? null;

describe("a cache that hangs", () => {
  test("costs the request that meets it 100 to 125 ms, and the next ones nothing", async (t) => {
    const { store, isFated, pass, taken } = await world(t);
    isFated(hangs);
    let isAnswered = false;
    const first = payloadOf(store).finally(() => {
      isAnswered = true;
    });
    await pass(75);
    assert.equal(isAnswered, false);
    // Time is counted in quarters, of which the first may have begun before.
    await pass(50);
    assert.equal(await first, "1");
    assert.deepEqual(taken(), ["cache load", "database load"]);
    assert.equal(await payloadOf(store), "1");
    assert.equal(await store.update(KEY, { payload: "2", expiresAt }, "1"), true);
    assert.equal(await store.create(OTHER_KEY, { payload: "1", expiresAt }), true);
    assert.equal(await store.delete(OTHER_KEY), true);
    // What has to go from the cache is said at once, and nobody waits for the answer.
    assert.deepEqual(taken(), [
      ...["database load", "database update", "cache delete"],
      ...["database create", "database delete", "cache delete"],
    ]);
  });

  test("costs a write as much, however many operations the write would be", async (t) => {
    const { store, isFated, pass, taken } = await world(t);
    isFated(hangs);
    const update = store.update(KEY, { payload: "2", expiresAt }, "1");
    await pass(125);
    assert.equal(await update, true);
    assert.deepEqual(taken(), ["database update", "cache update", "cache delete"]);
  });

  test("waits cacheTimeoutMs, where that is set", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const hanging = through(memoryStore(), () => new Promise(() => {}));
    let isAnswered = false;
    const loading = cachedStore(hanging, memoryStore(), { cacheTimeoutMs: 200 })
      .load(KEY)
      .finally(() => {
        isAnswered = true;
      });
    tick(t, 199);
    await settled();
    assert.equal(isAnswered, false);
    tick(t, 1);
    await loading;
  });

  test("is asked again after a second, in the background, once for all requests", async (t) => {
    const { store, isFated, pass, taken } = await world(t);
    isFated(hangs);
    const first = payloadOf(store);
    await pass(125);
    await first;
    taken();
    await pass(1000);
    assert.deepEqual(taken(), ["cache load"]);
    const others = [payloadOf(store), payloadOf(store)];
    assert.deepEqual(await Promise.all(others), ["1", "1"]);
    assert.deepEqual(taken(), ["database load", "database load"]);
    await pass(125);
    isFated(works);
    await pass(1000);
    assert.deepEqual(taken(), ["cache load"]);
    assert.equal(await payloadOf(store), "1");
    assert.deepEqual(taken(), ["cache load"]);
  });

  test("does not hang for a process that itself was busy when the answer came", async (t) => {
    const failures: unknown[] = [];
    const collect = (event: unknown) => failures.push(event);
    subscribe("sojourn:cache-failed", collect);
    t.after(() => unsubscribe("sojourn:cache-failed", collect));
    // An answer from outside, in one piece.
    const remote = through(memoryStore(), (operation, run) => (operation === "load" ? access(".").then(run) : run()));
    const loading = cachedStore(remote, memoryStore(), { cacheTimeoutMs: 5 }).load(KEY);
    for (const end = performance.now() + 200; performance.now() < end; );
    await loading;
    assert.deepEqual(failures, []);
  });

  test("is not what a process takes it for that was itself too busy to send the question", async (t) => {
    const failures: unknown[] = [];
    const collect = (event: unknown) => failures.push(event);
    subscribe("sojourn:cache-failed", collect);
    t.after(() => unsubscribe("sojourn:cache-failed", collect));
    // As node-redis, which writes in a later turn, and reads in one after that.
    const remote = through(memoryStore(), async (_, run) => {
      for (let turn = 0; turn < 8; turn++) await new Promise(setImmediate);
      return run();
    });
    const loading = cachedStore(remote, memoryStore(), { cacheTimeoutMs: 20 }).load(KEY);
    for (let turn = 0; turn < 10; turn++) {
      for (const end = performance.now() + 50; performance.now() < end; );
      await new Promise(setImmediate);
    }
    await loading;
    assert.deepEqual(failures, []);
  });

  test("is given up in the end by a process that is always busy", async () => {
    const hanging = through(memoryStore(), () => new Promise(() => {}));
    let isAnswered = false;
    const loading = cachedStore(hanging, memoryStore(), { cacheTimeoutMs: 4 })
      .load(KEY)
      .finally(() => {
        isAnswered = true;
      });
    for (let turn = 0; turn < 300 && !isAnswered; turn++) {
      for (const end = performance.now() + 5; performance.now() < end; );
      await new Promise(setImmediate);
    }
    assert.equal(isAnswered, true);
    await loading;
  });

  test("does not keep the process from ending, nor do removals that are yet to be made", () => {
    const script = `
      import { cachedStore, memoryStore } from ${JSON.stringify(new URL("../../src/index.js", import.meta.url).href)};
      const hang = () => new Promise(() => {});
      const record = { payload: "1", expiresAt: new Date(8e15) };
      const store = cachedStore({ ...memoryStore(), load: hang, delete: hang }, memoryStore());
      await cachedStore(memoryStore(), memoryStore(), { cacheTimeoutMs: 1e6 }).load("${KEY}");
      await store.create("${KEY}", record);
      await store.delete("${KEY}");
      console.log(await store.load("${KEY}"));`;
    const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
      timeout: 30_000,
    });
    assert.deepEqual([status, stdout], [0, "null\n"]);
  });
});

describe("a cache that fails", () => {
  test("fails no request", async (t) => {
    for (const fate of [
      fails,
      () => {
        throw new Error("at once");
      },
      () => Promise.reject("not even an error"),
    ]) {
      const { store, isFated } = await world(t);
      isFated(fate);
      assert.equal(await payloadOf(store), "1");
      assert.equal(await store.update(KEY, { payload: "2", expiresAt }, "1"), true);
      assert.equal(await payloadOf(store), "2");
      assert.equal(await store.delete(KEY), true);
      assert.equal(await payloadOf(store), null);
      assert.equal(await store.create(KEY, { payload: "3", expiresAt }), true);
      assert.equal(await payloadOf(store), "3");
      t.mock.timers.reset();
    }
  });

  test("after its time-out, disturbs nobody", async (t) => {
    const { store, isFated, pass } = await world(t);
    let fail = (_: Error) => {};
    isFated(
      () =>
        new Promise((_, reject) => {
          fail = reject;
        }),
    );
    const loading = payloadOf(store);
    await pass(125);
    assert.equal(await loading, "1");
    fail(new Error("much too late"));
    await settled();
  });

  test("is reported, with the operation and the session's fingerprint", async (t) => {
    const { store, isFated, failures, pass } = await world(t);
    isFated(failsTo("update", "delete"));
    await store.update(KEY, { payload: "2", expiresAt }, "1");
    await pass(1000);
    const session = fingerprint(KEY);
    assert.deepEqual(failures, [
      { session, operation: "update", error: "ECONNREFUSED" },
      { session, operation: "delete", error: "ECONNREFUSED" },
      { session, operation: "delete", error: "ECONNREFUSED" },
    ]);
  });

  test("by hanging is reported as such", async (t) => {
    const { store, isFated, failures, pass } = await world(t);
    isFated(hangs);
    const loading = store.load(KEY);
    await pass(125);
    await loading;
    assert.deepEqual(failures, [{ session: fingerprint(KEY), operation: "load", error: "no answer within 100 ms" }]);
  });

  test("with a damaged entry is reported, and goes on being asked", async (t) => {
    const { store, cache, failures, taken } = await world(t);
    await cache.update(KEY, { payload: "=damaged", expiresAt });
    await store.load(KEY);
    assert.equal(failures.length, 1);
    assert.match(failures[0]!.error, /cannot be read/);
    await store.load(KEY);
    taken();
    await store.load(KEY);
    assert.deepEqual(taken(), ["cache load"]);
  });

  test("is reported without the session key, whatever its error says", async (t) => {
    const { store, isFated, failures } = await world(t);
    isFated(() => Promise.reject(Object.assign(new Error(`GET :1:${KEY} failed`), { command: ["GET", KEY] })));
    await store.load(KEY);
    assert.equal(failures.length, 1);
    assert.ok(!inspect(failures, { depth: 10 }).includes(KEY));
  });

  test("only for this session, which is too large for it, serves the others, and keeps nothing old of this one", async (t) => {
    const { store, cache, isFated, taken } = await world(t);
    await store.create(OTHER_KEY, { payload: "1", expiresAt });
    isFated((operation, run) =>
      operation === "update" ? Promise.reject(new SessionError("ERR_SESSION_TOO_LARGE", "1 MB")) : run(),
    );
    assert.equal(await store.update(KEY, { payload: "large", expiresAt }, "1"), true);
    assert.equal(await cache.load(KEY), null);
    assert.equal(await payloadOf(store), "large");
    taken();
    assert.equal(await payloadOf(store, OTHER_KEY), "1");
    assert.deepEqual(taken(), ["cache load"]);
  });

  test("to be reached, says so by ERR_SESSION_UNAVAILABLE, and is not asked for a second", async (t) => {
    const { store, isFated, taken } = await world(t);
    isFated(() => Promise.reject(new SessionError("ERR_SESSION_UNAVAILABLE", "down")));
    await store.load(KEY);
    taken();
    await store.load(KEY);
    assert.deepEqual(taken(), ["database load"]);
  });
});

describe("an entry that could not be removed", () => {
  const changes: Record<string, { change: (store: SessionStore) => Promise<boolean>; truth: string | null }> = {
    "after a write": { change: (store) => store.update(KEY, { payload: "2", expiresAt }, "1"), truth: "2" },
    "after a write that expects nothing": {
      change: (store) => store.update(KEY, { payload: "2", expiresAt }),
      truth: "2",
    },
    "after a logout": { change: (store) => store.delete(KEY), truth: null },
  };
  for (const [name, { change, truth }] of Object.entries(changes)) {
    const fates = {
      "could not be reached": fails,
      "took no writes": failsTo("create", "update", "delete"),
      refused: refuses,
    };
    for (const [how, fate] of Object.entries(fates)) {
      test(`${name}, because the cache ${how}, is not read here, and nowhere a second after the cache is back`, async (t) => {
        const { store, other, cache, isFated, pass } = await world(t);
        isFated(fate);
        assert.equal(await change(store), true);
        assert.equal(await payloadOf(other), "1", "what others see until then");
        for (let seconds = 0; seconds < 3; seconds++) {
          assert.equal(await payloadOf(store), truth);
          await pass(1000);
        }
        isFated(works);
        assert.equal(await payloadOf(store), truth);
        await pass(1000);
        assert.equal(await cache.load(KEY), null);
        assert.equal(await payloadOf(other), truth);
        assert.equal(await payloadOf(store), truth);
      });
    }
  }

  test("cannot be there of a session that was created meanwhile", async (t) => {
    const { store, isFated, pass, taken } = await world(t);
    isFated(fails);
    await store.load(KEY);
    await store.create(OTHER_KEY, { payload: "1", expiresAt });
    isFated(works);
    taken();
    await pass(1000);
    assert.deepEqual(taken(), ["cache load"]);
  });

  test("is removed with the others, each once, when one question a second was answered", async (t) => {
    const { store, isFated, pass, taken } = await world(t);
    isFated(fails);
    for (const key of [KEY, OTHER_KEY, KEY]) await store.delete(key);
    taken();
    for (let seconds = 0; seconds < 3; seconds++) {
      await pass(1000);
      assert.deepEqual(taken(), ["cache load"]);
    }
    isFated(works);
    taken();
    await pass(1000);
    assert.deepEqual(taken(), ["cache load", "cache delete", "cache delete"]);
    await pass(5000);
    assert.deepEqual(taken(), []);
  });

  test("is not read though the cache works, until it has been removed", async (t) => {
    const { store, isFated, taken, pass } = await world(t);
    let answer = () => {};
    isFated((operation, run) => {
      if (operation === "delete") return fails(operation, run);
      return new Promise<void>((resolve) => {
        answer = resolve;
      }).then(run);
    });
    const slow = store.load(OTHER_KEY);
    await store.delete(KEY);
    answer();
    isFated(works);
    await slow;
    taken();
    await store.load(KEY);
    assert.deepEqual(taken(), ["database load"]);
    await store.load(OTHER_KEY);
    assert.equal(taken()[0], "cache load");
    await pass(1000);
    assert.deepEqual(taken(), ["cache delete"]);
    await store.load(KEY);
    assert.equal(taken()[0], "cache load");
  });

  test("because its key is refused for reasons of its own keeps no other from being removed", async (t) => {
    const { store, isFated, taken, pass } = await world(t);
    isFated(fails);
    for (const key of [KEY, OTHER_KEY]) await store.delete(key);
    let refusals = 0;
    isFated((operation, run) =>
      operation === "delete" && refusals++ === 0
        ? Promise.reject(new SessionError("ERR_SESSION_CONFLICT", "others were faster"))
        : run(),
    );
    taken();
    await pass(1000);
    assert.deepEqual(taken(), ["cache load", "cache delete", "cache delete"]);
    await pass(1000);
    assert.deepEqual(taken(), ["cache delete"]);
    await pass(1000);
    assert.deepEqual(taken(), []);
  });

  test("stays unread when a removal succeeds that was asked for before", async (t) => {
    const { store, cache, database, isFated } = await world(t);
    let answer = () => {};
    isFated(
      (_operation, run) =>
        new Promise((resolve) => {
          const removed = run();
          answer = () => resolve(removed);
        }),
    );
    const first = store.delete(KEY);
    await settled();
    await cachedStore(cache, database).create(KEY, { payload: "2", expiresAt });
    isFated(fails);
    await store.update(KEY, { payload: "3", expiresAt }, "2");
    answer();
    await first;
    isFated(works);
    assert.equal(await payloadOf(store), "3");
  });

  test("is removed however late the cache comes back: what Django put there does not expire with our entries", async (t) => {
    const { store, isFated, pass, taken } = await world(t);
    let time = performance.now();
    t.mock.method(performance, "now", () => time);
    isFated(fails);
    await store.delete(KEY);
    time += 1e9;
    await pass(1000);
    isFated(works);
    taken();
    await pass(1000);
    assert.deepEqual(taken(), ["cache load", "cache delete"]);
    await pass(5000);
    assert.deepEqual(taken(), []);
  });

  test("is among 10,000 at most that are remembered: beyond, no entry is read for as long", async (t) => {
    const { store, isFated, pass, taken } = await world(t);
    let time = performance.now();
    t.mock.method(performance, "now", () => time);
    isFated(fails);
    for (let n = 0; n < 10_000; n++) await store.delete(numberedKey(n));
    await store.update(KEY, { payload: "2", expiresAt }, "1");
    taken();
    isFated(works);
    await pass(1000);
    for (let turn = 0; turn < 1000; turn++) await new Promise(setImmediate);
    assert.equal(taken().filter((operation) => operation === "cache delete").length, 10_000);
    await pass(1000);
    assert.deepEqual(taken(), []);
    time += 304_999;
    assert.equal(await payloadOf(store), "2");
    assert.deepEqual(taken(), ["database load"]);
    time += 1;
    await store.load(KEY);
    assert.equal(taken()[0], "cache load");
  });
});
