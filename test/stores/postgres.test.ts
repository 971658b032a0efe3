import { after, describe, test } from "node:test";
import pg from "pg";
import postgresJs from "postgres";
import { connect } from "../../src/connect.ts";
import { postgres, postgresClient } from "../../src/stores/sql/postgres.ts";
import { sqlStore } from "../../src/stores/sql/store.ts";
import { storeSuite } from "../../src/testing/index.ts";
import { startPostgres } from "../support/servers/postgres.ts";

const server = await startPostgres();
const pool = new pg.Pool({ connectionString: server.url() });
for (const statement of postgres.schema) await pool.query(statement);
after(() => pool.end());

async function empty(): Promise<void> {
  await pool.query("DELETE FROM django_session");
}

describe("the SQL store on a Pool of pg", () => {
  storeSuite(test, async ({ now }) => {
    await empty();
    return sqlStore(postgresClient(pool), postgres, { now });
  });
});

describe("the SQL store on postgres.js", () => {
  const sql = postgresJs(server.url());
  after(() => sql.end());
  storeSuite(test, async ({ now }) => {
    await empty();
    return sqlStore(postgresClient(sql), postgres, { now });
  });
});

describe("connect to PostgreSQL", () => {
  storeSuite(test, async ({ now }) => {
    await empty();
    return connect(server.url(), { now });
  });
});
