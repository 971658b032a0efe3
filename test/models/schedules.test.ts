import { describe, test } from "node:test";
import { SEED, sequences } from "./amount.ts";
import { inWorker } from "./in-worker.ts";

/** How many schedules each store gets. */
const RUNS = { memory: 10_000, "cached_db, memory over memory": 1000, "memory with hashed keys": 1000 };

describe("in any order of the store's steps, requests lose nothing acknowledged and bring nothing back:", () => {
  for (const [name, runs] of Object.entries(RUNS)) {
    test(name, () => inWorker("play-schedules", { name, seed: SEED, numRuns: sequences(runs) }));
  }
});
