import { describe, test } from "node:test";
import { SEED, sequences } from "./amount.ts";
import { inWorker } from "./in-worker.ts";
import { startPlaces } from "./places.ts";

/** How many sequences each engine gets. */
const RUNS: Record<string, number> = {
  memory: 5000,
  "memory with hashed keys": 1000,
  "cached_db, memory over memory": 1500,
  "signed cookies": 1000,
  "encrypted cookies": 1000,
  SQLite: 400,
  file: 300,
  Redis: 500,
  memcached: 500,
  PostgreSQL: 300,
  MariaDB: 300,
  "cached_db, Redis over PostgreSQL": 300,
};

const places = await startPlaces();

describe("sessions do what a plain object would, whatever the sequence of commands:", () => {
  for (const [name, runs] of Object.entries(RUNS)) {
    test(name, () => inWorker("play-commands", { name, place: places[name], seed: SEED, numRuns: sequences(runs) }));
  }
});
