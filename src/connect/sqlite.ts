import { createRequire } from "node:module";
import { SessionError } from "../core/errors.ts";
import { isBusy, type SqliteDatabase, sqlite, sqliteClient } from "../stores/sql/sqlite.ts";
import { sqlStore } from "../stores/sql/store.ts";
import { type ConnectedStore, type ConnectSettings, connectSettings } from "./connected-store.ts";

/** Milliseconds that opening a file waits for other processes: several servers that start at once open it together. */
const OPENING_TIMEOUT_MS = 5000;

/** @param url `sqlite:path` or `sqlite://path`; the path is taken as it is, without escapes or parameters */
export async function connectSqlite(url: string, settings: ConnectSettings): Promise<ConnectedStore> {
  return sqliteFile(openSqlite(url.replace(/^sqlite:(?:\/\/)?/, "")), settings);
}

/** The store of `createSessions` where none is given: the file `sessions.sqlite3`, with its table. */
export function defaultStore(): ConnectedStore {
  const database = openSqlite("sessions.sqlite3");
  createTable(database);
  return sqliteFile(database, connectSettings({}));
}

function sqliteFile(database: OpenDatabase, { now, operationTimeoutMs }: ConnectSettings): ConnectedStore {
  return {
    ...sqlStore(sqliteClient(database, { timeoutMs: operationTimeoutMs }), sqlite, { now }),
    migrate: async () => createTable(database),
    close: async () => database.close(),
  };
}

function createTable(database: OpenDatabase): boolean {
  try {
    const find = "SELECT 1 FROM sqlite_master WHERE name = 'django_session'";
    const isThere = whenFree(() => database.prepare(find).all()).length > 0;
    for (const statement of sqlite.schema) whenFree(() => database.exec(statement));
    return !isThere;
  } catch (cause) {
    const message = `The table django_session cannot be created: ${(cause as Error).message}`;
    throw new SessionError("ERR_SESSION_UNAVAILABLE", message, { cause });
  }
}

type OpenDatabase = Required<SqliteDatabase> & { close(): void };
type DatabaseClass = new (path: string) => OpenDatabase;

function openSqlite(path: string): OpenDatabase {
  if (path === "") throw new SessionError("ERR_CONFIG", "A SQLite store needs a file: sqlite:path/to/file");
  const Database = sqliteDriver();
  let database: OpenDatabase | undefined;
  try {
    const opened = new Database(path);
    database = opened;
    // better-sqlite3 waits for 5 s, and the whole process with it; sqliteClient waits without.
    opened.exec("PRAGMA busy_timeout = 0");
    // Readers and the writer do not block each other. Durability stays SQLite's default: every commit is synced.
    whenFree(() => opened.exec("PRAGMA journal_mode = WAL"));
    return opened;
  } catch (cause) {
    database?.close();
    throw new SessionError("ERR_CONFIG", `The SQLite file ${path} cannot be opened: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/**
 * Tries until no other process is in the way. Not left to `PRAGMA busy_timeout`, which does not count for the change
 * to WAL. Blocks, which is right only while a process starts.
 */
function whenFree<T>(execute: () => T): T {
  for (const deadline = performance.now() + OPENING_TIMEOUT_MS; ; ) {
    try {
      return execute();
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error;
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.random() * 20);
  }
}

/** What this Node has, else what is installed. */
function sqliteDriver(): DatabaseClass {
  const builtin = process.getBuiltinModule("node:sqlite" as never) as { DatabaseSync: DatabaseClass } | undefined;
  if (builtin) return builtin.DatabaseSync;
  const require = createRequire(import.meta.url);
  for (const name of ["better-sqlite3", "libsql"]) {
    if (name === "better-sqlite3" && crashes(require)) continue;
    try {
      return require(name) as DatabaseClass;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") {
        throw new SessionError("ERR_CONFIG", `${name} is installed but does not load: ${(error as Error).message}`, {
          cause: error,
        });
      }
    }
  }
  throw new SessionError(
    "ERR_CONFIG",
    `Node ${process.versions.node} has no SQLite of its own. Install a driver with \`npm install libsql\` (or better-sqlite3@12, which needs a compiler), or use Node 22.13 or later.`,
  );
}

/** better-sqlite3 13 needs Node-API 10 and takes the process down without it (WiseLibs/better-sqlite3#1514). */
function crashes(require: NodeJS.Require): boolean {
  try {
    const { version } = require("better-sqlite3/package.json") as { version: string };
    return Number.parseInt(version, 10) >= 13 && Number(process.versions.napi) < 10;
  } catch {
    return false;
  }
}
