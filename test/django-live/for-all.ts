import fc from "fast-check";

const BATCH = 50;
const SEED = 20_261_120;

/**
 * Generates cases and checks many at once, for speed. Those of a batch that fails are checked one by one, and the first
 * that fails is made smaller and printed, with seed and path.
 */
export async function forAll<T>(
  arbitrary: fc.Arbitrary<T>,
  cases: number,
  check: (batch: readonly T[]) => Promise<void>,
): Promise<void> {
  const property = fc.asyncProperty(arbitrary, (one) => check([one]));
  const all = fc.sample(property, { seed: SEED, numRuns: cases }).map(([one]) => one);
  for (let start = 0; start < cases; start += BATCH) {
    const batch = all.slice(start, start + BATCH);
    await check(batch).catch(async (error) => {
      for (const [at, one] of batch.entries()) {
        const failed = await check([one]).then(
          () => false,
          () => true,
        );
        const path = String(start + at);
        const bounds = { interruptAfterTimeLimit: 20_000, includeErrorInReport: true };
        if (failed) await fc.assert(property, { seed: SEED, path, ...bounds });
      }
      throw error;
    });
  }
}
