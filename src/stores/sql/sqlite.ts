import type { SqlClient, SqlDialect } from "./dialect.ts";

/** Described rather than imported: node:sqlite, better-sqlite3, libsql and bun:sqlite all have this shape. */
export interface SqliteDatabase {
  prepare(sql: string): SqliteStatement;
}

export interface SqliteStatement {
  all(...parameters: never[]): unknown[];
  run(...parameters: never[]): { changes: number | bigint };
}

/** Django's dialect of SQLite: instants are text in UTC, compared as text, with six digits or no fraction. */
export const sqlite: SqlDialect = {
  schema: [
    `CREATE TABLE IF NOT EXISTS "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY, "session_data" text NOT NULL, "expire_date" datetime NOT NULL)`,
    `CREATE INDEX IF NOT EXISTS "django_session_expire_date_a5c62663" ON "django_session" ("expire_date")`,
  ],
  placeholder: () => "?",
  instant(date) {
    const text = date.toISOString().replace("T", " ");
    return text.endsWith(".000Z") ? text.slice(0, -5) : `${text.slice(0, -1)}000`;
  },
  isMissingTable: (error) => error instanceof Error && error.message.includes("no such table: django_session"),
};

/**
 * A client for `sqlStore` from an open database. Statements are prepared once, and kept.
 *
 * @example sqlStore(sqliteClient(new Database("db.sqlite3")), sqlite)
 */
export function sqliteClient(database: SqliteDatabase): SqlClient {
  const statements = new Map<string, SqliteStatement>();
  function prepared(sql: string): SqliteStatement {
    let statement = statements.get(sql);
    if (!statement) {
      statement = database.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  }
  return {
    async all(sql, parameters) {
      return prepared(sql).all(...(parameters as never[])) as Record<string, unknown>[];
    },
    async run(sql, parameters) {
      return Number(prepared(sql).run(...(parameters as never[])).changes);
    },
  };
}
