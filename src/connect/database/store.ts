import type { SqlClient, SqlDialect } from "../../stores/sql/dialect.ts";
import { sqlError } from "../../stores/sql/fault.ts";
import { sqlStore } from "../../stores/sql/store.ts";
import type { ConnectedStore, ConnectSettings } from "../connected-store.ts";

/** For what no request waits for: creating the table, and counting and removing expired sessions. */
const MAINTENANCE_TIMEOUT_MS = 60_000;

export interface Database {
  readonly dialect: SqlDialect;
  /** A client whose statements end within so many milliseconds. */
  client(timeoutMs: number): SqlClient;
  /** A query that has a row if the table is there. */
  readonly findTable: string;
  close(): Promise<unknown>;
}

/** The store of a database server, of which operations in a request are quick, and others patient. */
export function databaseStore(
  { dialect, client, findTable, close }: Database,
  { now, operationTimeoutMs }: ConnectSettings,
): ConnectedStore {
  const patient = client(MAINTENANCE_TIMEOUT_MS);
  let closed: Promise<unknown> | undefined;

  async function createTable(): Promise<boolean> {
    const isThere = (await patient.rows(findTable, [])).length > 0;
    for (const statement of dialect.schema) {
      // Several processes that create at once may be in each other's way, IF NOT EXISTS or not; the second time it is there.
      await patient.run(statement, []).catch(() => patient.run(statement, []));
    }
    return !isThere;
  }

  return {
    ...sqlStore(client(operationTimeoutMs), dialect, { now }),
    deleteExpired: sqlStore(patient, dialect, { now }).deleteExpired,
    migrate: () =>
      createTable().catch((error) => {
        throw sqlError(dialect, patient.address, error);
      }),
    async close() {
      closed ??= close();
      await closed;
    },
  };
}
