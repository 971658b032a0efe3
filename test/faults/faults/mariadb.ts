import { createConnection } from "mysql2/promise";
import { type MariadbServer, startMariadb } from "../../support/servers/mariadb.ts";
import type { Backend, Scene } from "../fault.ts";
import { openStore } from "../open-store.ts";
import { type FaultProxy, startProxy } from "../proxy.ts";
import { again, lasting } from "./lasting.ts";
import { frozen, killed } from "./server-faults.ts";

interface MariadbBackend extends Backend {
  server: MariadbServer;
  readonly proxy: FaultProxy;
}

async function start(): Promise<MariadbBackend> {
  const server = await startMariadb("--innodb-flush-log-at-trx-commit=1");
  const proxy = await startProxy(() => server.port);
  const backend: MariadbBackend = {
    name: mariadb.name,
    durability: "kill",
    server,
    proxy,
    url: server.url().replace(`:${server.port}/`, `:${proxy.port}/`),
    open: () => openStore(backend),
    async close() {
      await proxy.close();
      await backend.server.kill();
    },
  };
  return backend;
}

/** The administrator's connection, beside the application's. */
function connect({ server: { socket } }: MariadbBackend) {
  return createConnection({ socketPath: socket, user: "root", database: "sojourn" });
}

const readOnly = lasting<MariadbBackend>("takes no writes (1290)", "writes-fail", async ({ server }) => {
  server.sql("SET GLOBAL read_only = 1");
  return () => server.sql("SET GLOBAL read_only = 0");
});

const disconnecting = lasting<MariadbBackend>("connections killed again and again", "unavailable", async (backend) => {
  const connection = await connect(backend);
  const stop = again(() => connection.query("KILL USER sojourn"));
  return async () => {
    await stop();
    connection.destroy();
  };
});

/** As a migration does that takes long. */
const tableLocked = locked("table locked", "LOCK TABLES django_session WRITE");

/** Reads go on; but many writes that wait at the same time are silence to the breaker. */
const rowsLocked = locked("rows locked", "SELECT 1 FROM django_session FOR UPDATE");

function locked(name: string, sql: string) {
  return lasting<MariadbBackend>(name, "unavailable", async (backend) => {
    const connection = await connect(backend);
    await connection.query("START TRANSACTION");
    await connection.query(sql);
    return () => connection.end();
  });
}

export const mariadb: Scene<MariadbBackend> = {
  name: "MariaDB",
  backend: start,
  faults: [frozen("server"), killed("server", "unavailable"), readOnly, disconnecting, tableLocked, rowsLocked],
};
