import { subscribe } from "node:diagnostics_channel";
import { setTimeout as sleep } from "node:timers/promises";

let failedAt = Number.NEGATIVE_INFINITY;
subscribe("sojourn:cache-failed", () => {
  failedAt = performance.now();
});

/** For so long a failure of the cache explains what the other side finds there; our side asks it again after one second. */
const AFTERMATH_MS = 5000;
const MAX_ATTEMPTS = 5;

/**
 * Does it again where the cache of `cached_db` did not answer in time, as on a busy machine: what the other side then
 * finds there may be old, see docs/decisions/0010-cached-store.md.
 */
export async function heardByCache(check: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await check();
    } catch (error) {
      if (attempt === MAX_ATTEMPTS || performance.now() - failedAt > AFTERMATH_MS) throw error;
      await sleep(2000);
    }
  }
}
