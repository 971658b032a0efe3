import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, type TestContext, test } from "node:test";
import { newBudget } from "../../src/core/budget.ts";
import type { Saving, SessionStore } from "../../src/core/contracts.ts";
import type { SessionError } from "../../src/core/errors.ts";
import { djangoCodec } from "../../src/django/codec.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { memoryStore } from "../../src/stores/memory.ts";

const codec = djangoCodec({ secretKey: "a secret key for tests, 32 characters at least" });
const saving = (): Saving => ({ now: new Date(), expiresAt: () => new Date(Date.now() + 60_000) });
const unavailable = { name: "SessionError", code: "ERR_SESSION_UNAVAILABLE" };
const KEY = "abcdefghijklmnopqrstuvwxyz012345";

/** A monotonic clock that a test moves. */
function clock(t: TestContext) {
  // Whole, for sums of fractions are not exact.
  let now = Math.ceil(performance.now());
  t.mock.method(performance, "now", () => now);
  return {
    pass(ms: number) {
      now += ms;
    },
  };
}

/** A store that counts what it is asked, and answers as it is told. */
function store(answer: (call: string) => void) {
  const inner = memoryStore();
  const calls: string[] = [];
  const told =
    <A extends unknown[], T>(name: string, method: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      calls.push(name);
      answer(name);
      return method(...args);
    };
  const counted: SessionStore = {
    load: told("load", inner.load),
    create: told("create", inner.create),
    update: told("update", inner.update),
    delete: told("delete", inner.delete),
    deleteExpired: told("deleteExpired", inner.deleteExpired),
  };
  return { inner, calls, engine: storeEngine(counted, codec) };
}

/** The events of a test, as they were published. */
function eventsOf(t: TestContext): string[] {
  const events: string[] = [];
  for (const name of ["sojourn:unavailable", "sojourn:available"]) {
    const listener = () => events.push(name);
    subscribe(name, listener);
    t.after(() => unsubscribe(name, listener));
  }
  return events;
}

describe("a store that does not answer", () => {
  test("is not asked any more after five operations, but once a second, until it answers", async (t) => {
    const { pass } = clock(t);
    const events = eventsOf(t);
    let isSilent = true;
    const { engine, calls } = store(() => {
      if (!isSilent) return;
      pass(600);
      throw new Error("no answer");
    });
    for (let n = 0; n < 100; n++) await assert.rejects(engine.load(KEY), unavailable);
    assert.equal(calls.length, 5);
    assert.deepEqual(events, ["sojourn:unavailable"]);

    pass(1000);
    for (let n = 0; n < 100; n++) await assert.rejects(engine.load(KEY), unavailable);
    assert.equal(calls.length, 6);

    isSilent = false;
    pass(1000);
    assert.equal(await engine.load(KEY), "missing");
    assert.equal(await engine.load(KEY), "missing");
    assert.equal(calls.length, 8);
    assert.deepEqual(events, ["sojourn:unavailable", "sojourn:available"]);
  });

  test("is no nearer to answering because requests have no time left to ask it", async (t) => {
    const { pass } = clock(t);
    const { engine, calls } = store(() => {
      pass(600);
      throw new Error("no answer");
    });
    const spent = { ...newBudget(50), leftMs: 0, usedAt: Number.POSITIVE_INFINITY };
    for (let n = 0; n < 10; n++) {
      await assert.rejects(engine.load(KEY), unavailable);
      await assert.rejects(engine.load(KEY, { ...spent }), unavailable);
    }
    assert.equal(calls.length, 5);
  });

  test("ends with the request's budget, whatever its driver does", async () => {
    const { inner } = store(() => {});
    const silent = { ...inner, load: () => new Promise<never>(() => {}) };
    await assert.rejects(storeEngine(silent, codec).load(KEY, newBudget(50)), unavailable);
  });

  test("does not keep the others waiting for whom it stopped at: saves of one session give up in time", async () => {
    const inner = memoryStore();
    const engine = storeEngine({ ...inner, update: () => new Promise<never>(() => {}) }, codec);
    const stored = await engine.create({ a: 1 }, saving());
    const save = () => engine.update(stored, { a: 2 }, { ...saving(), budget: newBudget(100) }, () => {});
    const outcomes = await Promise.allSettled([save(), save(), save()]);
    for (const outcome of outcomes) {
      assert.equal(outcome.status, "rejected");
      assert.equal((outcome.reason as SessionError).status, 503);
    }
  });
});

