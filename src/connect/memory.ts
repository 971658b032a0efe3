import { SessionError } from "../core/errors.ts";
import { memoryStore } from "../stores/memory.ts";
import type { ConnectedStore, ConnectOptions } from "./connected-store.ts";

/** @param url `memory:`, or `memory:?maxEntries=1000` */
export async function connectMemory(url: string, { now }: ConnectOptions): Promise<ConnectedStore> {
  const [, digits] = /^memory:(?:\?maxEntries=(\d{1,9}))?$/.exec(url) ?? [url];
  if (digits === undefined && url !== "memory:") {
    throw new SessionError("ERR_CONFIG", "A memory store is memory: or memory:?maxEntries=1000.");
  }
  const maxEntries = digits === undefined ? {} : { maxEntries: Number(digits) };
  return { ...memoryStore({ now, ...maxEntries }), migrate: async () => false, close: async () => {} };
}
