import { setTimeout as sleep } from "node:timers/promises";
import { SessionError } from "../../../src/core/errors.ts";
import type { OpenedSessions } from "../places.ts";

export interface Revived {
  /** Saves shortly before the session would have expired. */
  readonly saves: number;
  /** Those that came too late: the session had expired. */
  readonly late: number;
  readonly cleared: number;
  /** Sessions that were gone although they had not expired. */
  readonly lost: string[];
}

/** Seconds of the fast clock. */
const COOKIE_AGE = 20;
const MARGIN = 2;
const SESSIONS = 6;

/**
 * Saves sessions 0 to 2 seconds before they expire, while it and others clean up without a pause. Time flies: for stores
 * whose clock can be given.
 *
 * @param since when the clocks of all processes showed the same, in microseconds of CLOCK_MONOTONIC
 */
export async function revive(
  open: (now: () => Date, cookieAge: number) => Promise<OpenedSessions>,
  { since, speed, forMs }: { readonly since: number; readonly speed: number; readonly forMs: number },
): Promise<Revived> {
  const start = Date.UTC(2026, 10, 20);
  const elapsed = () => (Number(process.hrtime.bigint() / 1000n) - since) / 1000;
  const now = () => new Date(start + elapsed() * speed);
  const sessions = await open(now, COOKIE_AGE);
  const end = elapsed() + forMs;
  const isOver = () => elapsed() > end;
  const seen = { saves: 0, late: 0, cleared: 0, lost: [] as string[] };

  async function live(): Promise<void> {
    while (!isOver()) {
      const first = await sessions.open(null).session();
      first.set("n", 0);
      // It counts from a time that is not before this.
      let expiresAt = now().getTime() + COOKIE_AGE * 1000;
      await first.save();
      // Then it is left to expire.
      for (let n = 0; n < 4 && !isOver(); n++) {
        const margin = Math.random() * MARGIN * 1000;
        await sleep(Math.max(0, expiresAt - margin - now().getTime()) / speed);
        const isFound = await save(first.key!, (began) => {
          expiresAt = began + COOKIE_AGE * 1000;
        });
        if (isFound) seen.saves++;
        else if (now().getTime() < expiresAt) seen.lost.push(`${expiresAt - now().getTime()} ms before its end`);
        else seen.late++;
        if (!isFound) break;
      }
    }
  }

  async function save(key: string, extended: (began: number) => void): Promise<boolean> {
    try {
      const session = await sessions.open(`sessionid=${key}`).session();
      if (session.key === null) return false;
      session.set("n", (session.get("n", 0) as number) + 1);
      const began = now().getTime();
      await session.save();
      extended(began);
      return true;
    } catch (error) {
      if (error instanceof SessionError && error.code === "ERR_SESSION_INTERRUPTED") return false;
      throw error;
    }
  }

  async function clean(): Promise<void> {
    while (!isOver()) {
      seen.cleared += await sessions.clearExpired({ batchSize: 10 });
      await sleep(5);
    }
  }

  await Promise.all([...Array.from({ length: SESSIONS }, live), clean()]);
  await sessions.close();
  return seen;
}
