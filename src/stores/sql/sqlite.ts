import { setTimeout as sleep } from "node:timers/promises";
import { fromIsoFormat } from "../../core/iso-format.ts";
import type { SqlClient, SqlDialect } from "./dialect.ts";
import { messageOf, type SqlFault } from "./fault.ts";
import { utcText } from "./instant.ts";

/** Described rather than imported: node:sqlite, better-sqlite3, libsql and bun:sqlite all have this shape. */
export interface SqliteDatabase {
  prepare(sql: string): SqliteStatement;
  exec?(sql: string): unknown;
}

export interface SqliteStatement {
  all(...parameters: never[]): unknown[];
  run(...parameters: never[]): { changes: number | bigint };
}

export interface SqliteClientOptions {
  /** Milliseconds that a statement waits while another connection writes. Default 500. */
  readonly timeoutMs?: number | undefined;
}

/** SQLite's own words; its messages never quote a value. */
const FAULTS: Readonly<Record<string, SqlFault>> = {
  "no such table: django_session": "missingTable",
  "database is locked": "slow",
  "attempt to write a readonly database": "readOnly",
  "database or disk is full": "full",
};

/** Django's dialect of SQLite: instants are text in UTC, compared as text, with six digits or no fraction. */
export const sqlite: SqlDialect = {
  name: "SQLite",
  schema: [
    `CREATE TABLE IF NOT EXISTS "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY, "session_data" text NOT NULL, "expire_date" datetime NOT NULL)`,
    `CREATE INDEX IF NOT EXISTS "django_session_expire_date_a5c62663" ON "django_session" ("expire_date")`,
  ],
  placeholder: () => "?",
  instant(date) {
    const text = utcText(date);
    return text.endsWith(".000") ? text.slice(0, -4) : `${text}000`;
  },
  expireDate: "expire_date",
  readInstant: (value) => fromIsoFormat(String(value)) ?? undefined,
  isKey: "session_key = :key",
  isExpected: "session_data = :expected",
  create: [
    "INSERT INTO django_session (session_key, session_data, expire_date) VALUES (:key, :data, :expiresAt) ON CONFLICT (session_key) DO UPDATE SET session_data = excluded.session_data, expire_date = excluded.expire_date WHERE django_session.expire_date <= :now",
  ],
  // Whoever writes keeps all others from writing, so few of them must meet it.
  cleanUpShare: 0.03,
  // The condition stands twice: what was renewed in between must stay.
  deleteExpired: (batchSize) =>
    `DELETE FROM django_session WHERE expire_date <= :now AND session_key IN (SELECT session_key FROM django_session WHERE expire_date <= :now ORDER BY expire_date LIMIT ${batchSize})`,
  diagnose(error) {
    const message = messageOf(error);
    const words = Object.keys(FAULTS).find((each) => message.includes(each));
    return { fault: words === undefined ? undefined : FAULTS[words], code: undefined, message };
  },
};

/** Whether another connection, of any process, is writing: the same statement can succeed a moment later. */
export function isBusy(error: unknown): boolean {
  return error instanceof Error && error.message.includes("database is locked");
}

/**
 * A client for `sqlStore` from an open database. Statements are prepared once, and kept.
 *
 * Waits by itself while another connection writes. SQLite's own waiting, `PRAGMA busy_timeout`, comes first if it is
 * set; set it to 0, for with these synchronous drivers it holds up the whole process.
 *
 * @example sqlStore(sqliteClient(new Database("db.sqlite3")), sqlite)
 */
export function sqliteClient(database: SqliteDatabase, options: SqliteClientOptions = {}): SqlClient {
  const { timeoutMs = 500 } = options;
  const statements = new Map<string, SqliteStatement>();
  function prepared(sql: string): SqliteStatement {
    let statement = statements.get(sql);
    if (!statement) {
      statement = database.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  }
  function execute(sql: string): void {
    if (database.exec) database.exec(sql);
    else database.prepare(sql).run();
  }
  /**
   * The lock is taken by `exec`, which leaves nothing behind when it is refused. Left to the statement itself, libsql
   * keeps one that was refused unfinished, and then no later commit of the connection reaches the file: writes are
   * acknowledged, seen by this process alone, and lost with it.
   */
  function write(statement: SqliteStatement, parameters: readonly unknown[]): number {
    execute("BEGIN IMMEDIATE");
    try {
      const { changes } = statement.run(...(parameters as never[]));
      execute("COMMIT");
      return Number(changes);
    } catch (error) {
      rollback();
      throw error;
    }
  }
  function rollback(): void {
    try {
      execute("ROLLBACK");
    } catch {
      // After some faults SQLite has done so itself.
    }
  }
  return {
    rows: (sql, parameters) =>
      whenFree(timeoutMs, () =>
        prepared(sql)
          .all(...(parameters as never[]))
          .map((row) => Object.values(row as object)),
      ),
    run: (sql, parameters) => whenFree(timeoutMs, () => write(prepared(sql), parameters)),
  };
}

async function whenFree<T>(ms: number, execute: () => T): Promise<T> {
  const deadline = performance.now() + ms;
  for (let pause = 1; ; pause = Math.min(2 * pause, 20)) {
    try {
      return execute();
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error;
    }
    // Jitter, so that several that wait do not meet again in step.
    await sleep(Math.random() * pause);
  }
}
