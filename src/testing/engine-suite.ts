import type { SessionEngine } from "../core/contracts.ts";
import { stoppedClock } from "./clock.ts";
import { type EngineCases, savingAt } from "./engine-case.ts";
import { engineCases } from "./engine-cases.ts";
import { cookieEngineCases, storeEngineCases } from "./engine-kind-cases.ts";
import type { TestFunction } from "./store-suite.ts";

/**
 * Makes an engine without sessions that tells the time by `now`. Pass the backend, such as the store, through
 * `breakable`, so that a case can make it fail.
 */
export type EngineMaker = (options: {
  now: () => Date;
  breakable: <Backend extends object>(backend: Backend) => Backend;
}) => ClosableEngine | Promise<ClosableEngine>;

export type ClosableEngine = SessionEngine & {
  /** Called at the end of the test. */
  close?(): unknown;
};

export interface EngineSuiteOptions {
  /** Whether sessions are kept at the server under a key, or in the cookie alone. */
  readonly kind: "store" | "cookie";
}

/**
 * Tests an engine for every sentence of the `SessionEngine` contract; each test has an engine of its own.
 *
 * @example
 * import { test } from "node:test";
 * import { engineSuite } from "sojourn/testing";
 *
 * engineSuite(test, ({ now, breakable }) => storeEngine(breakable(myStore({ now })), codec), { kind: "store" });
 */
export function engineSuite(test: TestFunction, makeEngine: EngineMaker, { kind }: EngineSuiteOptions): void {
  const cases: EngineCases = { ...engineCases, ...(kind === "store" ? storeEngineCases : cookieEngineCases) };
  for (const [name, body] of Object.entries(cases)) {
    test(name, async () => {
      const clock = stoppedClock();
      let broken = false;
      const breakable = <Backend extends object>(backend: Backend): Backend =>
        new Proxy(backend, {
          get(target, property) {
            const member = Reflect.get(target, property);
            if (!broken || typeof member !== "function") return member;
            return () => Promise.reject(new Error("connect ECONNREFUSED"));
          },
        });
      const engine = await makeEngine({ now: clock.now, breakable });
      try {
        await body({
          engine,
          clock,
          saving: () => savingAt(clock),
          breakBackend() {
            broken = true;
          },
        });
      } finally {
        await engine.close?.();
      }
    });
  }
}
