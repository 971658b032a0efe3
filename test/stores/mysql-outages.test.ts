import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { connect } from "../../src/connect.ts";
import { startProxy } from "../faults/proxy.ts";
import { startMariadb } from "../support/servers/mariadb.ts";
import { until } from "../support/servers/server.ts";
import { KEY } from "./database-faults.ts";
import { outages } from "./database-outages.ts";

describe("a store of MariaDB", () => {
  test("a prepared statement that the server does not know (any more) costs its connection, and no more", async () => {
    const server = await startMariadb();
    const proxy = await startProxy(() => server.port);
    const store = await connect(server.url().replace(`:${server.port}/`, `:${proxy.port}/`));
    await store.migrate();
    await store.load(KEY);
    // The number by which the server will know the next statement.
    proxy.set({ name: "corrupt", place: 5 });
    await assert.rejects(store.delete(KEY));
    proxy.set({ name: "pass" });
    await until(async () => (await store.delete(KEY)) === false, "another connection");
    await store.close();
    await proxy.close();
    await server.kill();
  });

  outages({
    name: "MySQL",
    driver: "mysql2",
    // A result of one column, whose description does not end; and OK.
    nonsense: packets(1, [1], [3, ...Buffer.from("def"), 0, 0, 0, 0, 0, 0, 12, ...Array<number>(12).fill(0)], [0], [0]),
    // 1040, ER_CON_COUNT_ERROR.
    refusal: packets(0, [0xff, 0x10, 0x04, ...Buffer.from("#08004crowded")]),
    start: () => startMariadb(),
    disconnect: (server) => server.sql("KILL USER sojourn"),
    setReadOnly: (server, isReadOnly) => server.sql(`SET GLOBAL read_only = ${isReadOnly ? 1 : 0}`),
  });
});

function packets(first: number, ...payloads: number[][]): Buffer {
  return Buffer.from(payloads.flatMap((payload, index) => [payload.length, 0, 0, first + index, ...payload]));
}
