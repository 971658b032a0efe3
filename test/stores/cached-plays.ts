import assert from "node:assert/strict";
import type { CacheEntries } from "../../src/core/cache-entries.ts";
import type { LoadedRecord, Payload, SessionStore } from "../../src/core/contracts.ts";
import { cachedStore } from "../../src/stores/cached/store.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { through } from "./caches.ts";
import { type Gate, inEveryOrder } from "./interleavings.ts";

/* What processes do to one session in a cache over a database, in every order of their steps. */

export const KEY = "k3y0fas3ss10nk3y0fas3ss10nk3y0fa";
export const expiresAt = new Date(8e15);

/** The truth. */
export interface World {
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

/** A process's own way to the cache and the database, of which each operation is a step. */
export interface Ways {
  readonly cache: SessionStore;
  readonly database: SessionStore;
  /** Puts something into the cache, whatever is there. */
  set(payload: Payload): Promise<unknown>;
}

/** What one process does, through a store of its own, or past it. */
export type Program = (world: World, store: SessionStore, name: string, its: Ways) => Promise<void>;

export interface Scene {
  /** What is there in the beginning: a session that is cached, also in somebody else's words, one that is not, or none. */
  readonly from: "warm" | "cold" | "nothing" | { readonly cached: Payload };
  readonly programs: Readonly<Record<string, Program>>;
  /** Of the first program's cache, the first operation of this name gets no answer, and is done at any later time. */
  readonly late?: "create" | "update" | "delete";
  /** What lies in the cache; default our own. */
  readonly entries?: CacheEntries;
  /** What else holds after every step. */
  readonly always?: (world: World) => Promise<void>;
}

/** Whether this is the state that was acknowledged last when somebody began to ask, or a later one. */
export function assertCurrent({ states }: World, acknowledged: number, state: string | null, who: string): void {
  assert.ok(states.includes(state, acknowledged), `${who} read ${state} after ${states.slice(0, acknowledged + 1)}`);
}

/** Reads, and looks whether the answer is right. */
async function read(world: World, store: SessionStore, who: string): Promise<string | null> {
  const { acknowledged } = world;
  const loaded: LoadedRecord | null = await store.load(KEY);
  const state = loaded && String(loaded.payload);
  assertCurrent(world, acknowledged, state, who);
  return state;
}

export function acknowledge(world: World, state: string | null): void {
  world.acknowledged = Math.max(world.acknowledged, world.states.lastIndexOf(state));
}

export const nextState = (seen: string, name: string): string => `${Number.parseInt(seen, 10) + 1}${name}`;

export const reader: Program = async (world, store, name) => {
  await read(world, store, name);
};

/** Reads what may be old, and fills the cache. */
export const unluckyReader: Program = async (_world, store) => {
  await store.load(KEY);
};

/** As the engine does: expects what it has seen, and looks again where that was refused. */
export const writer: Program = async (world, store, name) => {
  for (let seen: string | null = "1"; seen !== null; seen = await read(world, store, name)) {
    if (await update(world, store, name, seen)) return;
  }
};

/** Expects what it is told to, and tries once. */
export const writerOver =
  (seen: string): Program =>
  async (world, store, name) => {
    await update(world, store, name, seen);
  };

async function update(world: World, store: SessionStore, name: string, seen: string): Promise<boolean> {
  const payload = nextState(seen, name);
  const isUpdated = await store.update(KEY, { payload, expiresAt }, seen);
  if (isUpdated) acknowledge(world, payload);
  return isUpdated;
}

export const blindWriter: Program = async (world, store, name) => {
  if (await store.update(KEY, { payload: `50${name}`, expiresAt })) acknowledge(world, `50${name}`);
};

export const logout: Program = async (world, store) => {
  if (await store.delete(KEY)) acknowledge(world, null);
};

export const creator: Program = async (world, store, name) => {
  if (await store.create(KEY, { payload: `90${name}`, expiresAt })) acknowledge(world, `90${name}`);
};

export const inTurn =
  (...programs: Program[]): Program =>
  async (...actors) => {
    for (const program of programs) await program(...actors);
  };

/** The cache's own doing: an eviction, a restart. */
export const forgetting: Program = async (_world, _store, _name, { cache }) => {
  await cache.delete(KEY);
};

/** A second goes by, at any time. */
export const second: Program = async ({ tick }, _store, _name, { cache }) => {
  await cache.load(KEY);
  tick();
};

/** @param right whether a fresh process is right after every step, or when the cache has recovered */
export async function play(scene: Scene, right: "always" | "in the end", tick: () => void): Promise<void> {
  const { entries, always = async () => {} } = scene;
  const orders = await inEveryOrder(
    (gate) => begin(gate, scene, tick),
    async (world, isEnd) => {
      if (world.error) throw world.error;
      await always(world);
      if (right === "in the end") {
        if (!isEnd) return;
        tick();
        await new Promise(setImmediate);
      }
      // It gets no lease, so that looking changes nothing.
      const no = async () => false;
      const silent = { ...world.cache, create: no, update: no, delete: no };
      await read(world, cachedStore(silent, world.database, { entries }), "afterwards, a fresh process");
    },
  );
  assert.ok(orders > 1);
}

async function begin(gate: Gate, { from, programs, late, entries }: Scene, tick: () => void): Promise<World> {
  const [cache, database] = [memoryStore(), memoryStore()];
  const states = [from === "nothing" ? null : "1"];
  const world: World = { cache, database, states, acknowledged: 0, tick, error: undefined };
  const first = { payload: "1", expiresAt };
  if (from === "warm") await cachedStore(cache, database, { entries }).create(KEY, first);
  else if (from !== "nothing") await database.create(KEY, first);
  if (typeof from === "object") await cache.create(KEY, { payload: from.cached, expiresAt });

  const overwriting: SessionStore = {
    ...cache,
    create: async (key, record) => (await cache.update(key, record)) || cache.create(key, record),
  };
  for (const [index, [name, program]] of Object.entries(programs).entries()) {
    const steps = gate.steps("cache", cache);
    const its: Ways = {
      cache: index === 0 && late ? losing(gate, steps, cache, late) : steps,
      database: gate.steps("database", recording(database, states)),
      set: (payload) => gate.steps("cache", overwriting).create(KEY, { payload, expiresAt }),
    };
    const store = cachedStore(its.cache, its.database, { cacheTimeoutMs: 1e9, entries });
    program(world, store, name, its).catch((error) => {
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
