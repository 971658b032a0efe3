import { SessionError } from "../../core/errors.ts";
import { fromIsoFormat } from "../../core/iso-format.ts";
import type { SqlClient, SqlDialect } from "./dialect.ts";
import { messageOf, NETWORK_ERRORS, type SqlFault } from "./fault.ts";
import { utcText } from "./instant.ts";

/** Described rather than imported: a pool or connection of mysql2/promise or of the mariadb connector. */
export interface MysqlClient {
  execute(statement: string | { sql: string }, values: never[]): Promise<unknown>;
}

/** Django's dialect of MySQL and MariaDB: instants are in UTC, without zone. */
export const mysql: SqlDialect = {
  name: "MySQL",
  // Django leaves character set and collation to the database. With these, its table is Django's as before, and no
  // key is another's. The index stands within, because MySQL cannot create one only if it is missing.
  schema: [
    "CREATE TABLE IF NOT EXISTS `django_session` (`session_key` varchar(40) NOT NULL PRIMARY KEY, `session_data` longtext NOT NULL, `expire_date` datetime(6) NOT NULL, KEY `django_session_expire_date_a5c62663` (`expire_date`)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
  ],
  placeholder: () => "?",
  instant: utcText,
  // Text, because drivers take a datetime for one of their own zone.
  expireDate: "CAST(expire_date AS CHAR)",
  readInstant: (value) => fromIsoFormat(String(value)) ?? undefined,
  // The first half finds the row by its index. Most collations ignore case, all but the newest blanks at the end.
  isKey: `session_key = :key AND ${sameBytes("session_key", ":key")}`,
  isExpected: sameBytes("session_data", ":expected"),
  create: [
    "INSERT INTO django_session (session_key, session_data, expire_date) VALUES (:key, :data, :expiresAt)",
    // Without `isKey`: where the collation ignores case, an expired row of another case is in the way too.
    "UPDATE django_session SET session_key = :key, session_data = :data, expire_date = :expiresAt WHERE session_key = :key AND expire_date <= :now",
  ],
  cleanUpShare: 0.25,
  deleteExpired: (batchSize) =>
    `DELETE FROM django_session WHERE expire_date <= :now ORDER BY expire_date LIMIT ${batchSize}`,
  diagnose(error) {
    const { errno, code, sqlState, sqlMessage } = error as MysqlError;
    const fault = FAULTS[String(errno)] ?? FAULTS[code ?? ""];
    // The number too: mysql2 takes MariaDB's own for MySQL's, and names them wrong.
    const id = [sqlState && errno, code].filter(Boolean).join(" ") || undefined;
    // What the server says of a fault that is not known here may quote a value.
    return { fault, code: id, message: fault || !sqlState ? (sqlMessage ?? messageOf(error)) : undefined };
  },
};

interface MysqlError {
  readonly errno?: number;
  readonly code?: string;
  readonly sqlState?: string;
  /** Without what the mariadb connector adds: the statement and its parameters. */
  readonly sqlMessage?: string;
}

/** Converted first: in a latin1 column the bytes are others. `COLLATE utf8mb4_bin` would ignore blanks at the end. */
function sameBytes(column: string, value: string): string {
  return `CAST(CONVERT(${column} USING utf8mb4) AS BINARY) = CAST(${value} AS BINARY)`;
}

/** The key is taken (ER_DUP_ENTRY). */
const DUPLICATE = 1062;

/** By number: https://dev.mysql.com/doc/mysql-errors/en/server-error-reference.html */
const FAULTS: Readonly<Record<string, SqlFault>> = {
  ...NETWORK_ERRORS,
  PROTOCOL_CONNECTION_LOST: "unreachable",
  PROTOCOL_SEQUENCE_TIMEOUT: "slow",
  // The mariadb connector's: 45004 and 45013 closed, 45009 broken, 45012 and 45026 not answering, 45028 pool exhausted.
  45004: "unreachable",
  45009: "unreachable",
  45012: "unreachable",
  45013: "unreachable",
  45026: "slow",
  45028: "slow",
  1053: "starting",
  1317: "starting",
  1927: "starting",
  1969: "slow",
  3024: "slow",
  1205: "conflict",
  1213: "conflict",
  1615: "conflict",
  1040: "crowded",
  1203: "crowded",
  1226: "crowded",
  1045: "login",
  1044: "login",
  1129: "login",
  1130: "login",
  1698: "login",
  1049: "missingDatabase",
  1046: "missingDatabase",
  1146: "missingTable",
  1142: "forbidden",
  1143: "forbidden",
  1290: "readOnly",
  1792: "readOnly",
  1836: "readOnly",
  1021: "full",
  1114: "full",
};

