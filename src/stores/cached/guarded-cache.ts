import type { SessionStore } from "../../core/contracts.ts";
import { deadline } from "../../core/deadline.ts";
import { SessionError } from "../../core/errors.ts";
import { report, type SessionEvents } from "../../core/events.ts";
import { fingerprint } from "../../core/key.ts";

/** Milliseconds after which a cache that failed is tried again: in the background, so that no request waits for it. */
const RETRY_MS = 1000;

/** Keys remembered at most. Beyond them, no entry is believed until all have expired. */
const MAX_DIRTY = 10_000;

type Operation = SessionEvents["sojourn:cache-failed"]["operation"];

/**
 * A cache whose faults are nobody else's: they are reported, never thrown.
 *
 * A key whose entry could not be removed is *dirty*: a stale entry may lie under it, so this process does not read it
 * until the entry has been removed. Other processes cannot know; for them it is removed as soon as the cache answers
 * again, however late, for what Django put there does not expire with our entries.
 */
export interface GuardedCache {
  /** Whether the cache may be asked for this key: it is not down, and the key is not dirty. */
  trusts(key: string): boolean;
  /** The cache's answer, or `undefined` for none. */
  ask<T>(operation: Operation, key: string, call: () => Promise<T>): Promise<T | undefined>;
  /** Removes what lies under the key: now, or as soon as the cache answers again. */
  invalidate(key: string): Promise<void>;
  reportUnreadable(key: string): void;
}

/** @param entryLifeMs how long an entry of ours can be there at most */
export function guardedCache(cache: SessionStore, entryLifeMs: number, timeoutMs: number): GuardedCache {
  /** Which mark each dirty key got last. */
  const dirty = new Map<string, number>();
  let marks = 0;
  let tooManyUntil = 0;
  /** The key with which the cache failed; `undefined` while it works. */
  let failedKey: string | undefined;
  let retry: NodeJS.Timeout | undefined;

  const inTime = deadline(timeoutMs, "answer");

  async function ask<T>(operation: Operation, key: string, call: () => Promise<T>): Promise<T | undefined> {
    try {
      const answer = await inTime(call());
      failedKey = undefined;
      return answer;
    } catch (error) {
      reportFailure(operation, key, error instanceof Error ? error.message : "It gave no reason.");
      // One session that the cache does not take, being too large, must not take the cache away from the others.
      if (error instanceof SessionError && error.code !== "ERR_SESSION_UNAVAILABLE") return undefined;
      failedKey = key;
      retryLater();
      return undefined;
    }
  }

  function markDirty(key: string): void {
    if (dirty.size >= MAX_DIRTY) tooManyUntil = performance.now() + entryLifeMs;
    else dirty.set(key, ++marks);
    retryLater();
  }

  async function remove(key: string): Promise<boolean> {
    const before = marks;
    if ((await ask("delete", key, () => cache.delete(key))) === undefined) return false;
    // What was marked after the removal began may have to be removed again.
    if ((dirty.get(key) ?? 0) <= before) dirty.delete(key);
    return true;
  }

  function retryLater(): void {
    if (!retry) retry = setTimeout(() => void recover(), RETRY_MS).unref();
  }

  async function recover(): Promise<void> {
    const failed = failedKey;
    // Any question tells whether it works again.
    if (failed !== undefined) await ask("load", failed, () => cache.load(failed));
    // One key that is refused for reasons of its own does not keep the others.
    for (const key of dirty.keys()) if (failedKey === undefined) await remove(key);
    retry = undefined;
    if (dirty.size > 0 || failedKey !== undefined) retryLater();
  }

  return {
    trusts(key) {
      if (failedKey !== undefined || dirty.has(key)) return false;
      return tooManyUntil === 0 || performance.now() >= tooManyUntil;
    },
    ask,
    async invalidate(key) {
      const isDown = failedKey !== undefined;
      if (!isDown && (await remove(key))) return;
      markDirty(key);
      // Sent all the same, though nobody waits: a cache that is only slow takes it in its turn, before others read it.
      if (isDown) void remove(key);
    },
    reportUnreadable: (key) => reportFailure("load", key, "The entry cannot be read: it is damaged, or not ours."),
  };
}

/** Stores keep session keys out of their errors; somebody's own may not. */
function reportFailure(operation: Operation, key: string, message: string): void {
  report("sojourn:cache-failed", () => ({
    session: fingerprint(key),
    operation,
    error: message.replaceAll(key, "(session key)"),
  }));
}
