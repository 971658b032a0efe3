import pg from "pg";
import { type PostgresServer, startPostgres } from "../../support/servers/postgres.ts";
import type { Backend, Scene } from "../fault.ts";
import { openStore } from "../open-store.ts";
import { type FaultProxy, startProxy } from "../proxy.ts";
import { again, lasting } from "./lasting.ts";
import { frozen, killed } from "./server-faults.ts";
import { type SmallDisk, smallDisk } from "./small-disk.ts";

export interface PostgresBackend extends Backend {
  server: PostgresServer;
  readonly proxy: FaultProxy;
  /** Where its tables are; not its journal, without which it would end. */
  readonly disk: SmallDisk;
}

/** What PostgreSQL keeps for superusers, as which the tests log in, is theirs too. */
const MAX_CONNECTIONS = 30;

async function start(): Promise<PostgresBackend> {
  const settings = ["fsync=on", "synchronous_commit=on", `max_connections=${MAX_CONNECTIONS}`];
  const server = await startPostgres(...settings);
  const disk = smallDisk("128m", 4000, "postgres");
  server.sql(`CREATE TABLESPACE small LOCATION '${disk.directory}'`);
  server.sql("ALTER DATABASE postgres SET default_tablespace = small");
  const proxy = await startProxy(() => server.port);
  const backend: PostgresBackend = {
    name: postgres.name,
    durability: "kill",
    server,
    proxy,
    disk,
    url: server.url().replace(`:${server.port}/`, `:${proxy.port}/`),
    open: () => openStore(backend),
    async close() {
      await proxy.close();
      await backend.server.kill();
      disk.remove();
    },
  };
  return backend;
}

/** A connection beside the application's. */
async function connect({ server }: PostgresBackend): Promise<pg.Client> {
  const client = new pg.Client({ host: server.directory, port: server.port, user: "postgres", database: "postgres" });
  client.on("error", () => {});
  await client.connect();
  return client;
}

const TERMINATE = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE backend_type = 'client backend' AND application_name <> 'fault' AND pid <> pg_backend_pid()`;

const readOnly = lasting<PostgresBackend>("takes no writes (25006)", "writes-fail", async ({ server }) => {
  const set = (value: string) => {
    server.sql(`ALTER SYSTEM SET default_transaction_read_only = ${value}`);
    server.sql("SELECT pg_reload_conf()");
  };
  set("on");
  return () => set("off");
});

const disconnecting = lasting<PostgresBackend>(
  "backends terminated again and again (57P01)",
  "unavailable",
  async (backend) => {
    const client = await connect(backend);
    const stop = again(() => client.query(TERMINATE));
    return async () => {
      await stop();
      await client.end();
    };
  },
);

const crowded = lasting<PostgresBackend>("has no connection left (53300)", "unavailable", async (backend) => {
  const others = [await connect(backend)];
  const [first] = others as [pg.Client];
  await first.query("SET application_name = fault");
  while (others.length < MAX_CONNECTIONS) {
    // The application is quick to take what is free.
    await first.query(TERMINATE);
    const other = await connect(backend).catch(() => undefined);
    if (other === undefined) continue;
    others.push(other);
    await other.query("SET application_name = fault").catch(() => others.pop());
  }
  return () => Promise.all(others.map((other) => other.end()));
});

/** As a migration does that takes long. */
const tableLocked = locked("table locked", "LOCK TABLE django_session IN ACCESS EXCLUSIVE MODE");

/** Reads go on; but many writes that wait at the same time are silence to the breaker. */
const rowsLocked = locked("rows locked", "SELECT 1 FROM django_session FOR UPDATE");

function locked(name: string, sql: string) {
  return lasting<PostgresBackend>(name, "unavailable", async (backend) => {
    const client = await connect(backend);
    await client.query("BEGIN");
    await client.query(sql);
    return () => client.end();
  });
}

const diskFull = lasting<PostgresBackend>("disk full (53100)", "writes-fail", async ({ disk }) => {
  disk.fill("bytes");
  return () => disk.free();
});

export const postgres: Scene<PostgresBackend> = {
  name: "PostgreSQL",
  backend: start,
  faults: [
    frozen("server"),
    killed("server", "unavailable"),
    readOnly,
    disconnecting,
    crowded,
    tableLocked,
    rowsLocked,
    diskFull,
  ],
};
