import { SessionError } from "../core/errors.ts";
import { report } from "../core/events.ts";

const WINDOW_MS = 10_000;
const MIN_LOADS = 50;
const MAX_SHARE = 0.2;

/**
 * Counts records that do not verify. One is a damaged record, and its bearer has no session. Many at once are a wrong
 * secret, and answering "no session" would log everybody out: then those loads are `ERR_SESSION_UNAVAILABLE`. Sessions
 * that verify are served all the same.
 *
 * @returns to be called for each record found; throws for a corrupted one in a wave
 */
export function corruptionWave(): (isCorrupted: boolean) => void {
  let windowEnd = 0;
  let loads = 0;
  let corrupted = 0;
  let isWave = false;

  return (isCorrupted) => {
    const now = performance.now();
    if (now >= windowEnd) {
      setWave(isWave && isMany());
      windowEnd = now + WINDOW_MS;
      loads = 0;
      corrupted = 0;
    }
    loads++;
    if (isCorrupted) corrupted++;
    if (loads >= MIN_LOADS && isMany()) setWave(true);
    if (!isCorrupted || !isWave) return;
    throw new SessionError(
      "ERR_SESSION_UNAVAILABLE",
      "Too many session records do not verify. Is the secret key the one that they were written with?",
    );
  };

  function isMany(): boolean {
    return corrupted > loads * MAX_SHARE;
  }

  function setWave(value: boolean): void {
    if (value === isWave) return;
    isWave = value;
    if (isWave) report("sojourn:unavailable", () => ({ reason: "Too many session records do not verify." }));
    else report("sojourn:available", () => ({}));
  }
}
