import { Socket } from "node:net";
import { type PgClient, postgres, postgresClient } from "../stores/sql/postgres.ts";
import type { ConnectedStore, ConnectSettings } from "./connected-store.ts";
import { lending, type Pool } from "./database/lending.ts";
import { type DatabaseLocation, databaseLocation, file, wrong } from "./database/location.ts";
import { databaseStore } from "./database/store.ts";
import { loadDriver } from "./driver.ts";

const FORM = {
  example: "postgres://user:password@host:5432/database",
  parameters: ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "port", "application_name", "options"],
};

/**
 * @param url `postgres://user:password@host:port/database`, with libpq's parameters `sslmode` (disable, require, verify-ca
 *   or verify-full), `sslrootcert`, `sslcert`, `sslkey`, `application_name`, `options`, and `host` for the directory of
 *   a unix socket. What is left out is taken from libpq's environment variables, such as PGPASSWORD
 */
export async function connectPostgres(url: string, settings: ConnectSettings): Promise<ConnectedStore> {
  const location = databaseLocation(url, FORM);
  const { user, password, database, parameters } = location;
  const host = parameters.host ?? location.host ?? process.env.PGHOST ?? "localhost";
  const port = location.port ?? Number(process.env.PGPORT || 5432);
  const ssl = tls(location);
  const { default: pg } = await loadDriver("pg", () => import("pg"));

  class Client extends pg.Client {
    /** pg's pool (3), which alone calls this, forgets a connection that fails before it is ready, and leaves it open. */
    override connect(done?: (error: never, client: never) => void): never {
      return super.connect((error: Error) => {
        if (error) this.connection.stream.destroy();
        done!(error as never, this as never);
      }) as never;
    }
  }

  const pool = new pg.Pool({
    Client,
    ...{ user, password, host, port, database, max: 10, keepAlive: true },
    ...{ application_name: parameters.application_name, options: parameters.options },
    ...(ssl !== undefined && { ssl }),
    stream: guardedSocket,
    connectionTimeoutMillis: settings.connectTimeoutMs,
    // A statement that waits for a lock is given up by the server too. Else each would keep its connection waiting
    // there, until no one else gets any.
    lock_timeout: settings.operationTimeoutMs,
    // Idle connections, also to a server that does not answer, keep no process from ending.
    allowExitOnIdle: true,
  });
  // The pool has already thrown away a connection that breaks; without listeners the process would end.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));

  const connections: Pool<PgClient & { release(destroy?: boolean): void }> = {
    async acquire() {
      try {
        return await pool.connect();
      } catch (error) {
        // PgBouncer's answer to a setting that it does not know.
        if (!/unsupported startup parameter/.test((error as Error).message)) throw error;
        pool.options.lock_timeout = undefined;
        return pool.connect();
      }
    },
    release: (client) => client.release(),
    destroy: (client) => client.release(true),
    isAnswer: (error) => "severity" in (error as Error),
  };
  return databaseStore(
    {
      dialect: postgres,
      client(timeoutMs) {
        const lend = lending(connections, timeoutMs);
        return {
          ...postgresClient({ query: (statement) => lend((client) => client.query(statement)) }),
          address: host.startsWith("/") ? `${host}/.s.PGSQL.${port}` : `${host}:${port}`,
        };
      },
      findTable: "SELECT 1 WHERE to_regclass('django_session') IS NOT NULL",
      close: () => pool.end(),
    },
    settings,
  );
}

/**
 * At an answer that is none, pg (8.23) throws in the socket's listener, where nobody catches it and the process ends.
 * Here the connection does.
 */
function guardedSocket(): Socket {
  const socket = new Socket();
  const on = socket.on.bind(socket) as (event: string, listener: Listener) => Socket;
  const guarded = (listener: Listener) => {
    const guard: Listener = (chunk) => {
      try {
        listener(chunk);
      } catch (error) {
        socket.destroy(error as Error);
      }
    };
    // By this, `off` finds it.
    return Object.assign(guard, { listener });
  };
  const guardData = (event: string, listener: Listener) => on(event, event === "data" ? guarded(listener) : listener);
  return Object.assign(socket, { on: guardData });
}

type Listener = (...values: unknown[]) => void;

/** libpq's meaning of `sslmode`, which pg will have from version 9 on. */
function tls({ parameters: { sslmode, sslrootcert, sslcert, sslkey } }: DatabaseLocation): object | false | undefined {
  const ca = file(sslrootcert);
  const own = { cert: file(sslcert), key: file(sslkey) };
  switch (sslmode) {
    case undefined:
      if (ca ?? own.cert ?? own.key) throw wrong("names certificates, and needs a sslmode, such as verify-full");
      return undefined;
    case "disable":
      return false;
    case "require":
      if (ca === undefined) return { ...own, rejectUnauthorized: false };
      return { ...own, ca, checkServerIdentity: () => {} };
    case "verify-ca":
      return { ...own, ca, checkServerIdentity: () => {} };
    case "verify-full":
      return { ...own, ca };
    default:
      throw wrong("has an unknown sslmode; there are disable, require, verify-ca and verify-full");
  }
}
