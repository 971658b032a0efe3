import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { type ConnectedStore, connect } from "../../src/connect.ts";
import type { SessionStore } from "../../src/core/contracts.ts";
import { createSessions } from "../../src/core/sessions.ts";
import { djangoCodec } from "../../src/django/codec.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { sqlite, sqliteClient } from "../../src/stores/sql/sqlite.ts";
import { sqlStore } from "../../src/stores/sql/store.ts";
import { endChildren, start } from "./children/process.ts";
import { Database } from "./database.ts";
import { newFile } from "./files.ts";

const secretKey = "a secret key for tests, 32 characters at least";
const key = "abcdefghijklmnopqrstuvwxyz012345";
const record = { payload: "a", expiresAt: new Date(8e15) };
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

async function migrated(path: string): Promise<ConnectedStore> {
  const store = await connect(`sqlite:${path}`);
  await store.migrate();
  return store;
}

afterEach(endChildren);

async function loadedBy(database: Database): Promise<unknown> {
  return (await sqlStore(sqliteClient(database), sqlite).load(key))?.payload;
}

describe("several processes on one SQLite file", () => {
  test("may open and migrate a new file all at once", async () => {
    for (let round = 0; round < 3; round++) {
      const path = newFile();
      const children = numbers(8).map((n) => start("open-and-migrate", path, `process${n}`));
      await Promise.all(children.map((child) => child.ready()));
      for (const child of children) child.tell();
      await Promise.all(children.map((child) => child.end()));
      const store = await connect(`sqlite:${path}`);
      for (const n of numbers(8)) assert.equal((await store.load(`process${n}`))?.payload, `process${n}`);
      await store.close();
    }
  });

  test("lose no parallel write to one session", async () => {
    const path = newFile();
    const store = await migrated(path);
    const sessions = createSessions(storeEngine(store, djangoCodec({ secretKey })));
    const first = await sessions.open("").session();
    first.set("count", 0);
    await first.save();

    const children = numbers(4).map((n) => start("write-session", path, secretKey, first.key!, `process${n}`, "10"));
    await Promise.all(children.map((child) => child.ready()));
    for (const child of children) child.tell();
    await Promise.all(children.map((child) => child.end()));

    const session = await sessions.open(`sessionid=${first.key}`).session();
    const expected = numbers(4).flatMap((process) => numbers(10).map((n) => [`process${process}.${n}`, n]));
    assert.deepEqual({ ...session.toJSON() }, { count: 40, ...Object.fromEntries(expected) });
    await store.close();
  });

  test("wait for one another's writes, and serve what needs none meanwhile", async (t) => {
    // Time stands still, so that it does not matter how long the other process takes.
    t.mock.method(performance, "now", () => 0);
    const path = newFile();
    const store = await migrated(path);
    const holder = start("hold-lock", path);
    await holder.ready();
    const creating = store.create(key, record);
    // Only a process that is not held up can read, and then tell the other one to end.
    assert.equal(await store.load(key), null);
    holder.tell();
    assert.equal(await creating, true);
    await holder.end();
    assert.equal((await store.load(key))?.payload, "a");
    await store.close();
  });
});

