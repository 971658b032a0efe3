import { SessionError } from "../core/errors.ts";
import { report } from "../core/events.ts";

/** Operations without an answer, one after the other, that open it. */
const MAX_SILENT = 5;

/** While it is open, one operation in so many milliseconds is let through, to see whether the store is back. */
const PROBE_MS = 1000;

/** A fault that comes sooner is an answer: it costs nobody anything, and the next operation may well succeed. */
const SILENT_AFTER_MS = 250;

/** Whether a fault came at once, of an operation that began then (monotonic clock). */
export function isQuick(beganAt: number): boolean {
  return performance.now() - beganAt < SILENT_AFTER_MS;
}

export interface CircuitBreaker {
  /** Throws `ERR_SESSION_UNAVAILABLE` while it is open. */
  assertClosed(): void;
  /** The store answered, be it with a fault. */
  answered(): void;
  silent(): void;
}

/**
 * Keeps requests from waiting for a store that does not answer, each for its whole time, while they pile up.
 *
 * Only silence opens it. A store that refuses writes (read-only, out of memory) or connections answers at once, and goes
 * on being asked: half of it may work, and it is back with the first request that finds it back.
 */
export function circuitBreaker(): CircuitBreaker {
  let silences = 0;
  let probedAt = 0;

  return {
    assertClosed() {
      if (silences < MAX_SILENT) return;
      const now = performance.now();
      if (now - probedAt >= PROBE_MS) {
        probedAt = now;
        return;
      }
      throw new SessionError(
        "ERR_SESSION_UNAVAILABLE",
        `The session store has left ${MAX_SILENT} operations without an answer; it is asked again once a second.`,
      );
    },
    answered() {
      if (silences >= MAX_SILENT) report("sojourn:available", () => ({}));
      silences = 0;
    },
    silent() {
      if (silences >= MAX_SILENT || ++silences < MAX_SILENT) return;
      probedAt = performance.now();
      report("sojourn:unavailable", () => ({ reason: "The session store does not answer." }));
    },
  };
}
