import { createHash } from "node:crypto";
import type { SqlClient, SqlDialect } from "./dialect.ts";
import { messageOf, NETWORK_ERRORS, type SqlFault } from "./fault.ts";
import { utcText } from "./instant.ts";

/** Described rather than imported: pg's Pool, Client and PoolClient. */
export interface PgClient {
  query(statement: {
    name?: string;
    text: string;
    values: unknown[];
    rowMode: "array";
  }): Promise<{ rows: unknown[][]; rowCount: number | null }>;
}

/** Described rather than imported: the `sql` of postgres.js. */
export interface PostgresJs {
  unsafe(
    text: string,
    parameters: never[],
    options: { prepare: true },
  ): { values(): PromiseLike<readonly (readonly unknown[])[] & { readonly count: number }> };
}

/** Django's dialect of PostgreSQL. */
export const postgres: SqlDialect = {
  name: "PostgreSQL",
  schema: [
    `CREATE TABLE IF NOT EXISTS "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY, "session_data" text NOT NULL, "expire_date" timestamp with time zone NOT NULL)`,
    `CREATE INDEX IF NOT EXISTS "django_session_session_key_c0390e0f_like" ON "django_session" ("session_key" varchar_pattern_ops)`,
    `CREATE INDEX IF NOT EXISTS "django_session_expire_date_a5c62663" ON "django_session" ("expire_date")`,
  ],
  placeholder: (n) => `$${n}`,
  instant: (date) => `${utcText(date)}Z`,
  // Milliseconds: as text it would be in the connection's zone and style, as a Date the user's type parsers decide.
  expireDate: "floor(extract(epoch FROM expire_date) * 1000)",
  readInstant(value) {
    const ms = Number(value);
    // "infinity" is a timestamp too.
    return Math.abs(ms) <= 8.64e15 ? new Date(ms) : undefined;
  },
  isKey: "session_key = :key",
  isExpected: "session_data = :expected",
  create: [
    "INSERT INTO django_session (session_key, session_data, expire_date) VALUES (:key, :data, :expiresAt) ON CONFLICT (session_key) DO UPDATE SET session_data = excluded.session_data, expire_date = excluded.expire_date WHERE django_session.expire_date <= :now",
  ],
  cleanUpShare: 0.25,
  // An array, because a subquery under IN may be executed again for each row, LIMIT and all.
  deleteExpired: (batchSize) =>
    `DELETE FROM django_session WHERE expire_date <= :now AND session_key = ANY (ARRAY(SELECT session_key FROM django_session WHERE expire_date <= :now ORDER BY expire_date LIMIT ${batchSize} FOR UPDATE SKIP LOCKED))`,
  diagnose(error) {
    const { code, severity } = error as { code?: string; severity?: string };
    const message = messageOf(error);
    const fault =
      FAULTS[code ?? ""] ??
      FAULTS[(code ?? "").slice(0, 2)] ??
      FAULTS_OF_DRIVERS.find(([text]) => text.test(message))?.[1];
    // What the server says of a fault that is not known here may quote a value.
    return { fault, code, message: fault || !severity ? message : undefined };
  },
};

/** By SQLSTATE, or its class: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const FAULTS: Readonly<Record<string, SqlFault>> = {
  ...NETWORK_ERRORS,
  "08": "unreachable",
  CONNECT_TIMEOUT: "unreachable",
  CONNECTION_CLOSED: "unreachable",
  CONNECTION_DESTROYED: "unreachable",
  "57P01": "starting",
  "57P02": "starting",
  "57P03": "starting",
  "57014": "slow",
  "55P03": "slow",
  "40001": "conflict",
  "40P01": "conflict",
  "53300": "crowded",
  "28": "login",
  "3D": "missingDatabase",
  "42P01": "missingTable",
  "42501": "forbidden",
  "25006": "readOnly",
  "53100": "full",
};

/** pg's own errors have no code. */
const FAULTS_OF_DRIVERS: readonly (readonly [RegExp, SqlFault])[] = [
  [/^Connection terminated|connection error and is not queryable/, "unreachable"],
  [/^Query read timeout|^timeout exceeded when trying to connect/, "slow"],
  [/client password must be a string/, "login"],
];

/**
 * A client for `sqlStore` from what the application has: a Pool or Client of pg, or the `sql` of postgres.js. Connecting,
 * time-outs and closing stay the application's. A Pool of pg needs a listener for `"error"`: without one, a connection
 * that breaks while nobody uses it ends the process.
 *
 * Statements are prepared once for each connection. Behind a pooler that lends out connections by the transaction, and
 * so loses prepared statements, they stop being prepared at the first error that tells of it.
 *
 * @example
 * const pool = new pg.Pool({ connectionString }).on("error", console.error);
 * sqlStore(postgresClient(pool), postgres)
 * @example sqlStore(postgresClient(postgresJs(url)), postgres)
 */
export function postgresClient(client: PgClient | PostgresJs): SqlClient {
  return "unsafe" in client ? postgresJsClient(client) : pgClient(client);
}

function postgresJsClient(client: PostgresJs): SqlClient {
  // `values`, because an application may have columns renamed.
  const query = async (text: string, parameters: readonly unknown[]) =>
    client.unsafe(text, parameters as never[], { prepare: true }).values();
  return { rows: query, run: async (text, parameters) => (await query(text, parameters)).count };
}

/** SQLSTATE: a prepared statement that is not there, or is there already. Nothing was executed then. */
const NOT_PREPARED = new Set(["26000", "42P05"]);

function pgClient(client: PgClient): SqlClient {
  const names = new Map<string, string>();
  let prepares = true;

  /** By content: behind a pooler, another version's statement must not be taken for this one. */
  function nameOf(text: string): string {
    let name = names.get(text);
    if (name === undefined) {
      name = `sojourn_${createHash("sha256").update(text).digest("hex").slice(0, 16)}`;
      names.set(text, name);
    }
    return name;
  }

  async function query(text: string, parameters: readonly unknown[]) {
    const statement = { text, values: parameters as unknown[], rowMode: "array" } as const;
    if (prepares) {
      try {
        return await client.query({ name: nameOf(text), ...statement });
      } catch (error) {
        if (!NOT_PREPARED.has((error as { code?: string }).code ?? "")) throw error;
        prepares = false;
      }
    }
    return client.query(statement);
  }

  return {
    rows: async (text, parameters) => (await query(text, parameters)).rows,
    run: async (text, parameters) => (await query(text, parameters)).rowCount ?? Number.NaN,
  };
}