describe("a store that fails at once", () => {
  test("goes on being asked: half of it may work", async () => {
    const { engine, calls } = store((call) => {
      if (call === "create") throw new Error("READONLY");
    });
    for (let n = 0; n < 20; n++) {
      await assert.rejects(engine.create({}, saving()), unavailable);
      assert.equal(await engine.load(KEY), "missing");
    }
    assert.equal(calls.length, 40);
  });

  test("is asked once more for a session: a connection that died unnoticed is found by being used", async () => {
    let faults = 1;
    const { engine, calls } = store(() => {
      if (faults-- > 0) throw new Error("ECONNRESET");
    });
    assert.equal(await engine.load(KEY), "missing");
    assert.deepEqual(calls, ["load", "load"]);
  });

  test("is not asked twice after a while: the request's time is better spent on its answer", async (t) => {
    const { pass } = clock(t);
    const { engine, calls } = store(() => {
      pass(500);
      throw new Error("no answer");
    });
    await assert.rejects(engine.load(KEY), unavailable);
    assert.deepEqual(calls, ["load"]);
  });

  test("is never asked twice for a write, whose first may have been done", async () => {
    for (const broken of ["create", "update", "delete"]) {
      const { engine, calls, inner } = store((call) => {
        if (call === broken) throw new Error("ECONNRESET");
      });
      const payload = codec.encode({ a: 1 }, new Date());
      await inner.create(KEY, { payload, expiresAt: new Date(Date.now() + 60_000) });
      const stored = { token: KEY, payload, origin: undefined };
      const operations: Record<string, () => Promise<unknown>> = {
        create: () => engine.create({ a: 1 }, saving()),
        update: () => engine.update(stored, { a: 2 }, saving(), () => {}),
        delete: () => engine.delete(KEY),
      };
      await assert.rejects(operations[broken]!(), unavailable);
      assert.deepEqual(calls, [broken]);
    }
  });
});

describe("records that do not verify", () => {
  async function recordsOf(engine: ReturnType<typeof store>["engine"], inner: SessionStore, count: number) {
    const good = (await engine.create({ uid: "alice" }, saving())).token;
    const bad = Array.from({ length: count }, (_, n) => `bad${String(n).padStart(29, "0")}`);
    for (const key of bad) await inner.create(key, { payload: "x:y:z", expiresAt: new Date(Date.now() + 60_000) });
    return { good, bad };
  }

  test("are no session, one by one", async () => {
    const { engine, inner } = store(() => {});
    const { bad } = await recordsOf(engine, inner, 10);
    for (const key of bad) assert.equal(await engine.load(key), "corrupted");
    assert.ok(await inner.load(bad[0]!), "nothing is deleted");
  });

  test("are an outage when they are many: a wrong secret logs nobody out", async (t) => {
    const events = eventsOf(t);
    const { pass } = clock(t);
    const { engine, inner } = store(() => {});
    const { good, bad } = await recordsOf(engine, inner, 60);
    const answers = await Promise.all(bad.map((key) => engine.load(key).catch((error: SessionError) => error.code)));
    assert.equal(answers.filter((answer) => answer === "corrupted").length, 49);
    assert.deepEqual(new Set(answers.slice(49)), new Set(["ERR_SESSION_UNAVAILABLE"]));
    assert.equal(typeof (await engine.load(good)), "object", "what verifies is served");
    assert.deepEqual(events, ["sojourn:unavailable"]);

    // It goes on for as long as they do, also where few ask.
    pass(10_000);
    await assert.rejects(engine.load(bad[0]!), unavailable);
    for (let n = 0; n < 9; n++) await engine.load(good);
    pass(10_000);
    assert.equal(await engine.load(bad[0]!), "corrupted");
    assert.deepEqual(events, ["sojourn:unavailable", "sojourn:available"]);
  });

  test("are no outage where they are one in five or fewer", async () => {
    const { engine, inner } = store(() => {});
    const { good, bad } = await recordsOf(engine, inner, 1);
    for (let n = 0; n < 60; n++) {
      for (let m = 0; m < 4; m++) await engine.load(good);
      assert.equal(await engine.load(bad[0]!), "corrupted");
    }
  });
});

test("a store without one of its methods is refused when the engine is made", () => {
  const { deleteExpired: _, ...rest } = memoryStore();
  assert.throws(() => storeEngine(rest as SessionStore, codec), { code: "ERR_CONFIG", message: /deleteExpired/ });
});
