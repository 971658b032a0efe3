import { type ConnectedStore, connect } from "../../src/connect.ts";
import { cachedStore } from "../../src/stores/cached/store.ts";
import type { StoreAddress } from "./fault.ts";

/** Opens what an address names, in whatever process. */
export async function openStore({ url, cache }: StoreAddress): Promise<ConnectedStore> {
  const database = await connect(url);
  if (cache === undefined) return database;
  const front = await connect(cache);
  return {
    ...cachedStore(front, database),
    migrate: () => database.migrate(),
    close: async () => void (await Promise.allSettled([front.close(), database.close()])),
  };
}
