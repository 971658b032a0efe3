import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defaultStore } from "../../src/connect/sqlite.ts";
import { connect } from "../../src/connect.ts";
import { type SqliteDatabase, sqlite, sqliteClient } from "../../src/stores/sql/sqlite.ts";
import { sqlStore } from "../../src/stores/sql/store.ts";
import { type StoreMaker, storeSuite } from "../../src/testing/index.ts";
import { Database } from "./database.ts";
import { directory, newFile } from "./files.ts";

/** What Django's migration sessions.0001_initial executes. */
const DJANGOS_SCHEMA = [
  `CREATE TABLE "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY, "session_data" text NOT NULL, "expire_date" datetime NOT NULL)`,
  `CREATE INDEX "django_session_expire_date_a5c62663" ON "django_session" ("expire_date")`,
];

function djangosDatabase(path = ":memory:"): Database {
  const database = new Database(path);
  for (const statement of DJANGOS_SCHEMA) database.exec(statement);
  return database;
}

function opening(path: () => string): StoreMaker {
  return ({ now }) => {
    const database = djangosDatabase(path());
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

describe("the table of a SQLite store", () => {
  function schemaOf(path: string): unknown[] {
    const database = new Database(path);
    const rows = database.prepare("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid").all();
    database.close();
    return rows.map((row) => (row as { sql: string }).sql);
  }

  async function migrated(path: string): Promise<boolean> {
    const store = await connect(`sqlite:${path}`);
    const isNew = await store.migrate();
    await store.close();
    return isNew;
  }

  test("is Django's to the letter", async () => {
    const path = newFile();
    assert.equal(await migrated(path), true);
    assert.deepEqual(schemaOf(path), DJANGOS_SCHEMA);
  });

  test("may be migrated again, and keeps its sessions", async () => {
    const path = newFile();
    await migrated(path);
    const store = await connect(`sqlite:${path}`);
    await store.create("key00000", { payload: "a", expiresAt: new Date(Date.now() + 60_000) });
    assert.equal(await store.migrate(), false);
    assert.equal((await store.load("key00000"))?.payload, "a");
    await store.close();
    assert.deepEqual(schemaOf(path), DJANGOS_SCHEMA);
  });

  test("stays as Django made it, rows included", async () => {
    const path = newFile();
    const database = djangosDatabase(path);
    database.exec("INSERT INTO django_session VALUES ('key00000', 'a', '9000-01-01 00:00:00')");
    database.close();
    assert.equal(await migrated(path), false);
    assert.deepEqual(schemaOf(path), DJANGOS_SCHEMA);
    const store = await connect(`sqlite:${path}`);
    assert.equal((await store.load("key00000"))?.payload, "a");
    await store.close();
  });

  test("is made by itself only for the store that createSessions makes", async () => {
    const before = process.cwd();
    process.chdir(directory);
    try {
      const store = defaultStore();
      assert.equal(await store.load("key00000"), null);
      assert.deepEqual(schemaOf("sessions.sqlite3"), DJANGOS_SCHEMA);
    } finally {
      process.chdir(before);
    }
  });
});

describe("the rows of a SQLite store", () => {
  const database = djangosDatabase();
  let time = new Date(0);
  const store = sqlStore(sqliteClient(database), sqlite, { now: () => time });

  for (const [instant, text] of Object.entries({
    "2026-12-04T11:46:18.566Z": "2026-12-04 11:46:18.566000",
    "2026-12-04T11:46:18.500Z": "2026-12-04 11:46:18.500000",
    "2026-12-04T11:46:18.001Z": "2026-12-04 11:46:18.001000",
    "2026-12-04T11:46:18.000Z": "2026-12-04 11:46:18",
    "+010000-01-01T00:00:00.000Z": "9999-12-31 23:59:59.999000",
  })) {
    test(`hold the expiry ${instant} as Django writes it: ${text}`, async () => {
      await store.create("key00000", { payload: "a", expiresAt: new Date(instant) });
      assert.deepEqual(row(database.prepare("SELECT * FROM django_session").all()[0]), {
        session_key: "key00000",
        session_data: "a",
        expire_date: text,
      });
      await store.delete("key00000");
    });
  }

  // Django keeps microseconds; our clock has milliseconds.
  for (const [expiry, lastInstant] of Object.entries({
    "2026-12-04 11:46:18.566545": "2026-12-04T11:46:18.566Z",
    "2026-12-04 11:46:18.566000": "2026-12-04T11:46:18.565Z",
    "2026-12-04 11:46:18.000001": "2026-12-04T11:46:18.000Z",
    "2026-12-04 11:46:18": "2026-12-04T11:46:17.999Z",
  })) {
    test(`that Django wrote with ${expiry} are there until ${lastInstant}`, async () => {
      database.exec(`INSERT INTO django_session VALUES ('djangos0', 'a', '${expiry}')`);
      time = new Date(lastInstant);
      const loaded = await store.load("djangos0");
      assert.equal(loaded?.payload, "a");
      assert.deepEqual(loaded?.expiresAt, new Date(`${expiry.replace(" ", "T").slice(0, 23)}Z`));
      assert.equal(await store.deleteExpired(), 0);
      time = new Date(time.getTime() + 1);
      assert.equal(await store.load("djangos0"), null);
      assert.equal(await store.update("djangos0", { payload: "b", expiresAt: new Date(8e15) }), false);
      assert.equal(await store.deleteExpired(), 1);
    });
  }
});

describe("the statements of a SQLite store", () => {
  test("are prepared once each", async () => {
    const database = djangosDatabase();
    const prepared: string[] = [];
    const counting: SqliteDatabase = {
      exec: (sql) => database.exec(sql),
      prepare(sql) {
        prepared.push(sql);
        return database.prepare(sql);
      },
    };
    const store = sqlStore(sqliteClient(counting), sqlite);
    const record = { payload: "a", expiresAt: new Date(8e15) };
    for (let n = 0; n < 10; n++) {
      await store.create(`key${n}`, record);
      await store.load(`key${n}`);
      await store.update(`key${n}`, record);
      await store.update(`key${n}`, record, "a");
      await store.delete(`key${n}`, "b");
      await store.delete(`key${n}`);
      await store.deleteExpired({ onProgress: () => {} });
    }
    assert.equal(prepared.length, 8);
    assert.equal(new Set(prepared).size, 8);
  });

  for (const statement of ["load", "update", "delete", "deleteExpired"] as const) {
    test(`read no whole table: ${statement}`, async () => {
      const database = djangosDatabase();
      const plans: string[] = [];
      const explaining: SqliteDatabase = {
        exec: () => {},
        prepare: (sql) => ({
          all: (...parameters) => {
            const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...parameters);
            plans.push(...plan.map((step) => (step as { detail: string }).detail));
            return [];
          },
          run(...parameters) {
            this.all(...parameters);
            return { changes: 0 };
          },
        }),
      };
      const store = sqlStore(sqliteClient(explaining), sqlite);
      const record = { payload: "a", expiresAt: new Date() };
      if (statement === "load") await store.load("key00000");
      if (statement === "update") await store.update("key00000", record, "a");
      if (statement === "delete") await store.delete("key00000", "a");
      if (statement === "deleteExpired") await store.deleteExpired({ onProgress: () => {} });
      assert.ok(plans.length > 0);
      for (const plan of plans) assert.doesNotMatch(plan, /SCAN django_session/);
    });
  }
});

/** Without what a driver adds: libsql has `_metadata`. */
function row(value: unknown): object {
  const { session_key, session_data, expire_date } = value as Record<string, unknown>;
  return { session_key, session_data, expire_date };
}

test("a database that has prepare and nothing else will do", async () => {
  const database = new Database(":memory:");
  for (const statement of sqlite.schema) database.exec(statement);
  const store = sqlStore(sqliteClient({ prepare: (sql) => database.prepare(sql) }), sqlite);
  const expiresAt = new Date(Date.now() + 60_000);
  assert.equal(await store.create("abcdefgh", { payload: "one", expiresAt }), true);
  assert.equal(await store.update("abcdefgh", { payload: "two", expiresAt }, "one"), true);
  const { payload, expiresAt: stored } = (await store.load("abcdefgh"))!;
  assert.deepEqual([payload, stored], ["two", expiresAt]);
  database.close();
});
