import type { ConnectedStore, ConnectOptions } from "./connect/connected-store.ts";
import { connectMemory } from "./connect/memory.ts";
import { connectSqlite } from "./connect/sqlite.ts";
import { SessionError } from "./core/errors.ts";

export type { ConnectedStore, ConnectOptions } from "./connect/connected-store.ts";

type Connect = (url: string, options: ConnectOptions) => Promise<ConnectedStore>;

/** Each loads its driver when it is called, and only then. */
const SCHEMES: Readonly<Record<string, Connect>> = {
  sqlite: connectSqlite,
  memory: connectMemory,
};

/**
 * Makes a store from a URL.
 *
 * | URL | store |
 * |---|---|
 * | `sqlite:path/to/file` | Django's table in a SQLite file, with node:sqlite, better-sqlite3 or libsql |
 * | `memory:` | this process's memory |
 *
 * Throws `ERR_CONFIG` for an unknown scheme, a missing driver (and says what to install) or a URL that is wrong.
 *
 * @example const store = await connect("sqlite:sessions.sqlite3");
 */
export async function connect(url: string, options: ConnectOptions = {}): Promise<ConnectedStore> {
  const scheme = /^([a-z0-9+]+):/.exec(url)?.[1] ?? "";
  if (Object.hasOwn(SCHEMES, scheme)) return SCHEMES[scheme]!(url, options);
  throw new SessionError(
    "ERR_CONFIG",
    `${scheme ? `There is no store for ${scheme}:` : "A store's URL begins with its scheme"}; there are ${Object.keys(SCHEMES).join(": ")}:`,
  );
}
