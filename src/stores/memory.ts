import { setImmediate } from "node:timers/promises";
import { assertBatchSize } from "../core/batch-size.ts";
import type { DeleteExpiredOptions, Payload, SessionStore } from "../core/contracts.ts";
import { SessionError } from "../core/errors.ts";

export interface MemoryStoreOptions {
  /** Records kept at most. Default 10,000. */
  readonly maxEntries?: number;
  /** Bytes kept at most: keys and payloads, as UTF-16. Default 64 MiB. */
  readonly maxBytes?: number;
  /** The clock. For tests. */
  readonly now?: (() => Date) | undefined;
}

/** A record, and its place in the list from the least to the most recently used. */
interface Entry {
  readonly key: string;
  payload: Payload;
  expiresAt: number;
  bytes: number;
  older: Entry | undefined;
  newer: Entry | undefined;
}

/** Entries at the old end that are searched for an expired one before a live one has to go. */
const PROBED = 16;

/**
 * Keeps records in this process: for development, tests and a single server whose sessions may be lost at a restart.
 *
 * Bounded: when full, an expired one among the records that were not used for longest goes first, else the one that was
 * not used for the very longest. No timer, so nothing holds the process up. The list is linked by hand because deleting
 * a Map's first key gets slower with every deletion.
 */
export function memoryStore(options: MemoryStoreOptions = {}): SessionStore {
  const { maxEntries = 10_000, maxBytes = 64 * 1024 * 1024, now = () => new Date() } = options;
  for (const [name, value] of Object.entries({ maxEntries, maxBytes })) {
    if (!(value >= 1)) throw new SessionError("ERR_CONFIG", `memoryStore: ${name} must be a number, 1 or more.`);
  }
  const entries = new Map<string, Entry>();
  let oldest: Entry | undefined;
  let newest: Entry | undefined;
  let bytes = 0;

  function live(key: string): Entry | undefined {
    const entry = entries.get(key);
    if (!entry || entry.expiresAt > now().getTime()) return entry;
    remove(entry);
    return undefined;
  }

  function unlink(entry: Entry): void {
    if (entry.older) entry.older.newer = entry.newer;
    else oldest = entry.newer;
    if (entry.newer) entry.newer.older = entry.older;
    else newest = entry.older;
  }

  function linkNewest(entry: Entry): void {
    entry.older = newest;
    entry.newer = undefined;
    if (newest) newest.newer = entry;
    else oldest = entry;
    newest = entry;
  }

  function remove(entry: Entry): void {
    entries.delete(entry.key);
    bytes -= entry.bytes;
    unlink(entry);
  }

  function write(entry: Entry): void {
    if (entry.bytes > maxBytes) {
      throw new SessionError(
        "ERR_SESSION_TOO_LARGE",
        `The session takes ${entry.bytes} bytes; the memory store holds ${maxBytes}.`,
      );
    }
    entries.set(entry.key, entry);
    bytes += entry.bytes;
    linkNewest(entry);
    while (entries.size > maxEntries || bytes > maxBytes) remove(leastNeeded());
  }

  function leastNeeded(): Entry {
    const time = now().getTime();
    let candidate = oldest;
    for (let probed = 0; candidate && candidate !== newest && probed < PROBED; probed++, candidate = candidate.newer) {
      if (candidate.expiresAt <= time) return candidate;
    }
    return oldest!;
  }

  return {
    async load(key) {
      const entry = live(key);
      if (!entry) return null;
      unlink(entry);
      linkNewest(entry);
      return { payload: own(entry.payload), expiresAt: new Date(entry.expiresAt) };
    },
    async create(key, { payload, expiresAt }) {
      if (live(key)) return false;
      write({
        key,
        payload: own(payload),
        expiresAt: expiresAt.getTime(),
        bytes: size(key, payload),
        older: undefined,
        newer: undefined,
      });
      return true;
    },
    async update(key, { payload, expiresAt }, expected) {
      const entry = live(key);
      if (!entry || (expected !== undefined && !samePayload(entry.payload, expected))) return false;
      const next = { ...entry, payload: own(payload), expiresAt: expiresAt.getTime(), bytes: size(key, payload) };
      if (next.bytes <= maxBytes) remove(entry);
      write(next);
      return true;
    },
    async delete(key, expected) {
      const entry = live(key);
      if (!entry || (expected !== undefined && !samePayload(entry.payload, expected))) return false;
      remove(entry);
      return true;
    },
    async deleteExpired({ batchSize = 1000, onProgress, signal }: DeleteExpiredOptions = {}) {
      assertBatchSize(batchSize);
      const time = now().getTime();
      const expired = [...entries.values()].filter((entry) => entry.expiresAt <= time);
      let deleted = 0;
      for (let start = 0; start < expired.length && !signal?.aborted; start += batchSize) {
        // Between two batches a record may have been removed, or made anew under the same key.
        const batch = expired.slice(start, start + batchSize).filter((entry) => entries.get(entry.key) === entry);
        for (const entry of batch) remove(entry);
        deleted += batch.length;
        if (batch.length > 0) onProgress?.({ deleted, total: expired.length });
        await setImmediate();
      }
      return deleted;
    },
  };
}

function size(key: string, payload: Payload): number {
  return 2 * key.length + (typeof payload === "string" ? 2 * payload.length : payload.byteLength);
}

/** Bytes can be changed by whoever holds them, and a small view can keep a large buffer alive. */
function own(payload: Payload): Payload {
  return typeof payload === "string" ? payload : new Uint8Array(payload);
}

function samePayload(a: Payload, b: Payload): boolean {
  return typeof a === "string" || typeof b === "string" ? a === b : Buffer.compare(a, b) === 0;
}
