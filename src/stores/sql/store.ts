import { setTimeout as sleep } from "node:timers/promises";
import { assertBatchSize } from "../../core/batch-size.ts";
import type { DeleteExpiredOptions, Payload, SessionStore } from "../../core/contracts.ts";
import { SessionError } from "../../core/errors.ts";
import type { SqlClient, SqlDialect } from "./dialect.ts";
import { sqlError } from "./fault.ts";

export interface SqlStoreOptions {
  /** The clock. For tests. */
  readonly now?: (() => Date) | undefined;
}

/** How often a statement is tried that lost to others, in a deadlock for example; the database has undone it. */
const MAX_ATTEMPTS = 10;

/** A batch that took long because it had to wait is no reason to wait even longer. */
const MAX_PAUSE_MS = 250;

/**
 * Keeps records in Django's table, `django_session`. The client is the caller's: it is neither connected nor closed.
 * The table is Django's `migrate`'s or `sojourn migrate`'s to create.
 *
 * A fault is `ERR_SESSION_UNAVAILABLE` and says what to do; it holds nothing that was stored.
 *
 * @example sqlStore(sqliteClient(new DatabaseSync("db.sqlite3")), sqlite)
 * @example sqlStore(postgresClient(new pg.Pool()), postgres)
 * @example sqlStore(mysqlClient(mysql.createPool(url)), mysql)
 */
export function sqlStore(client: SqlClient, dialect: SqlDialect, options: SqlStoreOptions = {}): SessionStore {
  const { now = () => new Date() } = options;
  const { instant, isKey, isExpected } = dialect;
  // One text a statement, so that drivers prepare each once.
  const live = `${isKey} AND expire_date > :now`;
  const update = `UPDATE django_session SET session_data = :data, expire_date = :expiresAt WHERE ${live}`;
  const load = query(`SELECT session_data, ${dialect.expireDate} FROM django_session WHERE ${live}`);
  const create = dialect.create.map(command);
  const updateAny = command(update);
  const updateExpected = command(`${update} AND ${isExpected}`);
  const deleteAny = command(`DELETE FROM django_session WHERE ${live}`);
  const deleteIfExpected = command(`DELETE FROM django_session WHERE ${live} AND ${isExpected}`);
  const countExpired = query("SELECT COUNT(*) FROM django_session WHERE expire_date <= :now");

  function query(template: string) {
    return statement(template, async (text, parameters) => {
      const rows = await client.rows(text, parameters);
      return Array.isArray(rows) && rows.every(Array.isArray) ? rows : strange();
    });
  }

  function command(template: string) {
    return statement(template, async (text, parameters) => {
      const count = await client.run(text, parameters);
      return Number.isInteger(count) && count >= 0 ? count : strange();
    });
  }

  /** Taken for "no row", it would have a change made again that was made already. */
  function strange(): never {
    const what = `${dialect.name} gave an answer that is none to what it was asked.`;
    throw new SessionError("ERR_SESSION_UNAVAILABLE", what);
  }

  function statement<T>(template: string, execute: (text: string, parameters: unknown[]) => Promise<T>) {
    const names: string[] = [];
    const text = template.replace(/:(\w+)/g, (_, name) => dialect.placeholder(names.push(name)));
    return async (values: Readonly<Record<string, unknown>>): Promise<T> => {
      const parameters = names.map((name) => values[name]);
      for (let attempt = 1; ; attempt++) {
        try {
          return await execute(text, parameters);
        } catch (error) {
          if (attempt === MAX_ATTEMPTS || dialect.diagnose(error).fault !== "conflict") {
            throw sqlError(dialect, client.address, error);
          }
        }
        // Jitter, so that several do not meet again in step.
        await sleep(Math.random() * 5 * attempt);
      }
    };
  }

  return {
    async load(key) {
      const [row] = await load({ key, now: instant(now()) });
      if (!row) return null;
      const [payload, expireDate] = row;
      return {
        payload: typeof payload === "string" ? payload : "",
        // Read when it is asked for: most requests do not.
        get expiresAt() {
          return dialect.readInstant(expireDate);
        },
      };
    },
    async create(key, { payload, expiresAt }) {
      const values = { key, data: storable(payload), expiresAt: instant(expiresAt), now: instant(now()) };
      for (const attempt of create) if ((await attempt(values)) > 0) return true;
      return false;
    },
    async update(key, { payload, expiresAt }, expected) {
      const values = { key, data: storable(payload), expiresAt: instant(expiresAt), now: instant(now()) };
      if (expected === undefined) return (await updateAny(values)) > 0;
      return isStorable(text(expected)) && (await updateExpected({ ...values, expected })) > 0;
    },
    async delete(key, expected) {
      const values = { key, now: instant(now()) };
      if (expected === undefined) return (await deleteAny(values)) > 0;
      return isStorable(text(expected)) && (await deleteIfExpected({ ...values, expected })) > 0;
    },
    async deleteExpired({ batchSize = 100, onProgress, signal }: DeleteExpiredOptions = {}) {
      assertBatchSize(batchSize);
      // In the text, not a parameter: MySQL takes a LIMIT only as an integer, and drivers send other numbers.
      const deleteBatch = command(dialect.deleteExpired(batchSize));
      const values = { now: instant(now()) };
      const total = onProgress ? Number((await countExpired(values))[0]?.[0] ?? 0) : 0;
      let deleted = 0;
      while (!signal?.aborted) {
        const start = performance.now();
        const batch = await deleteBatch(values);
        deleted += batch;
        if (batch > 0) onProgress?.({ deleted, total: Math.max(total, deleted) });
        if (batch < batchSize) break;
        const work = performance.now() - start;
        await sleep(Math.min(work / dialect.cleanUpShare - work, MAX_PAUSE_MS));
      }
      return deleted;
    },
  };
}

function storable(payload: Payload): string {
  const value = text(payload);
  if (isStorable(value)) return value;
  throw new SessionError("ERR_SESSION_VALUE", "Django's session table keeps text without NUL characters.");
}

/** libsql and Node 22 cut a text off at NUL when they read it, and PostgreSQL takes none: better refused than cut. */
function isStorable(value: string): boolean {
  return !value.includes("\0");
}

function text(payload: Payload): string {
  if (typeof payload === "string") return payload;
  throw new SessionError(
    "ERR_CONFIG",
    "Django's session table keeps text: use a codec that writes text, such as djangoCodec.",
  );
}
