import assert from "node:assert/strict";
import { inspect } from "node:util";
import type { SessionData } from "../core/contracts.ts";
import { SessionError } from "../core/errors.ts";
import { DATA, dataOf, type EngineCases, loaded, merging, notNeeded } from "./engine-case.ts";
import { atOnce, CROWD, HOUR } from "./store-case.ts";

const INTERRUPTED = { name: "SessionError", code: "ERR_SESSION_INTERRUPTED" };

/** Where sessions are kept at the server, and the token is their key. */
export const storeEngineCases: EngineCases = {
  "the token tells nothing of the data, and stays the same": async ({ engine, saving }) => {
    const created = await engine.create({ ...DATA }, saving());
    assert.ok(!Buffer.from(created.token, "base64url").includes("alice"));
    const updated = await engine.update(created, { n: 1 }, saving(), notNeeded);
    assert.equal(updated.token, created.token);
    assert.equal(engine.maxCookies, undefined);
  },

  "a deleted session is missing, and neither update nor cycle brings it back": async ({ engine, saving }) => {
    const stored = await engine.create({ ...DATA }, saving());
    await engine.delete(stored.token);
    assert.equal(await engine.load(stored.token), "missing");
    await assert.rejects(engine.update(stored, { n: 1 }, saving(), merging), INTERRUPTED);
    await assert.rejects(engine.cycle(stored, { n: 1 }, saving(), merging), INTERRUPTED);
    assert.equal(await engine.load(stored.token), "missing");
  },

  "the old token is dead after cycle, and so is who still holds it": async ({ engine, saving }) => {
    const stored = await engine.create({ ...DATA }, saving());
    await engine.cycle(stored, { ...DATA }, saving(), notNeeded);
    assert.equal(await engine.load(stored.token), "missing");
    await assert.rejects(engine.update(stored, { n: 1 }, saving(), merging), INTERRUPTED);
    await assert.rejects(engine.cycle(stored, { n: 1 }, saving(), merging), INTERRUPTED);
  },

  "what is left of a session that is gone begins a new one, if that is wanted": async ({ engine, saving }) => {
    for (const late of [engine.update, engine.cycle]) {
      const stored = await engine.create({ uid: "alice" }, saving());
      await engine.delete(stored.token);
      const begun = await late(stored, { uid: "alice", theme: "dark" }, saving(), (mine, base, theirs) => {
        assert.equal(theirs, null);
        assert.deepEqual({ ...base }, { uid: "alice" });
        delete mine.uid;
      });
      assert.notEqual(begun.token, stored.token);
      assert.equal(await engine.load(stored.token), "missing");
      assert.deepEqual(await dataOf(engine, begun.token), { theme: "dark" });
    }
  },

  "a logout that knows only an old token ends the session where it is now": async ({ engine, saving }) => {
    const first = await engine.create({ ...DATA }, saving());
    const second = await engine.cycle(first, { ...DATA }, saving(), notNeeded);
    const third = await engine.cycle(second, { ...DATA }, saving(), notNeeded);
    const other = await engine.create({ ...DATA }, saving());
    await engine.delete(first.token);
    for (const { token } of [first, second, third]) assert.equal(await engine.load(token), "missing");
    await assert.rejects(engine.update(third, { n: 1 }, saving(), merging), INTERRUPTED);
    assert.deepEqual(await dataOf(engine, other.token), DATA);
  },

  "a session ends when its last save said": async ({ engine, clock, saving }) => {
    const first = await engine.create({ n: 1 }, saving());
    const second = await engine.create({ n: 2 }, saving());
    await clock.advance(HOUR / 2);
    await engine.update(second, { n: 3 }, saving(), notNeeded);
    await clock.advance(HOUR / 2);
    assert.equal(await engine.load(first.token), "missing");
    await assert.rejects(engine.update(first, { n: 4 }, saving(), merging), INTERRUPTED);
    assert.deepEqual(await dataOf(engine, second.token), { n: 3 });
    await clock.advance(HOUR / 2);
    assert.equal(await engine.load(second.token), "missing");
  },

  "expiry follows from the data that are stored, merged ones too": async ({ engine, clock, saving }) => {
    const stored = await engine.create({ hours: 1 }, saving());
    await engine.update(stored, { hours: 3 }, saving(), notNeeded);
    const byData = { now: clock.now(), expiresAt: (data: SessionData) => clock.in(Number(data.hours) * HOUR) };
    await engine.update(stored, { hours: 1, n: 1 }, byData, merging);
    await clock.advance(2 * HOUR);
    assert.deepEqual(await dataOf(engine, stored.token), { hours: 3, n: 1 });
    await clock.advance(HOUR);
    assert.equal(await engine.load(stored.token), "missing");
  },

  "an update that comes late is reconciled with what it overtook": async ({ engine, saving }) => {
    const stored = await engine.create({ a: 1, b: 1 }, saving());
    await engine.update(stored, { a: 2, b: 1 }, saving(), notNeeded);
    const calls: SessionData[][] = [];
    const updated = await engine.update(stored, { a: 1, b: 2 }, saving(), (mine, base, theirs) => {
      calls.push([{ ...mine }, { ...base }, { ...theirs }]);
      merging(mine, base, theirs);
    });
    assert.deepEqual(calls, [
      [
        { a: 1, b: 2 },
        { a: 1, b: 1 },
        { a: 2, b: 1 },
      ],
    ]);
    assert.deepEqual(await dataOf(engine, updated.token), { a: 2, b: 2 });
  },

  "a cycle that comes late carries over what it overtook": async ({ engine, saving }) => {
    const stored = await engine.create({ a: 1 }, saving());
    await engine.update(stored, { a: 1, b: 1 }, saving(), notNeeded);
    const cycled = await engine.cycle(stored, { a: 2 }, saving(), merging);
    assert.deepEqual(await dataOf(engine, cycled.token), { a: 2, b: 1 });
    assert.equal(await engine.load(stored.token), "missing");
  },

  "of many parallel updates none is lost": async ({ engine, saving }) => {
    const stored = await engine.create({}, saving());
    await atOnce(CROWD, (n) => engine.update(stored, { [`k${n}`]: n }, saving(), merging));
    const expected = Object.fromEntries(Array.from({ length: CROWD }, (_, n) => [`k${n}`, n]));
    assert.deepEqual(await dataOf(engine, stored.token), expected);
  },

  "of many parallel cycles one succeeds, and the others are told": async ({ engine, saving }) => {
    const stored = await engine.create({ ...DATA }, saving());
    const codes = await atOnce(10, (n) =>
      engine.cycle(stored, { n }, saving(), merging).then(
        () => "cycled",
        (error: SessionError) => error.code,
      ),
    );
    assert.deepEqual(codes.sort(), [...Array(9).fill("ERR_SESSION_INTERRUPTED"), "cycled"]);
  },

  "a delete among parallel updates is final": async ({ engine, saving }) => {
    const stored = await engine.create({}, saving());
    await atOnce(CROWD, async (n) => {
      if (n === CROWD / 2) return engine.delete(stored.token);
      const late = (error: SessionError) => assert.equal(error.code, "ERR_SESSION_INTERRUPTED");
      return engine.update(stored, { [`k${n}`]: n }, saving(), merging).then(() => {}, late);
    });
    assert.equal(await engine.load(stored.token), "missing");
  },

  "clean-up removes what has expired, and says how many": async ({ engine, clock, saving }) => {
    await atOnce(3, (n) => engine.create({ n }, saving()));
    await clock.advance(HOUR);
    const { token } = await engine.create({ ...DATA }, saving());
    const progress: number[] = [];
    const options = { batchSize: 2, onProgress: ({ deleted }: { deleted: number }) => progress.push(deleted) };
    const deleted = await engine.deleteExpired(options);
    // A backend that removes them by itself leaves nothing to do.
    assert.ok(deleted === 3 || deleted === 0, String(deleted));
    assert.equal(progress.at(-1) ?? 0, deleted);
    assert.deepEqual(await dataOf(engine, token), DATA);
  },

  "a fault of the backend is ERR_SESSION_UNAVAILABLE with its cause, and tells no key": async (bench) => {
    const { engine, saving } = bench;
    const stored = await engine.create({ ...DATA }, saving());
    bench.breakBackend();
    const operations: Record<string, () => Promise<unknown>> = {
      load: () => engine.load(stored.token),
      create: () => engine.create({}, saving()),
      update: () => engine.update(stored, {}, saving(), notNeeded),
      cycle: () => engine.cycle(stored, {}, saving(), notNeeded),
      delete: () => engine.delete(stored.token),
      deleteExpired: () => engine.deleteExpired(),
    };
    for (const [name, operation] of Object.entries(operations)) {
      await assert.rejects(operation(), (error: unknown) => {
        assert.ok(error instanceof SessionError, `${name}: ${error}`);
        assert.equal(error.code, "ERR_SESSION_UNAVAILABLE", name);
        assert.ok(error.cause, name);
        assert.ok(!inspect(error, { depth: 10 }).includes(stored.token), name);
        return true;
      });
    }
  },
};

