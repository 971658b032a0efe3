import { describe } from "node:test";
import { startMariadb } from "../support/servers/mariadb.ts";
import { outages } from "./database-outages.ts";

describe("a store of MariaDB", () => {
  outages({
    name: "MySQL",
    driver: "mysql2",
    start: () => startMariadb(),
    disconnect: (server) => server.sql("KILL USER sojourn"),
    setReadOnly: (server, isReadOnly) => server.sql(`SET GLOBAL read_only = ${isReadOnly ? 1 : 0}`),
  });
});
