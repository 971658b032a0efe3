import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectedStore } from "../../../src/connect.ts";
import type { SessionError } from "../../../src/core/errors.ts";
import { createSessions } from "../../../src/core/sessions.ts";
import { djangoCodec } from "../../../src/django/codec.ts";
import { storeEngine } from "../../../src/engines/store-engine.ts";
import { type MemcachedClient, memcachedClient } from "../../../src/stores/memcached/client.ts";
import { memcachedStore } from "../../../src/stores/memcached/store.ts";
import { pseudoRandom } from "../../../src/testing/codec-values.ts";
import { connectWith } from "../../stores/redis-drivers.ts";
import { startMariadb } from "../../support/servers/mariadb.ts";
import { startMemcached } from "../../support/servers/memcached.ts";
import { startPostgres } from "../../support/servers/postgres.ts";
import { startRedis } from "../../support/servers/redis.ts";
import { freePort, startServer, temporaryDirectory, until } from "../../support/servers/server.ts";
import { type ProxyMode, startProxy } from "../proxy.ts";

/*
 * Writes whose answers are lost. A driver that sent one again on its own would have it refused, being there already;
 * the change would then be made once more, and the counter would say so.
 */

const codec = djangoCodec({ secretKey: "a secret key for tests, 32 characters at least" });

interface Scene {
  readonly name: string;
  readonly driver: string;
  /** Increments, and how many of them lose their answer. */
  readonly counts: number;
  readonly share: number;
  /** A server that is told the proxy's port, and the URL of the way through the proxy. */
  start(proxy: () => number): Promise<{ readonly port: number; readonly url: string }>;
}

const through = (url: string, port: number, proxy: () => number) => url.replace(`:${port}`, `:${proxy()}`);

/** A cluster of one. It says itself where it is reached: through the proxy. */
async function startCluster(proxy: () => number): Promise<{ port: number; url: string }> {
  const announced = ["--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port", `${proxy()}`];
  const server = await startRedis("--cluster-enabled", "yes", ...announced);
  server.cli("cluster", "addslotsrange", "0", "16383");
  await until(async () => /cluster_state:ok/.test(server.cli("cluster", "info")), "the cluster");
  return { port: server.port, url: `redis+cluster://127.0.0.1:${proxy()}` };
}

/** A sentinel that has been told that the primary is where the proxy is. It never looks for another one. */
async function startSentinel(proxy: () => number): Promise<{ port: number; url: string }> {
  const server = await startRedis();
  const [directory, port] = [temporaryDirectory(), await freePort()];
  const file = join(directory, "sentinel.conf");
  const settings = [
    `port ${port}`,
    "bind 127.0.0.1",
    `dir ${directory}`,
    `sentinel monitor main 127.0.0.1 ${proxy()} 1`,
  ];
  writeFileSync(file, [...settings, "sentinel down-after-milliseconds main 600000"].join("\n"));
  const sentinel = startServer("redis-server", [file, "--sentinel"]);
  await until(async () => sentinel.output().includes("+monitor"), "the sentinel", sentinel);
  return { port: server.port, url: `redis+sentinel://127.0.0.1:${port}/main` };
}

const SCENES: readonly Scene[] = [
  ...["redis", "ioredis"].flatMap((driver): Scene[] => [
    {
      ...{ name: `Redis with ${driver}`, driver, counts: 300, share: 0.05 },
      async start(proxy) {
        const { port } = await startRedis();
        return { port, url: `redis://127.0.0.1:${proxy()}` };
      },
    },
    { name: `a Redis Cluster with ${driver}`, driver, counts: 60, share: 0.05, start: startCluster },
    { name: `a Redis behind sentinels with ${driver}`, driver, counts: 60, share: 0.05, start: startSentinel },
  ]),
  {
    ...{ name: "PostgreSQL with pg", driver: "pg", counts: 300, share: 0.05 },
    async start(proxy) {
      const server = await startPostgres();
      return { port: server.port, url: through(server.url(), server.port, proxy) };
    },
  },
  {
    ...{ name: "MariaDB with mysql2", driver: "mysql2", counts: 300, share: 0.05 },
    async start(proxy) {
      const server = await startMariadb();
      return { port: server.port, url: through(server.url(), server.port, proxy) };
    },
  },
  {
    ...{ name: "memcached", driver: "memcached", counts: 300, share: 0.05 },
    async start(proxy) {
      const { port } = await startMemcached();
      return { port, url: `memcached://127.0.0.1:${proxy()}` };
    },
  },
];

