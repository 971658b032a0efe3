import { describe } from "node:test";
import { startMariadb } from "../support/servers/mariadb.ts";
import { outages } from "./database-outages.ts";

describe("a store of MariaDB", () => {
  outages({
    name: "MySQL",
    driver: "mysql2",
    // Two packets of one byte: OK, to no command.
    nonsense: Buffer.from([1, 0, 0, 0, 0, 1, 0, 0, 1, 0]),
    start: () => startMariadb(),
    disconnect: (server) => server.sql("KILL USER sojourn"),
    setReadOnly: (server, isReadOnly) => server.sql(`SET GLOBAL read_only = ${isReadOnly ? 1 : 0}`),
  });
});
