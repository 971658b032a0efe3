import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import { connect } from "../../src/connect.ts";
import { SessionError } from "../../src/core/errors.ts";
import { Database } from "./database.ts";
import { directory, newFile } from "./files.ts";

const record = { payload: "a", expiresAt: new Date(8e15) };

describe("connect", () => {
  for (const url of ["", "sessions.sqlite3", "oracle:x", "oracle://user:secret@host/db", "SQLITE:x", ":memory:"]) {
    test(`refuses ${JSON.stringify(url)}, and names what there is`, async () => {
      await assert.rejects(connect(url), (error) => {
        assert.ok(error instanceof SessionError);
        assert.equal(error.code, "ERR_CONFIG");
        assert.match(error.message, /sqlite: .*memory:/);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    });
  }

  for (const url of ["sqlite:", "sqlite://"]) {
    test(`refuses ${url}, for a file is needed`, async () => {
      await assert.rejects(connect(url), { code: "ERR_CONFIG", message: /sqlite:path\/to\/file/ });
    });
  }

  test("opens an absolute path, written sqlite:/path or sqlite:///path", async () => {
    const path = newFile();
    const one = await connect(`sqlite:${path}`);
    await one.migrate();
    await one.create("key00000", record);
    await one.close();
    const other = await connect(`sqlite://${path}`);
    assert.equal((await other.load("key00000"))?.payload, "a");
    await other.close();
  });

  test("opens a relative path, written sqlite:path or sqlite://path, in the working directory", async () => {
    const before = process.cwd();
    process.chdir(directory);
    try {
      for (const prefix of ["sqlite:", "sqlite://", "sqlite:./"]) {
        const path = newFile();
        await (await connect(prefix + basename(path))).close();
        assert.ok(existsSync(path), prefix);
      }
    } finally {
      process.chdir(before);
    }
  });

  test("takes the path as it is: no escapes, no parameters", async () => {
    const path = join(directory, "100%25 ä?mode=ro#1.sqlite3");
    await (await connect(`sqlite:${path}`)).close();
    assert.ok(existsSync(path));
  });

  test("opens SQLite in memory", async () => {
    const store = await connect("sqlite::memory:");
    await store.migrate();
    assert.equal(await store.create("key00000", record), true);
    await store.close();
  });

  test("gives each caller of memory: a store of its own, with nothing to migrate or close", async () => {
    const [one, other] = [await connect("memory:"), await connect("memory:")];
    assert.equal(await one.migrate(), false);
    await one.create("key00000", record);
    assert.equal(await other.load("key00000"), null);
    await one.close();
  });

  test("lets readers and a writer of a file work at the same time", async () => {
    const path = newFile();
    const store = await connect(`sqlite:${path}`);
    await store.migrate();
    const other = new Database(path);
    assert.equal((other.prepare("PRAGMA journal_mode").all()[0] as { journal_mode: string }).journal_mode, "wal");
    other.exec("BEGIN IMMEDIATE");
    assert.equal(await store.load("key00000"), null);
    other.close();
    await store.close();
  });
});

describe("connect's time-outs", () => {
  for (const [name, value] of [
    ["connectTimeoutMs", 0],
    ["connectTimeoutMs", Number.NaN],
    ["operationTimeoutMs", -1],
    ["operationTimeoutMs", 1.5],
    ["operationTimeoutMs", 60_001],
    ["operationTimeoutMs", "500"],
  ] as const) {
    test(`are refused where they are none: ${name} ${JSON.stringify(value)}`, async () => {
      for (const url of ["memory:", "redis://localhost", "postgres://localhost/db", "file:/tmp"]) {
        await assert.rejects(connect(url, { [name]: value }), { code: "ERR_CONFIG", message: new RegExp(name) });
      }
    });
  }

  // Each takes connections, and says nothing.
  const urls: Record<string, (port: number) => string> = {
    PostgreSQL: (port) => `postgres://u:p@127.0.0.1:${port}/db`,
    MariaDB: (port) => `mysql://u:p@127.0.0.1:${port}/db`,
    Redis: (port) => `redis://127.0.0.1:${port}`,
    memcached: (port) => `memcached://127.0.0.1:${port}`,
  };
  for (const [name, url] of Object.entries(urls)) {
    test(`bound how long a server may say nothing: ${name}`, async (t) => {
      const silent = createServer(() => {}).listen(0, "127.0.0.1");
      await once(silent, "listening");
      const { port } = silent.address() as { port: number };
      const began = performance.now();
      const store = await connect(url(port), { connectTimeoutMs: 50, operationTimeoutMs: 50 });
      t.after(async () => {
        await store.close();
        silent.close();
      });
      await assert.rejects(store.load("key00000"), { code: "ERR_SESSION_UNAVAILABLE" });
      // The defaults would take a second at least.
      assert.ok(performance.now() - began < 1000, `${performance.now() - began} ms`);
    });
  }

  test("bound how long SQLite waits for another process that writes", async () => {
    const path = newFile();
    const store = await connect(`sqlite:${path}`, { operationTimeoutMs: 20 });
    await store.migrate();
    const other = new Database(path);
    other.exec("BEGIN IMMEDIATE");
    const began = performance.now();
    await assert.rejects(store.create("key00000", record), { code: "ERR_SESSION_UNAVAILABLE" });
    assert.ok(performance.now() - began < 400);
    other.exec("ROLLBACK");
    other.close();
    await store.close();
  });
});

describe("connect to a file that cannot be used", () => {
  const refused = (path: string, message = /./) =>
    assert.rejects(connect(`sqlite:${path}`), (error) => {
      assert.ok(error instanceof SessionError, String(error));
      assert.equal(error.code, "ERR_CONFIG");
      assert.ok(error.message.includes(path), error.message);
      assert.match(error.message, message);
      assert.ok(error.cause);
      return true;
    });

  test("in a directory that is missing is refused", () => refused(join(directory, "missing", "db.sqlite3")));

  test("that is a directory is refused", () => {
    const path = newFile();
    mkdirSync(path);
    return refused(path);
  });

  test("that is no database is refused, and left as it is", async () => {
    const path = newFile();
    const text = "Dear diary, ".repeat(1000);
    writeFileSync(path, text);
    await refused(path, /not a database/);
    assert.equal(readFileSync(path, "utf8"), text);
  });

  test("that may not be written is refused", async () => {
    const path = newFile();
    const database = new Database(path);
    database.exec("CREATE TABLE t (a)");
    database.close();
    chmodSync(path, 0o444);
    // Root may write everything, so it becomes somebody else for the moment.
    const isRoot = process.geteuid?.() === 0;
    chmodSync(directory, 0o755);
    if (isRoot) process.seteuid!(65534);
    try {
      await refused(path, /readonly|read-only|unable to open/i);
    } finally {
      if (isRoot) process.seteuid!(0);
    }
  });

  test("that another process is writing is refused when that takes too long", async (t) => {
    const path = newFile();
    const other = new Database(path);
    other.exec("CREATE TABLE t (a); BEGIN IMMEDIATE");
    // Each look at the time is 2 s later than the one before.
    let time = 0;
    t.mock.method(performance, "now", () => (time += 2000));
    await refused(path, /database is locked/);
    other.exec("ROLLBACK");
    await (await connect(`sqlite:${path}`)).close();
  });

  test("whose table another process keeps from being made is refused when that takes too long", async (t) => {
    const path = newFile();
    const store = await connect(`sqlite:${path}`);
    const other = new Database(path);
    other.exec("BEGIN IMMEDIATE");
    let time = 0;
    t.mock.method(performance, "now", () => (time += 2000));
    await assert.rejects(store.migrate(), {
      name: "SessionError",
      code: "ERR_SESSION_UNAVAILABLE",
      message: /django_session cannot be created: database is locked/,
    });
    other.exec("ROLLBACK");
    await store.migrate();
    assert.equal(await store.create("key00000", record), true);
    await store.close();
  });
});
