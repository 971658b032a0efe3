import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import Database from "libsql";
import { sqlite, sqliteClient } from "../../src/stores/sql/sqlite.ts";
import { sqlStore } from "../../src/stores/sql/store.ts";
import { type StoreMaker, storeSuite } from "../../src/testing/index.ts";

const directory = mkdtempSync(join(tmpdir(), "sojourn-"));
after(() => rmSync(directory, { recursive: true }));

let files = 0;
const newFile = () => join(directory, `${files++}.sqlite3`);

function opening(path: () => string): StoreMaker {
  return ({ now }) => {
    const database = new Database(path());
    for (const statement of sqlite.schema) database.prepare(statement).run();
    return { ...sqlStore(sqliteClient(database), sqlite, { now }), close: () => database.close() };
  };
}

describe("the SQL store on a SQLite file", () => {
  storeSuite(test, opening(newFile));
});

describe("the SQL store on SQLite in memory", () => {
  storeSuite(
    test,
    opening(() => ":memory:"),
  );
});
