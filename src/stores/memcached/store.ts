import { inflateSync } from "node:zlib";
import { assertBatchSize } from "../../core/batch-size.ts";
import type { Payload, SessionStore } from "../../core/contracts.ts";
import { SessionError } from "../../core/errors.ts";
import { MAX_BYTES } from "../../core/values.ts";
import { assertKey, type MemcachedClient, type MemcachedItem } from "./client.ts";

export interface MemcachedStoreOptions {
  /** What stands before the session key. Default `"session:"`. */
  readonly prefix?: string | undefined;
  /** What the client flags of written values say to Python's clients: 1 for pickles. Default 0, bytes. */
  readonly flags?: number | undefined;
  /** The clock. For tests. */
  readonly now?: (() => Date) | undefined;
}

/** Set by python-memcached, pylibmc and pymemcache for a value that zlib compressed. */
const COMPRESSED = 8;

const MONTH_SECONDS = 30 * 24 * 3600;

const MAX_EXPTIME = 2 ** 31 - 1;

/** Each refusal is another writer's success. */
const MAX_ATTEMPTS = 100;

/**
 * Keeps records in one memcached, which forgets them when it is restarted or full. The client is the caller's: it is
 * neither connected nor closed. memcached measures time in whole seconds, so an expiry is up to a second early.
 *
 * Throws `ERR_CONFIG` for a prefix that memcached does not take and for flags that would not be true.
 *
 * @example memcachedStore(memcachedClient())
 */
export function memcachedStore(client: MemcachedClient, options: MemcachedStoreOptions = {}): SessionStore {
  const { prefix = "session:", flags = 0, now = () => new Date() } = options;
  // With the longest key of Django's.
  assertKey(prefix + "k".repeat(40));
  if (flags !== (flags & ~COMPRESSED) >>> 0) {
    throw new SessionError("ERR_CONFIG", "memcachedStore: flags are 32 bits, and not 8 (compressed).");
  }

  async function get(key: string): Promise<MemcachedItem | null> {
    const item = await client.get(prefix + key);
    return item === null || (item?.value instanceof Uint8Array && typeof item.cas === "string") ? item : strange();
  }

  /** Makes a change to the version whose payload is `expected`, and to no other. */
  async function change(key: string, expected: Payload, to: (cas: string) => Promise<boolean>): Promise<boolean> {
    const bytes = typeof expected === "string" ? Buffer.from(expected) : expected;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const item = await get(key);
      if (!item || Buffer.compare(payloadOf(item), bytes) !== 0) return false;
      if (isDone(await to(item.cas))) return true;
      // Another version, but perhaps of the same payload: then the answer is not no.
    }
    throw new SessionError("ERR_SESSION_CONFLICT", "Others kept writing the session; it was not changed.");
  }

  return {
    async load(key) {
      const item = await get(key);
      return item && { payload: payloadOf(item) };
    },
    async create(key, { payload, expiresAt }) {
      return isDone(
        await client.set(prefix + key, payload, { mode: "add", flags, exptime: exptime(expiresAt, now()) }),
      );
    },
    async update(key, { payload, expiresAt }, expected) {
      const write = (mode: "replace" | { cas: string }) =>
        client.set(prefix + key, payload, { mode, flags, exptime: exptime(expiresAt, now()) });
      return expected === undefined ? isDone(await write("replace")) : change(key, expected, (cas) => write({ cas }));
    },
    async delete(key, expected) {
      const remove = (cas?: string) => client.delete(prefix + key, cas);
      return expected === undefined ? isDone(await remove()) : change(key, expected, remove);
    },
    async deleteExpired({ batchSize } = {}) {
      assertBatchSize(batchSize);
      return 0;
    },
  };
}

function isDone(answer: boolean): boolean {
  return typeof answer === "boolean" ? answer : strange();
}

/** Taken for a refusal, it would have a change made again that was made already. */
function strange(): never {
  throw new SessionError(
    "ERR_SESSION_UNAVAILABLE",
    "memcached's client gave an answer that is none to what it was asked.",
  );
}

/** What does not inflate is no payload that a codec would take, and is left to the codec. */
function payloadOf({ value, flags }: MemcachedItem): Uint8Array {
  if (!(flags & COMPRESSED)) return value;
  try {
    return inflateSync(value, { maxOutputLength: MAX_BYTES });
  } catch {
    return value;
  }
}

function exptime(expiresAt: Date, now: Date): number {
  const seconds = Math.ceil((expiresAt.getTime() - now.getTime()) / 1000);
  // Stored, and gone at once: so create and update need no other command for it.
  if (seconds <= 0) return -1;
  if (seconds <= MONTH_SECONDS) return seconds;
  const unixTime = Math.ceil(expiresAt.getTime() / 1000);
  // 1.6.18 reads 32 bits: a time after January 2038 wraps round and the item is gone at once. Never (0) is what most
  // such expiries mean, and memcached forgets it at a restart anyway.
  return unixTime <= MAX_EXPTIME ? unixTime : 0;
}
