import { setTimeout as sleep } from "node:timers/promises";
import type {
  LoadedSession,
  Reconcile,
  Saving,
  SessionCodec,
  SessionData,
  SessionEngine,
  SessionRecord,
  SessionStore,
  StoredSession,
} from "../core/contracts.ts";
import { SessionError } from "../core/errors.ts";
import { isSessionKey, newSessionKey } from "../core/key.ts";

/** Keys drawn at most for one new session. A second draw means a broken random generator, or a broken store. */
const MAX_CREATE_ATTEMPTS = 5;

/** Each refusal is another request's success, so this many parallel writers of one session are served. */
const MAX_UPDATE_ATTEMPTS = 1000;

/**
 * Sessions kept in a store under a random key, the cookie holding the key.
 *
 * A save expects the payload that was loaded (compare-and-swap); if the store refuses because someone else was faster,
 * both sides' changes are merged and the save is tried again. So nothing that was acknowledged is lost, and Django's
 * table needs no version column.
 *
 * @example storeEngine(memoryStore(), djangoCodec({ secretKey }))
 */
export function storeEngine(store: SessionStore, codec: SessionCodec): SessionEngine {
  function record(data: SessionData, { now, expiresAt }: Saving, origin?: unknown): SessionRecord {
    return { payload: codec.encode(data, now, origin), expiresAt: expiresAt(data) };
  }

  async function load(key: string): Promise<LoadedSession | "missing" | "corrupted"> {
    const loaded = await ask(() => store.load(key));
    if (loaded === null) return "missing";
    const decoded = codec.decode(loaded.payload);
    if (decoded === null) return "corrupted";
    return { token: key, payload: loaded.payload, data: decoded.data, origin: decoded.origin };
  }

  async function create(data: SessionData, saving: Saving, origin?: unknown): Promise<StoredSession> {
    const fresh = record(data, saving, origin);
    for (let attempt = 0; attempt < MAX_CREATE_ATTEMPTS; attempt++) {
      const token = newSessionKey();
      if (await ask(() => store.create(token, fresh))) return { token, payload: fresh.payload, origin };
    }
    throw new SessionError("ERR_SESSION_UNAVAILABLE", "The store refused every new session key.");
  }

  /** Reconciles `data` with what is stored now, or throws because nothing is. */
  async function reconciled(
    base: StoredSession,
    data: SessionData,
    reconcile: Reconcile,
    attempt: number,
  ): Promise<LoadedSession> {
    if (attempt >= MAX_UPDATE_ATTEMPTS) {
      throw new SessionError("ERR_SESSION_CONFLICT", "Others kept changing the session; it was not saved.");
    }
    // Jitter, so that many writers do not meet again in step.
    if (attempt > 2) await sleep(Math.random() * Math.min(attempt, 20));
    const theirs = await load(base.token);
    if (typeof theirs === "string") throw interrupted();
    await reconcile(data, codec.decode(base.payload)?.data ?? {}, theirs.data);
    return theirs;
  }

  async function update(
    base: StoredSession,
    data: SessionData,
    saving: Saving,
    reconcile: Reconcile,
  ): Promise<StoredSession> {
    let current = base;
    for (let attempt = 0; ; attempt++) {
      const next = record(data, saving, current.origin);
      if (await ask(() => store.update(current.token, next, current.payload))) {
        return { token: current.token, payload: next.payload, origin: current.origin };
      }
      current = await reconciled(current, data, reconcile, attempt);
    }
  }

  async function cycle(
    base: StoredSession,
    data: SessionData,
    saving: Saving,
    reconcile: Reconcile,
  ): Promise<StoredSession> {
    // The new one first: a crash in between leaves the person two sessions rather than none.
    let fresh = await create(data, saving, base.origin);
    let current = base;
    try {
      for (let attempt = 0; !(await ask(() => store.delete(current.token, current.payload))); attempt++) {
        current = await reconciled(current, data, reconcile, attempt);
        // With the others' origin: the data are theirs too now.
        fresh = await update({ ...fresh, origin: current.origin }, data, saving, reconcile);
      }
    } catch (error) {
      // A logout was faster, or we cannot tell: the copy must not outlive the session it was made of. If it does
      // because the store is down, nobody has its key.
      await ask(() => store.delete(fresh.token)).catch(() => {});
      throw error;
    }
    return fresh;
  }

  return {
    isToken: isSessionKey,
    load,
    create: (data, saving) => create(data, saving),
    update,
    cycle,
    async delete(key) {
      await ask(() => store.delete(key));
    },
    deleteExpired: (options) => ask(() => store.deleteExpired(options)),
    assertValue: codec.assertValue,
  };
}

function interrupted(): SessionError {
  return new SessionError(
    "ERR_SESSION_INTERRUPTED",
    "The session was deleted before the request completed. The user may have logged out in a concurrent request.",
  );
}

/** A store's fault, whatever it is, is one error to the floors above. */
async function ask<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    if (cause instanceof SessionError) throw cause;
    throw new SessionError("ERR_SESSION_UNAVAILABLE", "The session store failed.", { cause });
  }
}