type Driver = (sql: string, parameters: never[]) => Promise<unknown>;

const SETTINGS = "SELECT @@SESSION.sql_mode, @@SESSION.character_set_client, @@SESSION.autocommit";

/** Whatever the pool has been set to. */
const PLAIN_ROWS = { rowsAsArray: true, namedPlaceholders: false, nestTables: false, metaAsArray: false };

/**
 * A client for `sqlStore` from what the application has: a pool of mysql2 or of the mariadb connector. Connecting,
 * time-outs and closing stay the application's. The mariadb connector's `foundRows` must stay on.
 *
 * At the first use the connection's settings are checked, once: `ERR_CONFIG` where the server would cut off what is too
 * long, lose characters, or never commit.
 *
 * @example sqlStore(mysqlClient(mysql.createPool(url)), mysql) // from "mysql2/promise" or "mariadb"
 */
export function mysqlClient(pool: MysqlClient | { promise(): MysqlClient }): SqlClient {
  // The pool of mysql2 without "/promise" would call a callback that is not there, and so end the process.
  const client = "promise" in pool ? pool.promise() : pool;
  let driver: Promise<Driver> | undefined;

  /** Checks the settings. By the way it is seen which driver this is: mysql2 answers [rows, fields], the other rows. */
  async function check(): Promise<Driver> {
    const result = await client.execute({ sql: SETTINGS, ...PLAIN_ROWS }, []);
    const isMysql2 = Array.isArray((result as unknown[][][])[0]?.[0]);
    const [[sqlMode, charset, autocommit]] = (isMysql2 ? (result as unknown[])[0] : result) as [
      [string, string, number | bigint],
    ];
    if (!/STRICT_(?:TRANS|ALL)_TABLES/.test(sqlMode)) {
      throw wrong("sql_mode lacks STRICT_TRANS_TABLES, so that what is too long is cut off without an error; add it");
    }
    if (charset !== "utf8mb4") throw wrong(`character set is ${charset}, which loses characters; set it to utf8mb4`);
    if (Number(autocommit) !== 1) throw wrong("autocommit is off, so that nothing is kept; turn it on");
    // mysql2 is a quarter slower when the statement is an object.
    if (isMysql2) return async (sql, parameters) => ((await client.execute(sql, parameters)) as unknown[])[0];
    return (sql, parameters) => client.execute({ sql, ...PLAIN_ROWS }, parameters);
  }

  async function execute(sql: string, parameters: readonly unknown[]): Promise<unknown> {
    if (driver === undefined) {
      driver = check();
      driver.catch(() => {
        driver = undefined;
      });
    }
    return (await driver)(sql, parameters as never[]);
  }

  return {
    async rows(sql, parameters) {
      const rows = (await execute(sql, parameters)) as object[];
      return rows.map(plain);
    },
    async run(sql, parameters) {
      try {
        const { affectedRows, info } = (await execute(sql, parameters)) as { affectedRows: number; info?: string };
        // Without FOUND_ROWS these are the changed rows; "Rows matched: 1  Changed: 0", in the server's language.
        return affectedRows || Number(/\d+/.exec(info ?? "")?.[0] ?? affectedRows);
      } catch (error) {
        if ((error as MysqlError).errno === DUPLICATE) return 0;
        throw error;
      }
    },
  };
}

function plain(row: object): unknown[] {
  const values = Array.isArray(row) ? row : Object.values(row);
  // Taken for a payload that is corrupted, it would log everybody out.
  if (typeof values[0] === "object") throw wrong("rows are changed by nestTables or typeCast; leave these off");
  return values;
}

function wrong(problem: string): SessionError {
  return new SessionError("ERR_CONFIG", `MySQL: the connection's ${problem}, at the server or in the pool's settings.`);
}