describe("a SQLite file that another process keeps on writing", () => {
  /** Each look at the time is 200 ms later than the one before. */
  function hurriedClock(t: { mock: typeof import("node:test").mock }): void {
    let time = 0;
    t.mock.method(performance, "now", () => (time += 200));
  }

  test("fails writes as unavailable after a second; reads go on, and nothing is lost", async (t) => {
    const path = newFile();
    const store = await migrated(path);
    await store.create(key, record);
    const engine = storeEngine(store, djangoCodec({ secretKey }));
    const saving = { now: new Date(), expiresAt: () => record.expiresAt };
    const holder = start("hold-lock", path);
    await holder.ready();

    hurriedClock(t);
    const isLocked = { message: /database is locked/ };
    await assert.rejects(store.create("other000", record), isLocked);
    await assert.rejects(store.update(key, { ...record, payload: "b" }, "a"), isLocked);
    await assert.rejects(store.delete(key), isLocked);
    await assert.rejects(store.deleteExpired(), isLocked);
    await assert.rejects(engine.create({}, saving), (error: Error & { code: string }) => {
      assert.equal(error.code, "ERR_SESSION_UNAVAILABLE");
      assert.match(String((error.cause as Error).message), isLocked.message);
      return true;
    });
    assert.equal((await store.load(key))?.payload, "a");

    holder.tell();
    await holder.end();
    assert.equal(await store.load("other000"), null);
    assert.equal(await store.update(key, { ...record, payload: "b" }, "a"), true);
    await store.close();
  });

  // libsql 0.5 holds back all commits of a connection after one of its statements was refused.
  for (const refused of ["create", "update", "delete", "deleteExpired"] as const) {
    test(`holds back no later write, once it is free: after a refused ${refused}`, async (t) => {
      const path = newFile();
      const store = await migrated(path);
      const other = new Database(path);
      other.exec("BEGIN IMMEDIATE");
      hurriedClock(t);
      if (refused === "create") await assert.rejects(store.create(key, record));
      if (refused === "update") await assert.rejects(store.update(key, record, "a"));
      if (refused === "delete") await assert.rejects(store.delete(key));
      if (refused === "deleteExpired") await assert.rejects(store.deleteExpired());
      other.exec("ROLLBACK");
      for (const [n, payload] of ["a", "b"].entries()) {
        assert.equal(await (n ? store.update(key, { ...record, payload }) : store.create(key, record)), true);
        assert.equal(await loadedBy(other), payload, "another connection must see what was acknowledged");
      }
      assert.equal(await store.delete(key), true);
      assert.equal(await loadedBy(other), undefined);
      await store.close();
    });
  }

  test("holds back no later write after a refused read, which happens where Django's file is not in WAL mode", async (t) => {
    const path = newFile();
    const other = new Database(path);
    for (const statement of sqlite.schema) other.exec(statement);
    const store = sqlStore(sqliteClient(new Database(path)), sqlite);
    other.exec("BEGIN EXCLUSIVE");
    hurriedClock(t);
    await assert.rejects(store.load(key), { message: /database is locked/ });
    other.exec("ROLLBACK");
    assert.equal(await store.create(key, record), true);
    assert.equal(await loadedBy(other), "a");
  });

  test("takes a write that is refused at its commit as not done", async (t) => {
    const path = newFile();
    const other = new Database(path);
    for (const statement of sqlite.schema) other.exec(statement);
    const store = sqlStore(sqliteClient(new Database(path)), sqlite);
    // Without WAL a commit waits for readers.
    other.exec("BEGIN; SELECT * FROM django_session");
    hurriedClock(t);
    await assert.rejects(store.create(key, record), { message: /database is locked/ });
    assert.equal(await store.load(key), null);
    other.exec("ROLLBACK");
    assert.equal(await store.create(key, record), true);
    assert.equal(await loadedBy(other), "a");
  });
});

describe("a SQLite file without Django's table", () => {
  const operations: Record<string, (store: SessionStore) => Promise<unknown>> = {
    load: (store) => store.load(key),
    create: (store) => store.create(key, record),
    update: (store) => store.update(key, record, "a"),
    delete: (store) => store.delete(key),
    deleteExpired: (store) => store.deleteExpired(),
  };

  for (const [operation, execute] of Object.entries(operations)) {
    test(`says what to do: ${operation}`, async () => {
      const store = await connect(`sqlite:${newFile()}`);
      await assert.rejects(execute(store), {
        name: "SessionError",
        code: "ERR_SESSION_UNAVAILABLE",
        message: /no table django_session.*sojourn migrate/,
      });
      await store.close();
    });
  }

  test("works as soon as another process has made the table", async () => {
    const path = newFile();
    const store = await connect(`sqlite:${path}`);
    await assert.rejects(store.load(key));
    await (await migrated(path)).close();
    assert.equal(await store.create(key, record), true);
    await store.close();
  });
});

describe("a SQLite connection that may only read", () => {
  test("reads, fails writes as unavailable, and keeps nobody from writing", async () => {
    const path = newFile();
    const writer = await migrated(path);
    await writer.create(key, record);
    const reader = new Database(path);
    reader.exec("PRAGMA query_only = ON");
    const store = sqlStore(sqliteClient(reader), sqlite);
    assert.equal((await store.load(key))?.payload, "a");
    const engine = storeEngine(store, djangoCodec({ secretKey }));
    await assert.rejects(engine.create({}, { now: new Date(), expiresAt: () => record.expiresAt }), {
      code: "ERR_SESSION_UNAVAILABLE",
    });
    await assert.rejects(engine.delete(key), { code: "ERR_SESSION_UNAVAILABLE" });
    assert.equal(await writer.update(key, { ...record, payload: "b" }, "a"), true);
    await writer.close();
  });
});
