import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LoadedRecord, SessionStore } from "../../src/core/contracts.ts";
import { cachedStore } from "../../src/stores/cached/store.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { through } from "./caches.ts";
import { type Gate, inEveryOrder } from "./interleavings.ts";

const KEY = "k3y0fas3ss10nk3y0fas3ss10nk3y0fa";
const expiresAt = new Date(8e15);

/** The truth. */
interface World {
  readonly cache: SessionStore;
  readonly database: SessionStore;
  /** Every state of the session that the database has had, `null` for none. */
  readonly states: (string | null)[];
  /** Which of them was the last to be acknowledged. */
  acknowledged: number;
  /** Lets a second go by. */
  readonly tick: () => void;
  /** What a program found wrong. */
  error: unknown;
}

/** What one process does, through a store of its own. */
type Program = (world: World, store: SessionStore, name: string, itsCache: SessionStore) => Promise<void>;

/** Reads, and looks whether the answer is the state that was acknowledged when it asked, or a later one. */
async function read({ states, acknowledged }: World, store: SessionStore, who: string): Promise<string | null> {
  const loaded: LoadedRecord | null = await store.load(KEY);
  const state = loaded && String(loaded.payload);
  assert.ok(states.includes(state, acknowledged), `${who} read ${state} after ${states.slice(0, acknowledged + 1)}`);
  return state;
}

function acknowledge(world: World, state: string | null): void {
  world.acknowledged = Math.max(world.acknowledged, world.states.lastIndexOf(state));
}

const reader: Program = async (world, store, name) => {
  await read(world, store, name);
};

/** Reads what may be old, and fills the cache. */
const unluckyReader: Program = async (_world, store) => {
  await store.load(KEY);
};

/** As the engine does: expects what it has seen, and looks again where that was refused. */
const writer: Program = async (world, store, name) => {
  for (let seen: string | null = "1"; seen !== null; seen = await read(world, store, name)) {
    if (await update(world, store, name, seen)) return;
  }
};

/** Expects what it is told to, and tries once. */
const writerOver =
  (seen: string): Program =>
  async (world, store, name) => {
    await update(world, store, name, seen);
  };

async function update(world: World, store: SessionStore, name: string, seen: string): Promise<boolean> {
  const payload = `${Number.parseInt(seen, 10) + 1}${name}`;
  const isUpdated = await store.update(KEY, { payload, expiresAt }, seen);
  if (isUpdated) acknowledge(world, payload);
  return isUpdated;
}

const blindWriter: Program = async (world, store, name) => {
  if (await store.update(KEY, { payload: `50${name}`, expiresAt })) acknowledge(world, `50${name}`);
};

const logout: Program = async (world, store) => {
  if (await store.delete(KEY)) acknowledge(world, null);
};

const creator: Program = async (world, store, name) => {
  if (await store.create(KEY, { payload: `90${name}`, expiresAt })) acknowledge(world, `90${name}`);
};

const inTurn =
  (...programs: Program[]): Program =>
  async (...actors) => {
    for (const program of programs) await program(...actors);
  };

/** The cache's own doing: an eviction, a restart. */
const forgetting: Program = async (_world, _store, _name, cache) => {
  await cache.delete(KEY);
};

/** A second goes by, at any time. */
const second: Program = async ({ tick }, _store, _name, cache) => {
  await cache.load(KEY);
  tick();
};

interface Scene {
  /** What is there in the beginning: a session that is cached, one that is not, or none. */
  readonly from: "warm" | "cold" | "nothing";
  readonly programs: Readonly<Record<string, Program>>;
  /** Of the first program's cache, the first operation of this name gets no answer, and is done at any later time. */
  readonly late?: "create" | "update" | "delete";
}

/** @param right whether a fresh process is right after every step, or when the cache has recovered */
async function play({ from, programs, late }: Scene, right: "always" | "in the end", tick: () => void): Promise<void> {
  const orders = await inEveryOrder(
    (gate) => begin(gate, from, Object.entries(programs), late, tick),
    async (world, isEnd) => {
      if (world.error) throw world.error;
      if (right === "in the end") {
        if (!isEnd) return;
        tick();
        await new Promise(setImmediate);
      }
      // It gets no lease, so that looking changes nothing.
      const fresh = cachedStore({ ...world.cache, create: async () => false }, world.database);
      await read(world, fresh, "afterwards, a fresh process");
    },
  );
  assert.ok(orders > 1);
}

async function begin(
  gate: Gate,
  from: Scene["from"],
  programs: [string, Program][],
  late: Scene["late"],
  tick: () => void,
): Promise<World> {
  const [cache, database] = [memoryStore(), memoryStore()];
  const states = [from === "nothing" ? null : "1"];
  const world: World = { cache, database, states, acknowledged: 0, tick, error: undefined };
  const first = { payload: "1", expiresAt };
  if (from === "warm") await cachedStore(cache, database).create(KEY, first);
  if (from === "cold") await database.create(KEY, first);

  for (const [index, [name, program]] of programs.entries()) {
    const steps = gate.steps("cache", cache);
    const itsCache = index === 0 && late ? losing(gate, steps, cache, late) : steps;
    const itsDatabase = gate.steps("database", recording(database, states));
    program(world, cachedStore(itsCache, itsDatabase, { cacheTimeoutMs: 1e9 }), name, itsCache).catch((error) => {
      world.error ??= error;
    });
  }
  return world;
}

