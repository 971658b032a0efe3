import type { EventEmitter } from "node:events";
import { isIP, type Socket } from "node:net";
import { deadline } from "../core/deadline.ts";
import { type MysqlClient, mysql, mysqlClient } from "../stores/sql/mysql.ts";
import type { ConnectedStore, ConnectSettings } from "./connected-store.ts";
import { lending, type Pool } from "./database/lending.ts";
import { type DatabaseLocation, databaseLocation, file, wrong } from "./database/location.ts";
import { databaseStore } from "./database/store.ts";
import { loadDriver } from "./driver.ts";

const FORM = {
  example: "mysql://user:password@host:3306/database",
  parameters: ["socketPath", "ssl-mode", "ssl-ca", "ssl-cert", "ssl-key"],
};

/** What a connection's prepared statement fails with from now on: behind a proxy that has changed servers, for example. */
const LOST_STATEMENT: ReadonlySet<unknown> = new Set([
  "ER_UNKNOWN_STMT_HANDLER",
  "ER_WRONG_ARGUMENTS",
  "ER_NEED_REPREPARE",
]);

/** What mysql2 has and does not describe. */
interface CoreConnection extends Pick<EventEmitter, "on"> {
  readonly stream: Socket;
  query(sql: string, done: () => void): unknown;
}

interface PoolConnection extends MysqlClient {
  readonly connection: CoreConnection;
  release(): void;
  destroy(): void;
}

/**
 * @param url `mysql://user:password@host:port/database`, or `mariadb://`; with MySQL's parameters `ssl-mode` (DISABLED,
 *   REQUIRED, VERIFY_CA or VERIFY_IDENTITY), `ssl-ca`, `ssl-cert` and `ssl-key`, or with `socketPath`
 */
export async function connectMysql(url: string, settings: ConnectSettings): Promise<ConnectedStore> {
  const location = databaseLocation(url, FORM);
  const { user, password, database, host = "localhost", port = 3306, parameters } = location;
  const { socketPath } = parameters;
  const ssl = tls(location);
  const { default: driver } = await loadDriver("mysql2", () => import("mysql2/promise"));

  const { connectTimeoutMs, operationTimeoutMs } = settings;
  // Seconds that a statement waits for a lock at the server; else it would wait there long after it was given up here.
  const lockTimeout = Math.ceil(operationTimeoutMs / 1000);
  const poolOptions: object = {
    ...{ user, password, database, ssl, charset: "utf8mb4" },
    ...(socketPath === undefined ? { host, port } : { socketPath }),
    connectTimeout: connectTimeoutMs,
    connectionLimit: 10,
    queueLimit: 1000,
  };
  const pool = driver.createPool(poolOptions);
  const sockets = new Set<Socket>();
  (pool as unknown as EventEmitter<{ connection: [CoreConnection] }>).on("connection", (connection) => {
    // At an answer that is none, mysql2 (3) tells of several errors, and listens to the first: the second would end the
    // process. Whoever waits for the answer is told in any case.
    connection.on("error", () => {});
    const { stream } = connection;
    sockets.add(stream);
    stream.once("close", () => sockets.delete(stream));
    // Sent before the statement that the connection was made for. If it fails, that one fails too, or nothing is lost.
    connection.query(
      `SET SESSION innodb_lock_wait_timeout = ${lockTimeout}, lock_wait_timeout = ${lockTimeout}, sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')`,
      () => {},
    );
  });

  // mysql2 does not limit the time to wait for a connection that is in use.
  const connected = deadline(connectTimeoutMs, "connection");
  const connections: Pool<PoolConnection> = {
    acquire() {
      const acquiring = pool.getConnection() as unknown as Promise<PoolConnection>;
      return connected(acquiring).catch((error) => {
        // It may still come.
        acquiring.then((connection) => connection.release()).catch(() => {});
        throw error;
      });
    },
    release: (connection) => connection.release(),
    destroy(connection) {
      // mysql2 itself waits for the server to close its end.
      connection.connection.stream.destroy();
      connection.destroy();
    },
    isAnswer: (error) => "sqlState" in (error as Error) && !LOST_STATEMENT.has((error as { code?: unknown }).code),
  };
  return databaseStore(
    {
      dialect: mysql,
      client(timeoutMs) {
        const lend = lending(connections, timeoutMs);
        return {
          ...mysqlClient({ execute: (statement, values) => lend((each) => each.execute(statement, values)) }),
          address: socketPath ?? `${host}:${port}`,
        };
      },
      findTable:
        "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'django_session'",
      async close() {
        await connected(pool.end()).catch(() => {});
        // A server that does not answer does not close its end either, which need not keep the process.
        for (const socket of sockets) socket.unref();
      },
    },
    settings,
  );
}

function tls({ host, parameters }: DatabaseLocation): object | undefined {
  const mode = parameters["ssl-mode"];
  const certificates = {
    ca: file(parameters["ssl-ca"]),
    cert: file(parameters["ssl-cert"]),
    key: file(parameters["ssl-key"]),
  };
  switch (mode) {
    case undefined:
    case "DISABLED":
      if (Object.values(certificates).some(Boolean))
        throw wrong("names certificates, and needs an ssl-mode, such as VERIFY_IDENTITY");
      return undefined;
    case "REQUIRED":
      return { ...certificates, rejectUnauthorized: false };
    case "VERIFY_CA":
      return certificates;
    case "VERIFY_IDENTITY":
      // mysql2 compares a certificate with the name "localhost" if it has no other.
      if (isIP(host ?? "")) throw wrong("has an address, and VERIFY_IDENTITY needs the server's name");
      return { ...certificates, verifyIdentity: true };
    default:
      throw wrong("has an unknown ssl-mode; there are DISABLED, REQUIRED, VERIFY_CA and VERIFY_IDENTITY");
  }
}