/** The store through a proxy, which may lose what is answered to the next write. */
async function open(t: TestContext, { name, driver, start }: Scene, loss: ProxyMode) {
  let port = 0;
  const proxy = await startProxy(() => port);
  const started = await start(() => proxy.port);
  port = started.port;
  let isLosing = false;
  /** Once: a driver that connects again finds all well, so that it could send the write again in time. */
  async function loseNext(): Promise<void> {
    const { connections } = proxy.counts;
    proxy.set(loss);
    while (isLosing && proxy.counts.connections === connections) await sleep(1);
    proxy.set({ name: "pass" });
  }
  const lose = () => {
    isLosing = true;
    if (driver !== "memcached") void loseNext();
  };
  const beforeWrite = () => {
    if (isLosing) void loseNext();
  };
  const store =
    driver === "memcached" ? memcachedThrough(proxy.port, beforeWrite) : await (await connectWith(driver))(started.url);
  t.after(async () => {
    await store.close();
    await proxy.close();
  });
  await until(() => store.migrate().then(() => true), name);
  return {
    store,
    lose,
    keep() {
      isLosing = false;
      proxy.set({ name: "pass" });
    },
  };
}

/** As `connect` makes it; but its write comes after a question of its own, whose answer is not to be lost. */
function memcachedThrough(port: number, beforeWrite: () => void): ConnectedStore {
  const client = memcachedClient({ port });
  const set: MemcachedClient["set"] = (...write) => {
    beforeWrite();
    return client.set(...write);
  };
  return {
    ...memcachedStore({ ...client, set }),
    migrate: async () => false,
    close: async () => client.close(),
  };
}

/** Counts in a session. Of some writes the answer is lost in this way: they are done, and nobody is told. */
async function count(t: TestContext, scene: Scene, loss: ProxyMode, times: number, share: number): Promise<void> {
  const { store, lose, keep } = await open(t, scene, loss);
  const random = pseudoRandom(1);
  const sessions = createSessions<{ n: number }>(storeEngine(store, codec));
  let key = "";
  await until(async () => {
    const first = await sessions.open("").session();
    first.set("n", 0);
    await first.save();
    key = first.key!;
    return true;
  }, scene.name);
  let [acknowledged, unknown, lost] = [0, 0, 0];

  for (let attempt = 0; attempt < times; attempt++) {
    const isLost = random() < share || (lost === 0 && attempt === times - 1);
    const counting = sessions.transact(key, (session) => {
      // Now it has been loaded, and what comes next is the write.
      if (isLost) lose();
      session.set("n", session.get("n", 0) + 1);
    });
    const error = await counting.then(
      () => undefined,
      (reason: SessionError) => reason,
    );
    assert.ok(error || !isLost, "acknowledged, though no answer came");
    if (!error) acknowledged++;
    if (!error) continue;
    assert.equal(error.code, "ERR_SESSION_UNAVAILABLE");
    unknown++;
    if (isLost) lost++;
    keep();
    // By itself, with no more to be done than to ask again.
    await until(() => sessions.exists(key), scene.name);
  }

  let n = 0;
  await until(async () => {
    n = (await sessions.open(`sessionid=${key}`).session()).get("n", 0);
    return true;
  }, scene.name);
  assert.ok(acknowledged <= n && n <= acknowledged + unknown, `${n} of ${acknowledged} + ${unknown}`);
  assert.ok(n > acknowledged, "no write was done whose answer was lost");
  t.diagnostic(`${acknowledged} acknowledged, ${unknown} unknown, ${n} counted`);
}

describe("a write whose answer is lost is reported as unknown, and never done twice:", { concurrency: 4 }, () => {
  for (const scene of SCENES) {
    test(`${scene.name}, connections reset`, (t) =>
      count(t, scene, { name: "resetOnReply" }, scene.counts, scene.share));
    test(`${scene.name}, answers dropped`, (t) => count(t, scene, { name: "dropReplies" }, 20, 0.1));
  }
});
