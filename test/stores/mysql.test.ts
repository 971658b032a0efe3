import { after, describe, test } from "node:test";
import mariadb from "mariadb";
import mysql2 from "mysql2/promise";
import { connect } from "../../src/connect.ts";
import { mysql, mysqlClient } from "../../src/stores/sql/mysql.ts";
import { sqlStore } from "../../src/stores/sql/store.ts";
import { storeSuite } from "../../src/testing/index.ts";
import { startMariadb } from "../support/servers/mariadb.ts";

const server = await startMariadb();
const pool = mysql2.createPool(server.url());
for (const statement of mysql.schema) await pool.query(statement);
after(() => pool.end());

async function empty(): Promise<void> {
  await pool.query("DELETE FROM django_session");
}

describe("the SQL store on a pool of mysql2", () => {
  storeSuite(test, async ({ now }) => {
    await empty();
    return sqlStore(mysqlClient(pool), mysql, { now });
  });
});

describe("the SQL store on a pool of the mariadb connector", () => {
  const connector = mariadb.createPool(server.url().replace("mysql:", "mariadb:"));
  after(() => connector.end());
  storeSuite(test, async ({ now }) => {
    await empty();
    return sqlStore(mysqlClient(connector), mysql, { now });
  });
});

describe("connect to MariaDB", () => {
  storeSuite(test, async ({ now }) => {
    await empty();
    return connect(server.url(), { now });
  });
});
