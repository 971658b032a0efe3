import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SessionError } from "../../core/errors.ts";
import { turns } from "../../core/turns.ts";
import { codeOf, type Disk } from "./disk.ts";

/*
 * A lock is a directory, held by whom the one entry in it belongs to: the holder's claim, under a name that nobody else
 * uses. It is taken by moving a directory with the claim onto it, which succeeds only where there is none, or an empty
 * one. The claim is also what the change is made with: the new file, or a directory to move the old one into. So who
 * takes a claim away makes the change impossible in the same step: a holder that was stopped, and wakes up after an
 * hour, has nothing to write with, and there is no moment between looking and writing. No clocks are compared.
 */

/** A change that is prepared aside, and then made in one step, as long as the claim is there. */
export interface Change {
  prepare(claim: string): Promise<unknown>;
  /** Leaves no claim behind. */
  make(claim: string): Promise<unknown>;
  discard(claim: string): Promise<unknown>;
}

/** `false`, and nothing done, if the change is not due once the lock is taken. */
export type MakeChange = (lock: string, change: Change, isDue: () => Promise<boolean>) => Promise<boolean>;

/** Milliseconds that a change waits for others of the same session. */
const WAIT_MS = 1000;

/** Milliseconds after which a claim is of a process that is dead, or as good as: they last for one or two. */
const STALE_MS = 500;

/**
 * Makes changes of one session one after the other: in turn within this process, and by a lock among all.
 *
 * Throws `ERR_SESSION_UNAVAILABLE` after a second of waiting, and for a claim that another process took away.
 *
 * @param draft where the directory of a claim is made, beside the locks
 */
export function changes(disk: Disk, draft: (claim: string) => string): MakeChange {
  const inTurn = turns();

  return (lock, change, isDue) => {
    const deadline = performance.now() + WAIT_MS;
    return inTurn(lock, async (hadToWait) => {
      if (performance.now() > deadline) throw busy();
      // Who had to wait is likely to be late: better to look than to write for nothing.
      if (hadToWait && !(await disk(isDue))) return false;
      return locked(lock, change, isDue, deadline);
    });
  };

  async function locked(
    lock: string,
    change: Change,
    isDue: () => Promise<boolean>,
    deadline: number,
  ): Promise<boolean> {
    const claim = randomBytes(12).toString("hex");
    const [drafted, held] = [draft(claim), join(lock, claim)];
    try {
      await disk(async () => {
        await mkdir(drafted, 0o700);
        await change.prepare(join(drafted, claim));
      });
      await take(lock, drafted, deadline);
      return await disk(async () => {
        const due = await isDue();
        if (due) await change.make(held).catch(lost);
        // Neither changes the answer: another process may have taken the claim away, or have the lock already.
        else await change.discard(held).catch(() => {});
        await rmdir(lock).catch(() => {});
        return due;
      });
    } catch (error) {
      // What cannot be removed now goes with `deleteExpired`.
      await disk(async () => {
        for (const path of [drafted, held]) await rm(path, { recursive: true, force: true });
        await rmdir(lock);
      }).catch(() => {});
      throw error;
    }
  }

  /** Takes away claims that stay. */
  async function take(lock: string, drafted: string, deadline: number): Promise<void> {
    let claim: string | undefined;
    let since = 0;
    while (!(await disk(() => move(drafted, lock)))) {
      const time = performance.now();
      if (time > deadline) throw busy();
      const found = await disk(() => claimIn(lock));
      if (found !== claim) [claim, since] = [found, time];
      else if (found !== undefined && time - since > STALE_MS) await disk(() => takeAway(join(lock, found)));
      // Jitter, so that many who wait do not meet again in step.
      await sleep(1 + Math.random() * 10);
    }
  }
}

async function move(drafted: string, lock: string): Promise<boolean> {
  try {
    await rename(drafted, lock);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOTEMPTY" || codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

async function claimIn(lock: string): Promise<string | undefined> {
  try {
    return (await readdir(lock))[0];
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function takeAway(claim: string): Promise<void> {
  try {
    await rm(claim, { recursive: true, force: true });
  } catch (error) {
    // Its holder woke up meanwhile, and moved the old file there. What is left goes the next time.
    if (codeOf(error) !== "ENOTEMPTY") throw error;
  }
}

function lost(error: unknown): never {
  if (codeOf(error) !== "ENOENT") throw error;
  throw unavailable(`This process was held up for ${STALE_MS / 1000} s, and another one took its lock of the session.`);
}

function busy(): SessionError {
  return unavailable(`Others kept changing the session for ${WAIT_MS / 1000} s.`);
}

function unavailable(why: string): SessionError {
  return new SessionError("ERR_SESSION_UNAVAILABLE", `${why} Nothing was written.`);
}
