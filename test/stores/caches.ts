import type { LoadedRecord, SessionStore } from "../../src/core/contracts.ts";

/** A store's four operations, each passed through `change`, which decides whether and when it is done. */
export function through(
  store: SessionStore,
  change: <T>(operation: keyof SessionStore, run: () => Promise<T>) => Promise<T>,
): SessionStore {
  return {
    load: (key) => change("load", () => store.load(key)),
    create: (key, record) => change("create", () => store.create(key, record)),
    update: (key, record, expected) => change("update", () => store.update(key, record, expected)),
    delete: (key, expected) => change("delete", () => store.delete(key, expected)),
    deleteExpired: (options) => store.deleteExpired(options),
  };
}

/** Writes down which operations were asked for. */
export function listing(store: SessionStore, name: string, list: string[]): SessionStore {
  return through(store, (operation, run) => {
    list.push(`${name} ${operation}`);
    return run();
  });
}

/** Knows only bytes, as Redis and memcached do. */
export function bytesOnly(store: SessionStore): SessionStore {
  const asBytes = (loaded: LoadedRecord | null) => loaded && { ...loaded, payload: Buffer.from(loaded.payload) };
  return {
    ...store,
    load: async (key) => asBytes(await store.load(key)),
    create: (key, record) => store.create(key, { ...record, payload: Buffer.from(record.payload) }),
    update: (key, record, expected) =>
      store.update(
        key,
        { ...record, payload: Buffer.from(record.payload) },
        expected === undefined ? undefined : Buffer.from(expected),
      ),
    delete: (key, expected) => store.delete(key, expected === undefined ? undefined : Buffer.from(expected)),
  };
}

/** Says that it has stored everything, and has nothing. */
export const emptyCache: SessionStore = {
  load: async () => null,
  create: async () => true,
  update: async () => true,
  delete: async () => true,
  deleteExpired: async () => 0,
};
