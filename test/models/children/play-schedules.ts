import fc from "fast-check";
import type { SessionStore } from "../../../src/core/contracts.ts";
import { cachedStore } from "../../../src/stores/cached/store.ts";
import { hashedKeys } from "../../../src/stores/hashed-keys.ts";
import { PATIENT } from "../../support/django/patient.ts";
import { given } from "../in-worker.ts";
import { type Actor, newWorld, type OnInterrupted, type Slow } from "../scheduled-world.ts";

/*
 * Parallel requests over stores of which every question and every answer is a step; fast-check's scheduler decides
 * which is next.
 */

const { name, seed, numRuns } = given<{ name: string; seed: number; numRuns: number }>();

const step = fc.constantFrom(
  "set",
  "set",
  "share",
  "remove",
  "clear",
  "count",
  "save",
  "flush",
  "cycleKey",
  "cycleKey",
);
const user = fc.constantFrom("ann", "ann", "ann", "bob");
const request: fc.Arbitrary<Actor> = fc.record({ user, steps: fc.array(step, { maxLength: 4 }) });
const other: fc.Arbitrary<Actor> = fc.oneof(
  fc.record({ user, logsOut: fc.constantFrom<"first key" | "last key">("first key", "last key") }),
  fc.constant({ does: "clearExpired" } as const),
  fc.constant({ does: "tick" } as const),
);
const onInterrupted = fc.constantFrom<OnInterrupted>("error", "error", "drop", "new");

const STORES: Record<string, (slow: Slow, now: () => Date) => SessionStore> = {
  memory: (slow) => slow("store"),
  "cached_db, memory over memory": (slow, now) => cachedStore(slow("cache"), slow("database"), { ...PATIENT, now }),
  "memory with hashed keys": (slow) => hashedKeys(slow("store")),
};

const processes = fc.constantFrom(1, 4);
const actors = fc
  .tuple(fc.array(request, { minLength: 2, maxLength: 4 }), fc.array(other, { maxLength: 3 }))
  .map(([requests, others]) => [...requests, ...others]);

const began = performance.now();
const play = async (scheduler: fc.Scheduler, policy: OnInterrupted, processes: number, cast: Actor[]) => {
  const world = newWorld(scheduler, STORES[name]!, policy, processes);
  await world.begin();
  await scheduler.waitFor(Promise.all(cast.map((actor, n) => world.play(n, actor))));
  await world.check(cast);
};
await fc.assert(fc.asyncProperty(fc.scheduler(), onInterrupted, processes, actors, play), {
  numRuns,
  seed,
  includeErrorInReport: true,
});
console.log(`seed ${seed}: ${numRuns} schedules, ${((performance.now() - began) / 1000).toFixed(1)} s`);
