import type { CacheEntries } from "../../core/cache-entries.ts";
import type { LoadedRecord, Payload, SessionRecord, SessionStore } from "../../core/contracts.ts";
import { SessionError } from "../../core/errors.ts";
import { guardedCache } from "./guarded-cache.ts";
import { ownEntries } from "./own-entries.ts";

export interface CachedStoreOptions {
  /**
   * Seconds that an entry stays in the cache at most. It bounds what the cache can do wrong after a row was deleted
   * behind the store's back, or after an entry could not be removed. Default 300.
   */
  readonly maxAge?: number | undefined;
  /** Milliseconds that a question to the cache may take. Default 100. */
  readonly cacheTimeoutMs?: number | undefined;
  /** What lies in the cache. Default a format of our own; a cache that others fill as well needs theirs. */
  readonly entries?: CacheEntries | undefined;
  /** The clock. For tests. */
  readonly now?: (() => Date) | undefined;
}

/** Milliseconds that a reader has between asking the database and filling the cache. A late one fills nothing. */
const LEASE_MS = 5000;

/**
 * Any cache in front of any database (Django's `cached_db`): a read of a session that was read before costs no query.
 *
 * The database is the truth. A write goes there first, and when it is acknowledged nothing older is left in the cache.
 * A cache that fails, hangs or forgets costs queries, never a request; `sojourn:cache-failed` reports it.
 *
 * The cache must be one for all processes that write to the database: `memoryStore` is right for a single process only.
 * Sessions whose expiry the database's `load` does not tell are not cached by reading.
 *
 * Throws `ERR_CONFIG` for an option that is no positive number.
 *
 * @example cachedStore(redisStore(redis), sqlStore(client, postgres))
 */
export function cachedStore(
  cache: SessionStore,
  database: SessionStore,
  options: CachedStoreOptions = {},
): SessionStore {
  const { maxAge = 300, cacheTimeoutMs = 100, entries = ownEntries, now = () => new Date() } = options;
  for (const [name, value] of Object.entries({ maxAge, cacheTimeoutMs })) {
    if (Number.isFinite(value) && value > 0) continue;
    throw new SessionError("ERR_CONFIG", `cachedStore: ${name} must be a positive number.`);
  }
  const maxAgeMs = maxAge * 1000;
  const { trusts, ask, invalidate, reportUnreadable } = guardedCache(cache, maxAgeMs + LEASE_MS, cacheTimeoutMs);

  /*
   * An entry is never just put into the cache: it replaces the one of the payload before it, or the lease that its
   * bringer took before asking the database. Whoever changes the database removes what does not fit, lease or entry.
   * So nothing that is old can arrive later than what is new, however late it arrives and whatever the cache forgets
   * meanwhile; see docs/decisions/0010-cached-store.md.
   */
  /** `null`: there is nothing to put into the cache. */
  function entryOf(key: string, record: LoadedRecord | null): SessionRecord | null {
    const expiresAt = record?.expiresAt;
    const payload = expiresAt ? entries.write(key, record.payload) : null;
    if (!expiresAt || payload === null) return null;
    return { payload, expiresAt: new Date(Math.min(expiresAt.getTime(), now().getTime() + maxAgeMs)) };
  }
  /**
   * @param over what somebody else put there. A lease takes its place before the database is asked: others could put the
   * very same bytes there again afterwards, and then an entry that replaced them would be old
   * @returns `false`: something lies there. `undefined`: the cache did not answer
   */
  async function takeLease(key: string, over?: Payload): Promise<Payload | false | undefined> {
    const lease = { payload: entries.newLease(), expiresAt: new Date(now().getTime() + LEASE_MS) };
    const isTaken = await (over === undefined
      ? ask("create", key, () => cache.create(key, lease))
      : ask("update", key, () => cache.update(key, lease, over)));
    return isTaken && lease.payload;
  }
  async function fill(key: string, record: LoadedRecord | null, lease: Payload): Promise<void> {
    const entry = entryOf(key, record);
    if (entry) await ask("update", key, () => cache.update(key, entry, lease));
    else await ask("delete", key, () => cache.delete(key));
  }
  /** Whether the entry of what was written lies in the place of the one of what was there before. */
  async function replace(key: string, record: SessionRecord, before: Payload): Promise<boolean | undefined> {
    const known = entries.write(key, before);
    const entry = known && entryOf(key, record);
    return !!entry && ask("update", key, () => cache.update(key, entry, known));
  }

  return {
    async load(key) {
      const cached = trusts(key) ? await ask("load", key, () => cache.load(key)) : undefined;
      const read = cached ? entries.read(key, cached.payload) : "missing";
      // Without the entry's expiry, which is not the session's.
      if (typeof read === "object") return read;
      if (read === "unreadable") {
        reportUnreadable(key);
        await invalidate(key);
      }
      const canLease = cached === null || read === "foreign";
      const lease = canLease && (await takeLease(key, cached?.payload));
      const loaded = await database.load(key);
      if (lease) await fill(key, loaded, lease);
      return loaded;
    },
    async create(key, record) {
      const lease = trusts(key) ? await takeLease(key) : undefined;
      if (!(await database.create(key, record))) return false;
      if (lease) await fill(key, record, lease);
      else if (lease === false) await invalidate(key);
      return true;
    },
    async update(key, record, expected) {
      let isCurrent: boolean | undefined;
      try {
        const isUpdated = await database.update(key, record, expected);
        if (isUpdated && expected !== undefined && trusts(key)) isCurrent = await replace(key, record, expected);
        return isUpdated;
      } finally {
        // Also where the database refused, or failed and may have done it: whoever asks again must get its truth.
        if (!isCurrent) await invalidate(key);
      }
    },
    async delete(key, expected) {
      try {
        return await database.delete(key, expected);
      } finally {
        await invalidate(key);
      }
    },
    deleteExpired: (options) => database.deleteExpired(options),
  };
}
