import mysql from "mysql2/promise";
import pg from "pg";
import { open } from "../cli/support.ts";

/** Executes SQL beside the store, as Django's admin or a shell would; the rows. @param url as `connect` takes it */
export async function rawSql(url: string, sql: string): Promise<Record<string, unknown>[]> {
  if (url.startsWith("sqlite:")) {
    const database = open(url.slice("sqlite:".length));
    try {
      const statement = database.prepare(sql);
      if (/^SELECT/.test(sql)) return statement.all() as Record<string, unknown>[];
      statement.run();
      return [];
    } finally {
      database.close();
    }
  }
  if (url.startsWith("mysql:")) {
    const connection = await mysql.createConnection(url);
    const [rows] = await connection.query(sql).finally(() => connection.end());
    return rows as Record<string, unknown>[];
  }
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query(sql).finally(() => client.end());
  return rows;
}
