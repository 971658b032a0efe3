import { createRequire } from "node:module";
import type { SqliteDatabase } from "../../src/stores/sql/sqlite.ts";

export type Database = Required<SqliteDatabase> & { close(): void };
type DatabaseClass = new (path: string) => Database;

const require = createRequire(import.meta.url);
const builtin = process.getBuiltinModule("node:sqlite" as never) as { DatabaseSync: DatabaseClass } | undefined;

/**
 * The driver that `connect` takes here. Not any other: locks are a process's, so two copies of SQLite in one process do
 * not see each other's.
 */
export const Database: DatabaseClass = builtin?.DatabaseSync ?? require("libsql");