/** Where the token is the session itself, and nothing is kept at the server. */
export const cookieEngineCases: EngineCases = {
  "a session tells when it was written, to the second: each save begins its life anew": async (bench) => {
    const { engine, clock, saving } = bench;
    let stored = await engine.create({ ...DATA }, saving());
    for (const save of [engine.update, engine.cycle]) {
      const { savedAt } = await loaded(engine, stored.token);
      assert.ok(savedAt && Math.abs(savedAt.getTime() - clock.now().getTime()) < 1000, String(savedAt));
      await clock.advance(HOUR);
      stored = await save(stored, { ...DATA }, saving(), notNeeded);
    }
    assert.deepEqual((await loaded(engine, stored.token)).savedAt, clock.now());
  },

  "the token is the session: another save, another token": async ({ engine, saving }) => {
    const created = await engine.create({ n: 1 }, saving());
    const updated = await engine.update(created, { n: 2 }, saving(), notNeeded);
    assert.notEqual(updated.token, created.token);
    assert.ok(engine.maxCookies! >= 1);
  },

  "an expiry that nobody could read is refused when it is written": async ({ engine, clock }) => {
    const unreadable = {
      now: clock.now(),
      expiresAt: () => {
        throw new SessionError("ERR_SESSION_VALUE", "no expiry");
      },
    };
    await assert.rejects(engine.create({}, unreadable), { code: "ERR_SESSION_VALUE" });
  },

  "a token that does not verify is corrupted, not missing: a wrong secret must not log everybody out": async (
    bench,
  ) => {
    const { engine, saving } = bench;
    const { token } = await engine.create({ ...DATA }, saving());
    const changed = (token[0] === "a" ? "b" : "a") + token.slice(1);
    assert.equal(await engine.load(changed), "corrupted");
  },
};
