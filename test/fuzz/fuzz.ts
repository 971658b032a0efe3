import assert from "node:assert/strict";
import { inspect } from "node:util";
import { isDate, isMap, isRegExp, isSet } from "node:util/types";
import { MAX_DEPTH } from "../../src/core/values.ts";
import { mutator } from "./mutator.ts";

/* Runs decoders over changed samples, and counts. `SOJOURN_FUZZ_SEED` begins elsewhere, `SOJOURN_FUZZ_RUNS` runs longer. */

const SEED = Number(process.env.SOJOURN_FUZZ_SEED ?? 0);
const RUNS = Number(process.env.SOJOURN_FUZZ_RUNS ?? 0);

/** No single input may take longer. A thousand times what most take, so that a busy machine does not matter. */
const MAX_MS = 250;

/**
 * What a decoder makes of an input: `"respelt"` says exactly what a valid one says, in other characters; `"accepted"`
 * is everything else that is not refused.
 */
export type Verdict = "refused" | "respelt" | "accepted";

export interface Target<Input extends string | Buffer> {
  readonly seed: number;
  /** Mutants at least. */
  readonly runs: number;
  /** Valid ones: all that are, and all of one type. */
  readonly samples: readonly Input[];
  /** Throws for what must not be. */
  read(input: Input): Verdict;
}

export interface Outcome extends Record<Verdict, number> {
  readonly mutants: number;
  /** Milliseconds, of the slowest and of all. */
  readonly slowest: number;
  readonly ms: number;
}

/** How a target will be run: stands in the names of tests. */
export function planned({ seed, runs }: { seed: number; runs: number }): { seed: number; runs: number } {
  return { seed: seed + SEED, runs: Math.max(runs, RUNS) };
}

/**
 * Decodes mutants. Throws, with the mutant, for the first one that the decoder throws for or that takes too long.
 *
 * @param allowed the verdicts for which it does not throw
 */
export function fuzz<Input extends string | Buffer>(
  target: Target<Input>,
  allowed: readonly Verdict[] = ["refused"],
): Outcome {
  const { seed, runs } = planned(target);
  const isText = typeof target.samples[0] === "string";
  const texts = target.samples.map((sample) => (typeof sample === "string" ? sample : sample.toString("latin1")));
  const next = mutator(texts, seed);
  const valid = new Set(texts);
  const outcome = { mutants: 0, refused: 0, respelt: 0, accepted: 0, slowest: 0, ms: 0 };
  const begin = performance.now();
  const prototype = Reflect.ownKeys(Object.prototype).length;

  while (outcome.mutants < runs) {
    const text = next();
    const input = (isText ? text : Buffer.from(text, "latin1")) as Input;
    // Characters beyond latin-1 lose their first byte, and may become a valid one again.
    if (valid.has(typeof input === "string" ? input : input.toString("latin1"))) continue;
    outcome.mutants++;
    const problem = (what: string, cause?: unknown) =>
      new Error(`${what}: mutant ${outcome.mutants} of seed ${seed}, ${inspect(text, { maxStringLength: 5000 })}`, {
        cause,
      });
    let verdict: Verdict;
    const start = performance.now();
    try {
      verdict = target.read(input);
    } catch (error) {
      throw problem(`${inspect(error, { depth: 1 })}`, error);
    }
    let ms = performance.now() - start;
    // Once more: it may have been the machine's fault.
    for (let again = 0; ms > MAX_MS && again < 3; again++)
      ms = Math.min(
        ms,
        timed(() => target.read(input)),
      );
    if (ms > MAX_MS) throw problem(`took ${Math.round(ms)} ms`);
    if (!allowed.includes(verdict)) throw problem(verdict);
    outcome[verdict]++;
    outcome.slowest = Math.max(outcome.slowest, ms);
  }
  assert.equal(Reflect.ownKeys(Object.prototype).length, prototype, "Object.prototype was changed");
  return { ...outcome, ms: performance.now() - begin };
}

export function timed(run: () => unknown): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

/** That decoded data are within the limits and hold nothing that has a behaviour of its own. */
export function assertHarmless(value: unknown, depth = 0): void {
  if (typeof value !== "object" || value === null) {
    assert.notEqual(typeof value, "function");
    return;
  }
  assert.ok(depth <= MAX_DEPTH + 1, "too deep");
  if (isMap(value) || isSet(value)) {
    for (const item of value.values()) assertHarmless(item, depth + 1);
    if (isMap(value)) for (const key of value.keys()) assertHarmless(key, depth + 1);
  } else if (!isDate(value) && !isRegExp(value) && !ArrayBuffer.isView(value) && !(value instanceof ArrayBuffer)) {
    const proto = Object.getPrototypeOf(value);
    assert.ok(proto === null || proto === Object.prototype || proto === Array.prototype, "a prototype of its own");
    for (const key of Object.keys(value)) assertHarmless((value as Record<string, unknown>)[key], depth + 1);
  }
}
