/** Where the random sequences begin. SOJOURN_SEED for others. */
export const SEED: number = Number(process.env.SOJOURN_SEED ?? 20261120);

/** How many: `SOJOURN_RUNS=50000` for as many of each kind. */
export function sequences(inCi: number): number {
  return Number(process.env.SOJOURN_RUNS ?? inCi);
}

/** What the counting tests do in CI, and with SOJOURN_FULL=1. */
export function sized(inCi: number, full: number): number {
  return process.env.SOJOURN_FULL === "1" ? full : inCi;
}
