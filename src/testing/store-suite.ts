import type { SessionStore } from "../core/contracts.ts";
import { type AgeRecords, stoppedClock } from "./clock.ts";
import type { StoreCases } from "./store-case.ts";
import { storeCases } from "./store-cases.ts";
import { selfExpiringCases, storeCleanUpCases, storeExpiryCases } from "./store-expiry-cases.ts";
import { binaryPayloadCases, noBinaryPayloadCases, storePayloadCases } from "./store-payload-cases.ts";

/** The runner's: node:test's, Vitest's, Jest's, Bun's. */
export type TestFunction = (name: string, body: () => Promise<void>) => unknown;

/** Makes an empty store that tells the time by `now`. */
export type StoreMaker = (options: { now: () => Date }) => ClosableStore | Promise<ClosableStore>;

export type ClosableStore = SessionStore & {
  /** Called at the end of the test. */
  close?(): unknown;
  /**
   * For a store whose server removes expired records by its own clock: makes its records older, so that no test has to
   * wait. Such a store is not asked to be exact to the millisecond, and its `deleteExpired` has nothing to do.
   */
  age?: AgeRecords;
};

export interface StoreSuiteOptions {
  /** Whether the store keeps payloads of bytes. If not, it must refuse them with `ERR_CONFIG`. Default `false`. */
  readonly binary?: boolean;
  /** Whether expired records remove themselves, so that `deleteExpired` has nothing to do. Default `false`. */
  readonly selfExpiring?: boolean;
}

/**
 * Tests a store for every sentence of the `SessionStore` contract; each test has a store of its own.
 *
 * @example
 * import { test } from "node:test";
 * import { storeSuite } from "sojourn/testing";
 *
 * storeSuite(test, ({ now }) => myStore({ now }));
 */
export function storeSuite(test: TestFunction, makeStore: StoreMaker, options: StoreSuiteOptions = {}): void {
  const cases: StoreCases = {
    ...storeCases,
    ...storePayloadCases,
    ...(options.binary ? binaryPayloadCases : noBinaryPayloadCases),
    ...storeExpiryCases,
    ...(options.selfExpiring ? selfExpiringCases : storeCleanUpCases),
  };
  for (const [name, body] of Object.entries(cases)) {
    test(name, async () => {
      const clock = stoppedClock();
      const store = await makeStore({ now: clock.now });
      try {
        await body(store, store.age ? clock.follow(store.age) : clock);
      } finally {
        await store.close?.();
      }
    });
  }
}
