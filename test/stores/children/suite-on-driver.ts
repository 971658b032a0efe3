import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../../../src/connect.ts";
import { type SqliteDatabase, sqlite, sqliteClient } from "../../../src/stores/sql/sqlite.ts";
import { sqlStore } from "../../../src/stores/sql/store.ts";
import { storeSuite } from "../../../src/testing/index.ts";

/* Runs the store suite on one driver, in whatever runtime this is; prints the cases and those that failed as JSON. */

type DatabaseClass = new (path: string) => Required<SqliteDatabase> & { close(): void };

const [driver, from] = process.argv.slice(2) as [string, string];
const require = createRequire(from);
const Database: DatabaseClass = driver === "node:sqlite" ? require(driver).DatabaseSync : require(driver);
const directory = mkdtempSync(join(tmpdir(), "sojourn-"));

const cases = new Map<string, () => Promise<void>>();
const failed: string[] = [];

let files = 0;
storeSuite(
  (name, body) => cases.set(name, body),
  ({ now }) => {
    const database = new Database(join(directory, `${files++}.sqlite3`));
    // The contract is tested here, not the disk.
    database.exec("PRAGMA synchronous = OFF");
    for (const statement of sqlite.schema) database.exec(statement);
    return { ...sqlStore(sqliteClient(database), sqlite, { now }), close: () => database.close() };
  },
);

cases.set("a write waits for another connection's", async () => {
  const path = join(directory, `${files++}.sqlite3`);
  const [database, other] = [new Database(path), new Database(path)];
  database.exec("PRAGMA busy_timeout = 0");
  for (const statement of sqlite.schema) database.exec(statement);
  const store = sqlStore(sqliteClient(database), sqlite);
  other.exec("BEGIN IMMEDIATE");
  const creating = store.create("key00000", { payload: "a", expiresAt: new Date(8e15) });
  if (await store.load("key00000")) throw new Error("created while locked");
  other.exec("COMMIT");
  if (!(await creating)) throw new Error("not created");
  const [row] = other.prepare("SELECT session_data FROM django_session").all() as { session_data: string }[];
  if (row?.session_data !== "a") throw new Error("not stored");
  database.close();
  other.close();
});

cases.set("connect opens and migrates", async () => {
  const store = await connect(`sqlite:${join(directory, `${files++}.sqlite3`)}`);
  await store.migrate();
  if (!(await store.create("key00000", { payload: "a", expiresAt: new Date(8e15) }))) throw new Error("not created");
  if ((await store.load("key00000"))?.payload !== "a") throw new Error("not stored");
  await store.close();
});

for (const [name, body] of cases) await body().catch((error) => failed.push(`${name}: ${error}`));
rmSync(directory, { recursive: true });
console.log(JSON.stringify({ cases: cases.size, failed }));
