import { setTimeout as sleep } from "node:timers/promises";
import { type Budget, newBudget, spend } from "../core/budget.ts";
import type {
  DeleteExpiredOptions,
  DeleteExpiredProgress,
  LoadedRecord,
  LoadedSession,
  Payload,
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
import { turns } from "../core/turns.ts";
import { checkedStore } from "./checked-store.ts";
import { circuitBreaker, isQuick } from "./circuit-breaker.ts";
import { corruptionWave } from "./corruption-wave.ts";
import { FORWARDING_AGE, forwardedKeys, forwardingData, forwardingKey, isForwarding } from "./forwarding.ts";

/** Keys drawn at most for one new session. A second draw means a broken random generator, or a broken store. */
const MAX_CREATE_ATTEMPTS = 5;

/** Each refusal is another request's success, so this many parallel writers of one session are served. */
const MAX_UPDATE_ATTEMPTS = 1000;

/** Moves that a logout follows: each is a log-in, or the like, within five minutes. */
const MAX_MOVES = 10;

/**
 * Sessions kept in a store under a random key, the cookie holding the key.
 *
 * A save expects the payload that was loaded (compare-and-swap); if the store refuses because someone else was faster,
 * both sides' changes are merged and the save is tried again. So nothing that was acknowledged is lost, and Django's
 * table needs no version column.
 *
 * A write is asked for once. If the store fails in the middle of it, nobody knows whether it was done, and that is the
 * answer: `ERR_SESSION_UNAVAILABLE`. So nothing is done twice; see docs/decisions/0015-unknown-outcomes.md.
 *
 * Throws `ERR_CONFIG` for a store that lacks a method.
 *
 * @example storeEngine(memoryStore(), djangoCodec({ secretKey }))
 */
export function storeEngine(given: SessionStore, codec: SessionCodec): SessionEngine {
  const store = checkedStore(given);
  const breaker = circuitBreaker();
  const countRecord = corruptionWave();
  const inTurn = turns();

  /** A store's fault, whatever it is, is one error to the floors above. */
  async function ask<T>(budget: Budget, operation: () => Promise<T>): Promise<T> {
    breaker.assertClosed();
    const beganAt = performance.now();
    let isAsked = false;
    try {
      const answer = await spend(budget, () => {
        isAsked = true;
        return operation();
      });
      breaker.answered();
      return answer;
    } catch (cause) {
      const error = asSessionError(cause);
      // A request that has no time left has learnt nothing of the store.
      if (!isAsked) throw error;
      if (error.code === "ERR_SESSION_UNAVAILABLE" && !isQuick(beganAt)) breaker.silent();
      else breaker.answered();
      throw error;
    }
  }

  /** Reading twice harms nobody, and connections that died unnoticed are found by being used. */
  async function read(budget: Budget, key: string): Promise<LoadedRecord | null> {
    const beganAt = performance.now();
    const operation = () => store.load(key);
    try {
      return await ask(budget, operation);
    } catch (error) {
      if (isQuick(beganAt)) return ask(budget, operation);
      throw error;
    }
  }

  /**
   * One after the other within this process: many parallel saves of one session would refuse each other again and again.
   * Who has waited for as long as a request may has its turn no more.
   */
  function exclusively<T>(budget: Budget, key: string, act: () => Promise<T>): Promise<T> {
    let isWaiting = true;
    let begin = () => {};
    const result = inTurn(key, async () => {
      if (!isWaiting) throw conflict();
      isWaiting = false;
      begin();
      return act();
    });
    if (!isWaiting) return result;
    const turn = new Promise<void>((resolve) => {
      begin = resolve;
    });
    return spend(budget, () => turn).then(
      () => result,
      () => {
        isWaiting = false;
        result.catch(() => {});
        throw conflict();
      },
    );
  }

  function record(data: SessionData, { now, expiresAt }: Saving, origin?: unknown): SessionRecord {
    return { payload: codec.encode(data, now, origin), expiresAt: expiresAt(data) };
  }

  async function load(key: string, budget: Budget = newBudget()): Promise<LoadedSession | "missing" | "corrupted"> {
    const loaded = await read(budget, key);
    if (loaded === null) return "missing";
    const decoded = codec.decode(loaded.payload);
    countRecord(decoded === null);
    if (decoded === null) return "corrupted";
    if (isForwarding(decoded.data)) return "missing";
    return { token: key, payload: loaded.payload, data: decoded.data, origin: decoded.origin };
  }

  async function create(data: SessionData, saving: Saving, origin?: unknown): Promise<StoredSession> {
    const { budget = newBudget() } = saving;
    const fresh = record(data, saving, origin);
    for (let attempt = 0; attempt < MAX_CREATE_ATTEMPTS; attempt++) {
      const token = newSessionKey();
      if (await ask(budget, () => store.create(token, fresh))) return { token, payload: fresh.payload, origin };
    }
    throw new SessionError("ERR_SESSION_UNAVAILABLE", "The store refused every new session key.");
  }

  /** Reconciles `data` with what is stored now; `null`: nothing is, and what is left in `data` is for a new session. */
  async function reconciled(
    base: StoredSession,
    data: SessionData,
    budget: Budget,
    reconcile: Reconcile,
    attempt: number,
  ): Promise<LoadedSession | null> {
    if (attempt >= MAX_UPDATE_ATTEMPTS) throw conflict();
    // Jitter, so that writers in several processes do not meet again in step.
    if (attempt > 2) await sleep(Math.random() * Math.min(attempt, 20));
    const theirs = await load(base.token, budget);
    if (theirs === "corrupted") {
      throw new SessionError(
        "ERR_SESSION_UNAVAILABLE",
        "The session was written by somebody else, and cannot be read.",
      );
    }
    const stored = theirs === "missing" ? null : theirs;
    await reconcile(data, codec.decode(base.payload)?.data ?? {}, stored === null ? null : stored.data);
    return stored;
  }

  async function update(
    base: StoredSession,
    data: SessionData,
    saving: Saving,
    reconcile: Reconcile,
  ): Promise<StoredSession> {
    const { budget = newBudget() } = saving;
    let current = base;
    for (let attempt = 0; ; attempt++) {
      const next = record(data, saving, current.origin);
      if (await ask(budget, () => store.update(current.token, next, current.payload))) {
        return { token: current.token, payload: next.payload, origin: current.origin };
      }
      const theirs = await reconciled(current, data, budget, reconcile, attempt);
      if (theirs === null) return create(data, saving);
      current = theirs;
    }
  }

  async function cycle(
    base: StoredSession,
    data: SessionData,
    saving: Saving,
    reconcile: Reconcile,
  ): Promise<StoredSession> {
    const { budget = newBudget() } = saving;
    // The new one first: a crash in between leaves the person two sessions rather than none.
    let fresh = await create(data, saving, base.origin);
    let current = base;
    try {
      await leaveForwarding(current.token, fresh.token, saving.now, budget);
      for (let attempt = 0; !(await ask(budget, () => store.delete(current.token, current.payload))); attempt++) {
        const theirs = await reconciled(current, data, budget, reconcile, attempt);
        if (theirs === null) {
          // Not under the key to which the old one leads: a second logout with the old one would end it.
          await ask(budget, () => store.delete(fresh.token));
          return create(data, saving);
        }
        // With the others' origin: the data are theirs too now.
        fresh = await update({ ...fresh, origin: theirs.origin }, data, saving, reconcile);
        current = theirs;
      }
    } catch (error) {
      // A logout was faster, or we cannot tell: the copy must not outlive the session it was made of. If it does
      // because the store is down, nobody has its key.
      await ask(budget, () => store.delete(fresh.token)).catch(() => {});
      throw error;
    }
    return fresh;
  }

  /** Before the old key dies, for a logout that finds it dead has to find this. */
  async function leaveForwarding(from: string, to: string, now: Date, budget: Budget): Promise<void> {
    const key = forwardingKey(from);
    const expiresAt = new Date(now.getTime() + FORWARDING_AGE * 1000);
    let known: LoadedRecord | null = null;
    for (let attempt = 0; attempt < MAX_UPDATE_ATTEMPTS; attempt++) {
      const data = forwardingData(from, to, known ? codec.decode(known.payload)?.data : undefined);
      const next = { payload: codec.encode(data, now), expiresAt };
      const expected: Payload | undefined = known?.payload;
      const leave = () => (expected === undefined ? store.create(key, next) : store.update(key, next, expected));
      if (await ask(budget, leave)) return;
      known = await read(budget, key);
    }
    throw conflict();
  }

  /** Ends the session of a key, or those that it moved to. */
  async function remove(token: string, budget: Budget, moves: number): Promise<void> {
    if (await ask(budget, () => store.delete(token))) return;
    const forwarding = moves < MAX_MOVES ? await read(budget, forwardingKey(token)) : null;
    const data = forwarding && codec.decode(forwarding.payload)?.data;
    for (const key of data ? forwardedKeys(token, data) : []) await remove(key, budget, moves + 1);
  }

  async function deleteExpired({ onProgress, ...options }: DeleteExpiredOptions = {}): Promise<number> {
    let thrown: { error: unknown } | undefined;
    const watched = (progress: DeleteExpiredProgress) => {
      try {
        onProgress?.(progress);
      } catch (error) {
        thrown = { error };
        throw error;
      }
    };
    try {
      return await store.deleteExpired({ ...options, onProgress: onProgress && watched });
    } catch (cause) {
      // The caller's own error is not the store's.
      throw thrown ? thrown.error : asSessionError(cause);
    }
  }

  return {
    isToken: isSessionKey,
    load,
    create: (data, saving) => create(data, saving),
    update: (stored, data, saving, reconcile) =>
      exclusively(saving.budget ?? newBudget(), stored.token, () => update(stored, data, saving, reconcile)),
    cycle: (stored, data, saving, reconcile) =>
      exclusively(saving.budget ?? newBudget(), stored.token, () => cycle(stored, data, saving, reconcile)),
    delete: (token, budget = newBudget()) => remove(token, budget, 0),
    deleteExpired,
    assertValue: codec.assertValue,
  };
}

function conflict(): SessionError {
  return new SessionError("ERR_SESSION_CONFLICT", "Others kept changing the session; it was not saved.");
}

function asSessionError(cause: unknown): SessionError {
  if (cause instanceof SessionError) return cause;
  return new SessionError("ERR_SESSION_UNAVAILABLE", "The session store failed.", { cause });
}
