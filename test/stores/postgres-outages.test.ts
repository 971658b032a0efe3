import { describe } from "node:test";
import { startPostgres } from "../support/servers/postgres.ts";
import { outages } from "./database-outages.ts";

describe("a store of PostgreSQL", () => {
  outages({
    name: "PostgreSQL",
    driver: "pg",
    // Two demands for a kind of login that there is none of.
    nonsense: Buffer.from([82, 0, 0, 0, 8, 0, 0, 0, 99, 82, 0, 0, 0, 8, 0, 0, 0, 99]),
    refusal: Buffer.from("E\0\0\0\x1cSFATAL\0C53300\0Mcrowded\0\0"),
    start: () => startPostgres(),
    disconnect: (server) =>
      server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"),
    setReadOnly(server, isReadOnly) {
      server.sql(`ALTER SYSTEM SET default_transaction_read_only = ${isReadOnly}`);
      server.sql("SELECT pg_reload_conf()");
    },
  });
});
