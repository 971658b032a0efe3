import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { connect as connectSocket, createServer, type Socket } from "node:net";
import { before, describe, type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { ConnectedStore, ConnectOptions } from "../../src/connect.ts";
import { type FaultProxy, startProxy as startFaultProxy } from "../faults/proxy.ts";
import { startRedis } from "../support/servers/redis.ts";
import { temporaryDirectory, until } from "../support/servers/server.ts";
import { connectWith, DRIVERS } from "./redis-drivers.ts";
import { failsWithoutSecrets, SECRETS } from "./redis-secrets.ts";
import { backAgain, inAnHour, KEY } from "./redis-usage.ts";

const CLUSTER_OF_ONE = ["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"];

for (const driver of DRIVERS) {
  describe(`a store that connect made with ${driver}`, () => {
    let connect: (url: string, options?: ConnectOptions) => Promise<ConnectedStore>;
    before(async () => {
      connect = await connectWith(driver);
    });

    const at = async (t: TestContext, port: number): Promise<ConnectedStore> => {
      const store = await connect(`redis://127.0.0.1:${port}`);
      t.after(() => store.close());
      return store;
    };
    const record = { payload: SECRETS.payload, expiresAt: inAnHour() };
    const operations = (store: ConnectedStore): Promise<unknown>[] => [
      store.load(SECRETS.key),
      store.create(SECRETS.key, record),
      store.update(SECRETS.key, record, SECRETS.expected),
      store.delete(SECRETS.key, SECRETS.expected),
    ];
    const allFail = async (store: ConnectedStore, message: RegExp) => {
      for (const operation of operations(store).map((each) => failsWithoutSecrets(each, message))) await operation;
    };

    test("is made without a server, fails at once, and works when the server comes", async (t) => {
      const server = await startRedis();
      await server.kill();
      const store = await at(t, server.port);
      await allFail(store, /^Redis at 127\.0\.0\.1:\d+: .*ECONNREFUSED/);
      await server.restart();
      await backAgain(() => store.load(KEY));
    });

    test("is made though the server says nothing, and works when it does", async (t) => {
      const server = await startRedis();
      await server.freeze();
      const store = await at(t, server.port);
      await allFail(store, /^Redis at 127\.0\.0\.1:\d+: /);
      server.thaw();
      await backAgain(() => store.load(KEY));
    });

    test("finds a server that comes later by itself, also a cluster", async (t) => {
      const server = await startRedis(...CLUSTER_OF_ONE);
      server.cli("cluster", "addslotsrange", "0", "16383");
      await server.kill();
      const store = await connect(`redis+cluster://127.0.0.1:${server.port}`);
      t.after(() => store.close());
      await assert.rejects(store.load(KEY));
      await server.restart();
      await until(async () => /cluster_state:ok/.test(server.cli("cluster", "info")), "the cluster");
      await until(async () => server.cli("info", "commandstats").includes("cluster|slots"), "the client");
      await backAgain(() => store.load(KEY));
    });

    test("fails at once what was on its way when the server died", async (t) => {
      const server = await startRedis();
      const store = await at(t, server.port);
      await server.freeze();
      const failing = operations(store).map((each) => failsWithoutSecrets(each, /: (?!no answer)/));
      await server.kill();
      for (const each of failing) await each;
    });

    test("fails at once while the server is down, and works when it is back, without its scripts", async (t) => {
      const server = await startRedis();
      const store = await at(t, server.port);
      await store.create(KEY, record);
      assert.equal(await store.update(KEY, record, record.payload), true);
      await server.kill();
      await assert.rejects(store.load(KEY));
      await allFail(store, /^Redis at 127\.0\.0\.1:\d+: (?!no answer)/);
      await server.restart();
      await backAgain(() => store.load(KEY));
      assert.equal(await store.load(KEY), null);
      await store.create(KEY, record);
      assert.equal(await store.update(KEY, record, record.payload), true);
    });

    test("connects again when the server throws it out", async (t) => {
      const server = await startRedis();
      const store = await at(t, server.port);
      for (let times = 0; times < 3; times++) {
        server.cli("client", "kill", "type", "normal", "skipme", "yes");
        await backAgain(() => store.load(KEY));
      }
    });

    test("gives a server that is stopped its time, and works when it goes on", async (t) => {
      const server = await startRedis();
      const store = await at(t, server.port);
      await server.freeze();
      await allFail(store, /no answer within 500 ms/);
      server.thaw();
      await backAgain(() => store.load(KEY));
      // Late, some of those that failed were done: who is told so knows nothing of the outcome.
      await store.delete(SECRETS.key);
    });

    test("is not late because this process was busy", async (t) => {
      const server = await startRedis();
      const store = await at(t, server.port);
      const loaded = store.load(KEY);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
      assert.equal(await loaded, null);
    });

    test("does not let commands pile up while the server is silent", async (t) => {
      const server = await startRedis();
      const store = await at(t, server.port);
      await server.freeze();
      const waiting = Array.from({ length: 10_000 }, () => assert.rejects(store.load(KEY)));
      await assert.rejects(store.load(KEY), /no answer: 10000 commands wait/);
      await Promise.all(waiting);
      server.thaw();
      await backAgain(() => store.load(KEY));
    });

    test("leaves a connection that is silent for a new one", async (t) => {
      const server = await startRedis();
      const proxy = await startProxy(t, server.port);
      const store = await at(t, proxy.port);
      await store.create(KEY, record);
      // As when a firewall forgets a connection: nothing is refused and nothing comes.
      proxy.silence();
      await assert.rejects(store.load(KEY), /no answer within/);
      await backAgain(() => store.load(KEY));
      assert.equal(String((await store.load(KEY))?.payload), record.payload);
    });

    describe("gives nobody the answer to another question", () => {
      const keys = Array.from({ length: 5 }, (_, n) => `${n}`.repeat(32));
      const derailments: Record<string, (proxy: FaultProxy) => void> = {
        "after one that cannot be read": (proxy) => proxy.set({ name: "corrupt", place: 0 }),
        "after one to no question": (proxy) => proxy.inject(Buffer.from(":1\r\n")),
        "after two to no question": (proxy) => proxy.inject(Buffer.from(":x\r\n$1\r\n")),
      };
      for (const [name, derail] of Object.entries(derailments)) {
        test(name, async (t) => {
          const server = await startRedis();
          const proxy = await startFaultProxy(() => server.port);
          t.after(() => proxy.close());
          const store = await at(t, proxy.port);
          for (const key of keys) await store.create(key, { ...record, payload: key });
          const loadAll = () => {
            // Another order each time, in which late answers would be seen.
            keys.push(keys.shift()!);
            return Promise.all(
              keys.map(async (key) => {
                const loaded = await store.load(key).catch(() => ({ payload: key }));
                assert.equal(String(loaded?.payload), key);
              }),
            );
          };
          proxy.set({ name: "latency", ms: 50 });
          const loaded = loadAll();
          await turn();
          const { received } = proxy.counts;
          derail(proxy);
          await until(async () => proxy.counts.received > received, "an answer");
          proxy.set({ name: "pass" });
          for (let round = 0; round < 5; round++) await loadAll();
          await loaded;
          await backAgain(() => store.load(KEY));
          await loadAll();
        });
      }
    });

    test("looks for the primary anew when its server has become a replica", async (t) => {
      const [server, successor] = [await startRedis(), await startRedis()];
      const proxy = await startProxy(t, server.port);
      const store = await at(t, proxy.port);
      await store.load(KEY);
      server.cli("replicaof", "127.0.0.1", `${successor.port}`);
      proxy.leadTo(successor.port);
      await assert.rejects(store.create(KEY, record), /READONLY/);
      await backAgain(() => store.create(KEY, record));
      assert.equal(successor.cli("exists", `session:${KEY}`), "1");
    });

    for (const scheme of ["redis", "redis+cluster"]) {
      test(`lets no operation wait for attempts to connect while the server is down: twenty of them, ${scheme}://`, async (t) => {
        const server = await startRedis(...(scheme === "redis" ? [] : CLUSTER_OF_ONE));
        if (scheme !== "redis") server.cli("cluster", "addslotsrange", "0", "16383");
        const store = await connect(`${scheme}://127.0.0.1:${server.port}`);
        t.after(() => store.close());
        await backAgain(() => store.load(KEY));
        await server.kill();
        // The attempts come further and further apart, up to half a second.
        await new Promise((resolve) => setTimeout(resolve, 2000));
        const began = performance.now();
        for (let n = 0; n < 20; n++) await assert.rejects(store.load(KEY), /: (?!no answer)/);
        assert.ok(performance.now() - began < 3000, `${performance.now() - began} ms`);
      });
    }

    test("does nothing later that it gave up: a cluster that was down", async (t) => {
      const server = await startRedis(...CLUSTER_OF_ONE);
      server.cli("cluster", "addslotsrange", "0", "16383");
      await until(async () => /cluster_state:ok/.test(server.cli("cluster", "info")), "the cluster");
      const store = await connect(`redis+cluster://127.0.0.1:${server.port}`);
      t.after(() => store.close());
      await backAgain(() => store.load(KEY));
      // Without this slot, which is not the key's, it answers CLUSTERDOWN: as while it elects another primary.
      const slot = `${(Number(server.cli("cluster", "keyslot", `session:${KEY}`)) + 1) % 16384}`;
      server.cli("cluster", "delslots", slot);
      await until(async () => /cluster_state:fail/.test(server.cli("cluster", "info")), "the fault");
      await assert.rejects(store.create(KEY, record), /CLUSTERDOWN/);
      server.cli("cluster", "addslots", slot);
      await until(async () => /cluster_state:ok/.test(server.cli("cluster", "info")), "the cluster");
      await server.kill();
      await new Promise((resolve) => setTimeout(resolve, 1000));
      for (let n = 0; n < 5; n++) await assert.rejects(store.create(KEY, record));
      await server.restart();
      await until(async () => /cluster_state:ok/.test(server.cli("cluster", "info")), "the cluster");
      await backAgain(() => store.load(KEY));
      // A command that was kept would be sent by now.
      await new Promise((resolve) => setTimeout(resolve, 1000));
      assert.equal(await store.load(KEY), null);
    });

    test("fails at once while the server loads its data, says so, and works when it has", async (t) => {
      // A thousandth of a second for each key, and an answer in between.
      const slowly = ["--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"];
      const server = await startRedis(...slowly);
      server.cli("eval", "for n = 1, 3000 do redis.call('set', 'k' .. n, string.rep('x', 100)) end", "0");
      const store = await at(t, server.port);
      await store.create(KEY, record);
      server.cli("save");
      await server.kill();
      await server.restart();
      await until(
        () =>
          store.load(KEY).then(
            () => false,
            (error) => /LOADING/.test(error.message),
          ),
        "loading",
      );
      await failsWithoutSecrets(store.update(SECRETS.key, record), /^Redis at 127\.0\.0\.1:\d+: .*LOADING/);
      await backAgain(() => store.load(KEY));
      assert.equal(String((await store.load(KEY))?.payload), record.payload);
    });

    test("gives up a command and a connection after the times that it is told", async (t) => {
      const server = await startRedis();
      const store = await connect(`redis://127.0.0.1:${server.port}`, {
        connectTimeoutMs: 150,
        operationTimeoutMs: 70,
      });
      t.after(() => store.close());
      await backAgain(() => store.load(KEY));
      await server.freeze();
      await assert.rejects(store.load(KEY), /no answer within 70 ms/);
      server.thaw();
      await backAgain(() => store.load(KEY));
    });

    describe("names the server, and what is wrong with it:", () => {
      test("no memory", async (t) => {
        const server = await startRedis();
        server.cli("set", `session:${SECRETS.key}`, SECRETS.expected);
        server.cli("config", "set", "maxmemory", "1");
        const store = await at(t, server.port);
        await failsWithoutSecrets(store.update(SECRETS.key, record), /^Redis at 127\.0\.0\.1:\d+: OOM/);
        await failsWithoutSecrets(store.update(SECRETS.key, record, SECRETS.expected), /: OOM .* full/);
        assert.equal(String((await store.load(SECRETS.key))?.payload), SECRETS.expected);
        server.cli("config", "set", "maxmemory", "0");
        assert.equal(await store.update(SECRETS.key, record, SECRETS.expected), true);
      });

      test("a disk that cannot be written", async (t) => {
        const directory = temporaryDirectory();
        const server = await startRedis("--dir", directory, "--save", "3600 1");
        rmSync(directory, { recursive: true });
        server.cli("set", `session:${SECRETS.key}`, SECRETS.expected);
        server.cli("bgsave");
        await until(async () => server.cli("info", "persistence").includes("bgsave_status:err"), "a failure");
        const store = await at(t, server.port);
        await failsWithoutSecrets(store.create(SECRETS.key, record), /^Redis at 127\.0\.0\.1:\d+: MISCONF/);
        await failsWithoutSecrets(store.update(SECRETS.key, record, SECRETS.expected), /: MISCONF/);
        assert.equal(String((await store.load(SECRETS.key))?.payload), SECRETS.expected);
      });
    });
  });
}

/** Passes bytes on between its port and the one that it leads to. */
async function startProxy(t: TestContext, target: number) {
  let port = target;
  const pairs = new Set<[Socket, Socket]>();
  const server = createServer((near) => {
    const far = connectSocket(port, "127.0.0.1");
    const pair: [Socket, Socket] = [near, far];
    pairs.add(pair);
    for (const [from, to] of [pair, pair.toReversed()] as [Socket, Socket][]) {
      from.on("data", (data) => pairs.has(pair) && to.write(data));
      from.on("error", () => {}).on("close", () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as { port: number }).port,
    /** Swallows all that comes on the connections that there are. */
    silence: () => pairs.clear(),
    /** Where new connections go. */
    leadTo: (other: number) => {
      port = other;
    },
  };
}
