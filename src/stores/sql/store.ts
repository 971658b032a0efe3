import { setImmediate } from "node:timers/promises";
import type { DeleteExpiredOptions, Payload, SessionStore } from "../../core/contracts.ts";
import { SessionError } from "../../core/errors.ts";
import type { SqlClient, SqlDialect } from "./dialect.ts";

export interface SqlStoreOptions {
  /** The clock. For tests. */
  readonly now?: (() => Date) | undefined;
}

/**
 * Keeps records in Django's table, `django_session`. The client is the caller's: it is neither connected nor closed.
 * The table is Django's `migrate`'s or `sojourn migrate`'s to create.
 *
 * @example sqlStore(sqliteClient(new DatabaseSync("db.sqlite3")), sqlite)
 */
export function sqlStore(sqlClient: SqlClient, dialect: SqlDialect, options: SqlStoreOptions = {}): SessionStore {
  const { now = () => new Date() } = options;
  const client = hinting(sqlClient, dialect);
  const p = dialect.placeholder;
  const instant = dialect.instant;
  // One text a statement, so that drivers prepare each once.
  const sql = {
    load: `SELECT session_data, expire_date FROM django_session WHERE session_key = ${p(1)} AND expire_date > ${p(2)}`,
    // An expired row does not exist for a reader, so it must not keep its key taken.
    create: `INSERT INTO django_session (session_key, session_data, expire_date) VALUES (${p(1)}, ${p(2)}, ${p(3)}) ON CONFLICT (session_key) DO UPDATE SET session_data = excluded.session_data, expire_date = excluded.expire_date WHERE django_session.expire_date <= ${p(4)}`,
    update: `UPDATE django_session SET session_data = ${p(1)}, expire_date = ${p(2)} WHERE session_key = ${p(3)} AND expire_date > ${p(4)}`,
    updateExpected: `UPDATE django_session SET session_data = ${p(1)}, expire_date = ${p(2)} WHERE session_key = ${p(3)} AND expire_date > ${p(4)} AND session_data = ${p(5)}`,
    delete: `DELETE FROM django_session WHERE session_key = ${p(1)} AND expire_date > ${p(2)}`,
    deleteExpected: `DELETE FROM django_session WHERE session_key = ${p(1)} AND expire_date > ${p(2)} AND session_data = ${p(3)}`,
    countExpired: `SELECT COUNT(*) AS total FROM django_session WHERE expire_date <= ${p(1)}`,
    // The condition stands twice: what was renewed in between must stay.
    deleteExpired: `DELETE FROM django_session WHERE expire_date <= ${p(1)} AND session_key IN (SELECT session_key FROM django_session WHERE expire_date <= ${p(2)} ORDER BY expire_date LIMIT ${p(3)})`,
  };

  return {
    async load(key) {
      const [row] = await client.all(sql.load, [key, instant(now())]);
      if (!row) return null;
      const { session_data, expire_date } = row;
      return {
        payload: typeof session_data === "string" ? session_data : "",
        // Read when it is asked for: most requests do not.
        get expiresAt() {
          return dialect.readInstant(expire_date);
        },
      };
    },
    async create(key, { payload, expiresAt }) {
      return (await client.run(sql.create, [key, storable(payload), instant(expiresAt), instant(now())])) > 0;
    },
    async update(key, { payload, expiresAt }, expected) {
      const parameters = [storable(payload), instant(expiresAt), key, instant(now())];
      return expected === undefined
        ? (await client.run(sql.update, parameters)) > 0
        : (await client.run(sql.updateExpected, [...parameters, text(expected)])) > 0;
    },
    async delete(key, expected) {
      const parameters = [key, instant(now())];
      return expected === undefined
        ? (await client.run(sql.delete, parameters)) > 0
        : (await client.run(sql.deleteExpected, [...parameters, text(expected)])) > 0;
    },
    async deleteExpired({ batchSize = 1000, onProgress, signal }: DeleteExpiredOptions = {}) {
      if (!Number.isInteger(batchSize) || batchSize < 1) {
        throw new SessionError("ERR_CONFIG", "deleteExpired: batchSize must be a positive integer.");
      }
      const limit = instant(now());
      const total = onProgress ? Number((await client.all(sql.countExpired, [limit]))[0]?.total ?? 0) : 0;
      let deleted = 0;
      while (!signal?.aborted) {
        const batch = await client.run(sql.deleteExpired, [limit, limit, batchSize]);
        deleted += batch;
        if (batch > 0) onProgress?.({ deleted, total: Math.max(total, deleted) });
        if (batch < batchSize) break;
        // Other requests' turn: a synchronous driver would keep the whole process busy until the end.
        await setImmediate();
      }
      return deleted;
    },
  };
}

/** The client, with an error that says what to do where the table is missing. */
function hinting(client: SqlClient, { isMissingTable }: SqlDialect): SqlClient {
  const explain = (cause: unknown): never => {
    if (!isMissingTable(cause)) throw cause;
    const message =
      "There is no table django_session. Create it with `npx sojourn migrate --store <url>`, or Django's migrate.";
    throw new SessionError("ERR_SESSION_UNAVAILABLE", message, { cause });
  };
  return {
    all: (sql, parameters) => client.all(sql, parameters).catch(explain),
    run: (sql, parameters) => client.run(sql, parameters).catch(explain),
  };
}

/** libsql and Node 22 cut a text off at NUL when they read it, and PostgreSQL takes none: better refused than cut. */
function storable(payload: Payload): string {
  const value = text(payload);
  if (!value.includes("\0")) return value;
  throw new SessionError("ERR_SESSION_VALUE", "Django's session table keeps text without NUL characters.");
}

function text(payload: Payload): string {
  if (typeof payload === "string") return payload;
  throw new SessionError(
    "ERR_CONFIG",
    "Django's session table keeps text: use a codec that writes text, such as djangoCodec.",
  );
}
