import { cpuUsage } from "node:process";

/** One operation, many times. */
export type Operation = (n: number) => Promise<unknown>;

export interface Measured {
  /** CPU of this process per operation, in microseconds; the server's is not in it. */
  readonly cpu: number;
  readonly perSecond: number;
}

/** Long enough for the system's clock of CPU time, short enough that a store and its driver meet the same noise. */
const ROUND_MS = 150;
const ROUNDS = 5;

/** Runs `operation` for a while, `concurrency` at a time. */
async function round(operation: Operation, concurrency: number): Promise<Measured> {
  const [start, usage] = [performance.now(), cpuUsage()];
  let count = 0;
  const lane = async () => {
    while (performance.now() - start < ROUND_MS) await operation(count++);
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  const { user, system } = cpuUsage(usage);
  return { cpu: (user + system) / count, perSecond: (count * 1000) / (performance.now() - start) };
}

/**
 * Measures a store and its bare driver in turns, so that both meet the same noise. Gives the medians, and the median of
 * the ratios of neighbouring rounds.
 */
export async function compare(store: Operation, bare: Operation, concurrency: number) {
  await round(store, concurrency);
  await round(bare, concurrency);
  const pairs: [Measured, Measured][] = [];
  for (let n = 0; n < ROUNDS; n++) pairs.push([await round(store, concurrency), await round(bare, concurrency)]);
  return {
    store: { cpu: median(pairs.map(([own]) => own.cpu)), perSecond: median(pairs.map(([own]) => own.perSecond)) },
    bare: { cpu: median(pairs.map(([, its]) => its.cpu)), perSecond: median(pairs.map(([, its]) => its.perSecond)) },
    ratio: median(pairs.map(([own, its]) => own.cpu / its.cpu)),
  };
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
