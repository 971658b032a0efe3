import type { SessionStore } from "../core/contracts.ts";
import { SessionError } from "../core/errors.ts";

const METHODS = ["load", "create", "update", "delete", "deleteExpired"] as const;

/**
 * A store that answers as its contract says, or throws `ERR_SESSION_UNAVAILABLE`. Nothing may be concluded from another
 * answer: an `undefined` that was taken for a refused update would have the change made once more.
 *
 * Throws `ERR_CONFIG` for a store that lacks a method.
 */
export function checkedStore(store: SessionStore): SessionStore {
  for (const method of METHODS) {
    if (typeof store[method] === "function") continue;
    throw new SessionError("ERR_CONFIG", `storeEngine: the store has no method ${method}.`);
  }
  return {
    load: async (key) => checked("load", await store.load(key), isLoaded),
    create: async (key, record) => checked("create", await store.create(key, record), isBoolean),
    update: async (key, record, expected) => checked("update", await store.update(key, record, expected), isBoolean),
    delete: async (key, expected) => checked("delete", await store.delete(key, expected), isBoolean),
    deleteExpired: async (options) => checked("deleteExpired", await store.deleteExpired(options), Number.isInteger),
  };
}

function checked<T>(method: string, answer: T, isRight: (answer: unknown) => boolean): T {
  if (isRight(answer)) return answer;
  throw new SessionError("ERR_SESSION_UNAVAILABLE", `The store gave an answer that is none to ${method}.`);
}

function isBoolean(answer: unknown): boolean {
  return typeof answer === "boolean";
}

function isLoaded(answer: unknown): boolean {
  const payload = (answer as { payload?: unknown } | null | undefined)?.payload;
  return answer === null || typeof payload === "string" || payload instanceof Uint8Array;
}
