import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type ConnectedStore, connect } from "../../src/connect.ts";
import { startProxy } from "../faults/proxy.ts";
import type { DatabaseServer } from "../support/servers/database.ts";
import { freePort, temporaryDirectory, until } from "../support/servers/server.ts";
import { allFailSaying, failsSaying, KEY, OPERATIONS, PAYLOAD, record } from "./database-faults.ts";

export interface Outages {
  /** As it stands in messages. */
  readonly name: string;
  start(): Promise<DatabaseServer>;
  /** The package of the driver. */
  readonly driver: string;
  /** An answer that cannot be read, and one to no question. */
  readonly nonsense: Buffer;
  /** What a server says that lets nobody in. */
  readonly refusal: Buffer;
  /** Ends the connections of all users. */
  disconnect(server: DatabaseServer): void;
  /** Lets nobody write, or everybody again. */
  setReadOnly(server: DatabaseServer, isReadOnly: boolean): void;
}

/** What `connect` promises when the database is down, slow, strange or back again. */
export function outages({ name, start, driver, disconnect, setReadOnly, nonsense, refusal }: Outages): void {
  let server: DatabaseServer;
  let store: ConnectedStore;
  before(async () => {
    server = await start();
    store = await connect(server.url());
  });
  after(async () => {
    await store.close();
    await server.kill();
  });

  const address = () => `${name} at 127\\.0\\.0\\.1:${server.port}`;
  const works = () => until(async () => (await store.load(KEY))?.payload === PAYLOAD, "the store");

  test("a database without the table: every operation says what to do", async () => {
    await allFailSaying(new RegExp(`^${address()} has no table django_session.*npx sojourn migrate`), store);
  });

  test("migrate makes the table, once, though several processes do it at the same time", async () => {
    const others = await Promise.all(Array.from({ length: 5 }, () => connect(server.url())));
    const made = await Promise.all([store, ...others].map((each) => each.migrate()));
    assert.ok(made.includes(true));
    assert.equal(await store.migrate(), false);
    assert.equal(await store.create(KEY, record), true);
    assert.equal(await store.migrate(), false);
    await works();
    await Promise.all(others.map((each) => each.close()));
  });

  test("a wrong password is refused by the database, and shown to nobody", async () => {
    const intruder = await connect(server.url().replace("s3cret", "s3cret%20no"));
    await allFailSaying(new RegExp(`^${address()} refuses the user or the password`), intruder);
    await failsSaying(/refuses the user or the password/, () => intruder.migrate());
    await intruder.close();
  });

  test("a database that does not exist", async () => {
    const lost = await connect(server.url("nowhere"));
    await allFailSaying(new RegExp(`^${address()} has no such database`), lost);
    await lost.close();
  });

  test("a server that is not there: connect resolves, operations fail and say where", async () => {
    const port = await freePort();
    const early = await connect(server.url().replace(`:${server.port}`, `:${port}`));
    await allFailSaying(new RegExp(`^${name} at 127\\.0\\.0\\.1:${port} cannot be reached.*ECONNREFUSED`), early);
    await failsSaying(/cannot be reached/, () => early.migrate());
    await early.close();
  });

  test("connections that end while nobody uses them: the process goes on, and so do sessions", async () => {
    await Promise.all(Array.from({ length: 10 }, () => store.load(KEY)));
    disconnect(server);
    await works();
  });

  test("answers that are none: they end the connection and not the process, and the next one is used", async () => {
    const proxy = await startProxy(() => server.port);
    const through = await connect(server.url().replace(`:${server.port}`, `:${proxy.port}`));
    const throughWorks = () => until(async () => (await through.load(KEY))?.payload === PAYLOAD, "the store");
    for (let round = 0; round < 3; round++) {
      await throughWorks();
      proxy.set({ name: "dropReplies" });
      const { sent } = proxy.counts;
      const failure = assert.rejects(through.load(KEY));
      await until(async () => proxy.counts.sent > sent, "the question");
      proxy.inject(nonsense);
      await failure;
      proxy.set({ name: "pass" });
    }
    await throughWorks();
    await through.close();
    await proxy.close();
  });

  test("damaged answers, at random: the process goes on, and so do sessions when they are over", async () => {
    const proxy = await startProxy(() => server.port);
    const through = await connect(server.url().replace(`:${server.port}`, `:${proxy.port}`));
    const throughWorks = () => until(async () => (await through.load(KEY))?.payload === PAYLOAD, "the store");
    await throughWorks();
    proxy.set({ name: "corrupt" });
    await Promise.all(Array.from({ length: 100 }, () => through.load(KEY).catch(() => null)));
    proxy.set({ name: "pass" });
    await throughWorks();
    await through.close();
    await proxy.close();
  });

  test("a connection that is refused is closed, though the server does not close it", async () => {
    const proxy = await startProxy(() => server.port);
    proxy.set({ name: "dropReplies" });
    const refused = await connect(server.url().replace(`:${server.port}`, `:${proxy.port}`));
    const failure = failsSaying(/no connection left/, () => refused.load(KEY));
    await until(async () => proxy.counts.sent > 0 || proxy.open > 0, "the connection");
    proxy.inject(refusal);
    await failure;
    await until(async () => proxy.open === 0, "its end");
    await refused.close();
    await proxy.close();
  });

  test("a database that takes no writes: reads go on", async () => {
    setReadOnly(server, true);
    await until(
      () =>
        store
          .update(KEY, record)
          .then(() => false)
          .catch(() => true),
      "read-only",
    );
    await works();
    const writes = Object.keys(OPERATIONS).filter((operation) => operation !== "load");
    await allFailSaying(new RegExp(`^${address()} takes no writes.*primary`), store, writes);
    setReadOnly(server, false);
    await until(() => store.update(KEY, record), "the store");
  });

  test("a server that was killed is used again when it is back, with all that was acknowledged", async () => {
    assert.equal(await store.create("lasting0", { ...record, payload: "kept" }), true);
    await server.kill();
    await allFailSaying(new RegExp(`^${address()} (cannot be reached|is starting)`), store);
    server = await server.restart();
    await works();
    assert.equal((await store.load("lasting0"))?.payload, "kept");
    assert.equal(await store.delete("lasting0"), true);
  });

  test("a server that does not answer: operations end in time, many at once too, and it is used again after", async () => {
    await server.freeze();
    try {
      await failsSaying(/did not answer in time/, () => store.load(KEY));
      const many = await Promise.allSettled(Array.from({ length: 200 }, () => store.update(KEY, record, PAYLOAD)));
      for (const { status } of many) assert.equal(status, "rejected");
      await failsSaying(/did not answer in time|cannot be reached/, () => store.create(KEY, record));
    } finally {
      server.thaw();
    }
    await works();
  });

  test("answers that have come while this process was busy are not late", async () => {
    const loadAll = () => Promise.all(Array.from({ length: 10 }, () => store.load(KEY)));
    await loadAll();
    const loading = loadAll();
    // All connections are there, and now the statements are sent.
    for (let turn = 0; turn < 10; turn++) await setImmediate();
    for (const end = performance.now() + 1200; performance.now() < end; );
    for (const loaded of await loading) assert.equal(loaded?.payload, PAYLOAD);
  });

  test("close ends, and the process after it, though the server does not answer; operations then fail", async () => {
    const script = `
      const { connect } = await import(${JSON.stringify(import.meta.resolve("../../src/connect.js"))});
      const store = await connect(${JSON.stringify(server.url())});
      await Promise.all([store.load("key00000"), store.load("key00001"), store.deleteExpired()]);
      process.stdout.write("loaded");
      await new Promise((resolve) => process.stdin.once("data", resolve));
      const pending = store.load("key00000").catch(() => {});
      await store.close();
      await store.close();
      await pending;
      await store.load("key00000").catch((error) => process.stdout.write(", " + error.code));
      process.stdin.destroy();
      process.stdout.write(process.getActiveResourcesInfo().includes("Timeout") ? ", waits" : ", ends");`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const output: string[] = [];
    const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
    child.stdout.on("data", (chunk) => output.push(String(chunk)));
    await until(async () => output.join("") === "loaded", "the child");
    await server.freeze();
    try {
      child.stdin.write("go");
      assert.equal(await exit, 0);
      assert.equal(output.join(""), "loaded, ERR_SESSION_UNAVAILABLE, ends");
    } finally {
      server.thaw();
    }
    await works();
  });

  test("a driver that is not installed is named, with what to type", () => {
    // Our own code where no package is found.
    const directory = temporaryDirectory();
    cpSync(fileURLToPath(new URL("../../src", import.meta.url)), join(directory, "src"), { recursive: true });
    writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
    const script = `
      const { connect } = await import("./src/connect.js");
      await connect("${new URL(server.url()).protocol}//u:s3cret@h/d").catch((error) => console.log(error.code, error.message));`;
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      cwd: directory,
      encoding: "utf8",
    });
    assert.match(stdout, new RegExp(`^ERR_CONFIG .*npm install ${driver}`));
  });
}