function recording(database: SessionStore, states: World["states"]): SessionStore {
  const record = async (change: Promise<boolean>, state: string | null) => {
    const isChanged = await change;
    if (isChanged) states.push(state);
    return isChanged;
  };
  return {
    ...database,
    create: (key, made) => record(database.create(key, made), String(made.payload)),
    update: (key, next, expected) => record(database.update(key, next, expected), String(next.payload)),
    delete: (key, expected) => record(database.delete(key, expected), null),
  };
}

/** Loses the first answer to an operation, which the cache does when it gets to it. */
function losing(gate: Gate, steps: SessionStore, cache: SessionStore, late: NonNullable<Scene["late"]>): SessionStore {
  let isLost = false;
  const lost = through(cache, async (_operation, run) => {
    isLost = true;
    gate.later("cache", () => void run());
    throw new Error("no answer");
  });
  type Change = (...args: unknown[]) => Promise<boolean>;
  return { ...steps, [late]: (...args: unknown[]) => ((isLost ? steps : lost)[late] as Change)(...args) };
}

const SCENES: Record<string, Scene> = {
  "two cold reads and a logout": { from: "cold", programs: { r: reader, q: reader, out: logout } },
  "two cold reads and a write": { from: "cold", programs: { r: reader, q: reader, a: writer } },
  "two writes and a read": { from: "warm", programs: { a: writer, b: writer, r: reader } },
  "two writes and a logout": { from: "warm", programs: { a: writer, b: writer, out: logout } },
  "two writes, a cold read and a logout": {
    from: "cold",
    programs: { a: writerOver("1"), b: writerOver("2a"), r: reader, out: logout },
  },
  "two writes, a warm read and a logout": {
    from: "warm",
    programs: { a: writerOver("1"), b: writerOver("2a"), r: reader, out: logout },
  },
  "two writes of which one is refused, a cold read and a logout": {
    from: "cold",
    programs: { a: writerOver("1"), b: writerOver("1"), r: reader, out: logout },
  },
  "a write that expects nothing, a write after it, and two reads": {
    from: "warm",
    programs: { a: blindWriter, b: writerOver("50a"), r: reader, q: reader },
  },
  "two writes that expect nothing, and two reads": {
    from: "cold",
    programs: { a: blindWriter, b: blindWriter, r: reader, q: reader },
  },
  "a login, a read and a write that guesses": {
    from: "nothing",
    programs: { c: creator, r: reader, a: writerOver("90c") },
  },
  "a login, a read and a logout that guesses": { from: "nothing", programs: { c: creator, r: reader, out: logout } },
  "a logout, a new session under its key, and a read": {
    from: "warm",
    programs: { out: inTurn(logout, creator), r: reader, q: reader },
  },
  "a cache that forgets twice, a read and a logout": {
    from: "cold",
    programs: { f: inTurn(forgetting, forgetting), r: reader, q: reader, out: logout },
  },
  "a cache that forgets, two writes and a read": {
    from: "warm",
    programs: { f: forgetting, a: writerOver("1"), b: writerOver("2a"), r: reader },
  },
  "a fill that arrives at any time, a write and a logout": {
    from: "cold",
    programs: { r: reader, f: forgetting, a: writer, out: logout },
    late: "update",
  },
  "a lease that arrives at any time, a read and a logout": {
    from: "cold",
    programs: { r: reader, q: reader, out: logout },
    late: "create",
  },
  "a login whose fill arrives at any time, a write and a logout": {
    from: "nothing",
    programs: { c: creator, a: writerOver("90c"), out: logout },
    late: "update",
  },
};

/** What the first process could not remove, the others may read until it could; itself never. */
const OUTAGES: Record<string, Scene> = {
  "an entry's update that arrives at any time": {
    from: "warm",
    programs: { a: inTurn(writerOver("1"), reader), r: unluckyReader, time: second },
    late: "update",
  },
  "an entry's update that arrives at any time, and a logout": {
    from: "warm",
    programs: { a: inTurn(writerOver("1"), reader), out: logout, r: unluckyReader },
    late: "update",
  },
  "a logout's removal that arrives at any time": {
    from: "cold",
    programs: { out: inTurn(logout, reader), r: unluckyReader, q: unluckyReader, time: second },
    late: "delete",
  },
  "a refused write's removal that arrives at any time": {
    from: "warm",
    programs: { a: inTurn(writerOver("0"), reader, writer), b: writerOver("1"), time: second },
    late: "delete",
  },
};

describe("in every order of the steps, a fresh process reads what was acknowledged, or what is later:", () => {
  for (const [name, scene] of Object.entries(SCENES)) {
    test(name, (t) => {
      t.mock.timers.enable({ apis: ["setTimeout"] });
      return play(scene, "always", () => {});
    });
  }
});

describe("in every order of the steps, a fresh process reads so after a second, and the failing one always:", () => {
  for (const [name, scene] of Object.entries(OUTAGES)) {
    test(name, (t) => {
      t.mock.timers.enable({ apis: ["setTimeout"] });
      return play(scene, "in the end", () => t.mock.timers.tick(1000));
    });
  }
});
