import { memoryStore } from "../stores/memory.ts";
import type { ConnectedStore, ConnectOptions } from "./connected-store.ts";

export async function connectMemory(_url: string, { now }: ConnectOptions): Promise<ConnectedStore> {
  return { ...memoryStore({ now }), migrate: async () => false, close: async () => {} };
}
