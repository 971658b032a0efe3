import { describe } from "node:test";
import { startMariadb } from "../support/servers/mariadb.ts";
import { outages } from "./database-outages.ts";

describe("a store of MariaDB", () => {
  outages({
    name: "MySQL",
    driver: "mysql2",
    // A result of one column, whose description does not end; and OK.
    nonsense: packets([1], [3, ...Buffer.from("def"), 0, 0, 0, 0, 0, 0, 12, ...Array<number>(12).fill(0)], [0], [0]),
    start: () => startMariadb(),
    disconnect: (server) => server.sql("KILL USER sojourn"),
    setReadOnly: (server, isReadOnly) => server.sql(`SET GLOBAL read_only = ${isReadOnly ? 1 : 0}`),
  });
});

function packets(...payloads: number[][]): Buffer {
  return Buffer.from(payloads.flatMap((payload, index) => [payload.length, 0, 0, index + 1, ...payload]));
}
