import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { connect } from "../../../src/connect.ts";
import { startMariadb } from "../../support/servers/mariadb.ts";
import { startMemcached } from "../../support/servers/memcached.ts";
import { startPostgres } from "../../support/servers/postgres.ts";
import { startRedis } from "../../support/servers/redis.ts";

/* An application that is started before its store: it serves what needs no session, and comes up by itself. */

/** A server's URL, while it is not there, and the way to start it. */
type Late = () => Promise<{ readonly url: string; start(): Promise<unknown> }>;

const LATE: Readonly<Record<string, Late>> = {
  async PostgreSQL() {
    const server = await startPostgres();
    await server.kill();
    return { url: server.url(), start: server.restart };
  },
  async MariaDB() {
    const server = await startMariadb();
    await server.kill();
    return { url: server.url(), start: server.restart };
  },
  async Redis() {
    const server = await startRedis();
    await server.kill();
    return { url: `redis://127.0.0.1:${server.port}`, start: server.restart };
  },
  async memcached() {
    const server = await startMemcached();
    await server.kill();
    return { url: `memcached://127.0.0.1:${server.port}`, start: () => startMemcached([], server.port) };
  },
};

/** Milliseconds from the server's start to the first session; and what a busy machine may take more. */
const RECOVERY_MS = 2000;
const SLACK_MS = 3000;

async function startApplication(
  t: TestContext,
  url: string,
): Promise<(path: string, cookie?: string) => Promise<Response>> {
  const path = fileURLToPath(new URL("./late-application.js", import.meta.url));
  const child = spawn(process.execPath, [path, url], { stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => child.kill("SIGKILL"));
  const [port] = await once(child.stdout, "data");
  return (route, cookie) =>
    fetch(`http://127.0.0.1:${Number(port)}${route}`, cookie === undefined ? {} : { headers: { cookie } });
}

describe("an application that is started before its store", { concurrency: true }, () => {
  for (const [name, late] of Object.entries(LATE)) {
    test(`answers 503 to what needs a session, and nothing else, until ${name} is there`, async (t) => {
      const { url, start } = await late();
      const ask = await startApplication(t, url);
      const key = "k3y0fas3ss10nk3y0fas3ss10nk3y0fa";
      for (const cookie of [undefined, `sessionid=${key}`]) {
        assert.equal((await ask("/", cookie)).status, 200);
        const refused = await ask("/session", cookie);
        assert.equal(refused.status, 503);
        assert.equal(refused.headers.get("set-cookie"), null);
        assert.ok(Number(refused.headers.get("retry-after")) > 0);
      }

      await start();
      // As the operator does it who sets the database up. The application is left alone.
      const store = await connect(url);
      await store.migrate();
      await store.close();
      const began = performance.now();
      let answer = await ask("/session");
      while (answer.status === 503 && performance.now() - began < RECOVERY_MS + SLACK_MS)
        answer = await ask("/session");
      assert.equal(answer.status, 200, `after ${Math.round(performance.now() - began)} ms`);
      t.diagnostic(`${Math.round(performance.now() - began)} ms`);
      const cookie = answer.headers.get("set-cookie")!.split(";")[0]!;
      assert.equal(await (await ask("/session", cookie)).text(), "2");
    });
  }
});
