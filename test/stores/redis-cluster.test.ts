import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Cluster } from "ioredis";
import { createCluster } from "redis";
import type { ConnectedStore } from "../../src/connect.ts";
import { redisStore } from "../../src/stores/redis/store.ts";
import { type RedisServer, startRedisCluster } from "../support/servers/redis.ts";
import { until } from "../support/servers/server.ts";
import { connectWith, DRIVERS } from "./redis-drivers.ts";
import { redisSuite } from "./redis-suite.ts";
import { backAgain, doesAll, inAnHour, KEY } from "./redis-usage.ts";

const nodes = await startRedisCluster();
const addresses = nodes.map(({ port }) => ({ host: "127.0.0.1", port }));
const primaries = () => nodes.filter((node) => /^master/.test(node.cli("role")));
const url = `redis+cluster://${addresses.map(({ host, port }) => `${host}:${port}`).join(",")}`;

const io = new Cluster(addresses);
// As users have it who read other things from replicas: sessions must not be.
const node = createCluster({ rootNodes: addresses.map((socket) => ({ socket })), useReplicas: true });
for (const client of [io, node]) client.on("error", () => {});
await node.connect();
const connected: ConnectedStore[] = [];
before(async () => {
  for (const driver of DRIVERS) connected.push(await (await connectWith(driver))(url));
});
after(async () => {
  io.disconnect();
  node.destroy();
  for (const store of connected) await store.close();
});

describe("the Redis store on a cluster with ioredis", () => {
  redisSuite(primaries, (options) => redisStore(io, options));
});

describe("the Redis store on a cluster with node-redis", () => {
  redisSuite(primaries, (options) => redisStore(node, options));
});

describe("a cluster", () => {
  test("is what connect connects to, with either driver", async () => {
    for (const store of connected) await doesAll(store);
  });

  test("is used with the rights that redisStore names, and no more", async () => {
    const rights = "+get +set +del +eval +evalsha +cluster|slots".split(" ");
    for (const each of nodes) each.cli("acl", "setuser", "sojourn", "on", ">password", "~session:*", ...rights);
    for (const driver of DRIVERS) {
      const store = await (await connectWith(driver))(url.replace("//", "//sojourn:password@"));
      connected.push(store);
      await doesAll(store);
    }
  });

  test("is read from its primaries", async () => {
    for (const each of nodes) each.cli("config", "resetstat");
    for (const store of [redisStore(io), redisStore(node), ...connected]) {
      for (let n = 0; n < 20; n++) await store.load(`${KEY.slice(2)}${n}`);
    }
    for (const each of nodes) {
      const reads = Number(/cmdstat_get:calls=(\d+)/.exec(each.cli("info", "commandstats"))?.[1] ?? 0);
      assert.equal(reads > 0, primaries().includes(each), each.cli("role"));
    }
  });

  for (const [index, name] of ["ioredis", "node-redis", "connect and node-redis", "connect and ioredis"].entries()) {
    test(`may move a slot while its records are used, with ${name}`, async () => {
      const store = [redisStore(io), redisStore(node), ...connected][index]!;
      const record = (payload: string) => ({ payload, expiresAt: inAnHour() });
      await store.create(KEY, record("a"));
      const move = await startMoving(`session:${KEY}`);
      assert.equal(await store.update(KEY, record("b"), "a"), true);
      move.record();
      // The old node answers ASK now.
      assert.equal(String((await store.load(KEY))?.payload), "b");
      assert.equal(await store.create(KEY, record("x")), false);
      assert.equal(await store.update(KEY, record("x"), "a"), false);
      assert.equal(await store.update(KEY, record("c"), "b"), true);
      assert.equal(await store.update(KEY, record("d")), true);
      assert.equal(await store.delete(KEY, "c"), false);
      assert.equal(await store.delete(KEY, "d"), true);
      assert.equal(await store.create(KEY, record("d")), true);
      move.end();
      // And now MOVED.
      assert.equal(await store.update(KEY, record("e"), "d"), true);
      assert.equal(await store.delete(KEY, "e"), true);
      assert.equal(await store.load(KEY), null);
    });
  }

  test("loses a primary, and goes on with its replica", async () => {
    const stores = [...connected];
    const keys = Array.from({ length: 12 }, (_, n) => `failover${n}`);
    for (const key of keys) await stores[0]!.create(key, { payload: key, expiresAt: inAnHour() });
    const [lost] = primaries() as [RedisServer];
    await until(async () => primaries().every((each) => each.cli("wait", "1", "1000") === "1"), "the replicas");
    await lost.kill();
    nodes.splice(nodes.indexOf(lost), 1);
    // A process that starts just then is served too.
    stores.push(await (await connectWith("redis"))(url), await (await connectWith("ioredis"))(url));
    connected.push(...stores.slice(2));
    for (const store of stores) {
      for (const key of keys) {
        await backAgain(() => store.load(key));
        assert.equal(String((await store.load(key))?.payload), key);
      }
    }
  });
});

/** Begins to move a key's slot from its node to another. */
async function startMoving(key: string) {
  const [first, second] = primaries() as [RedisServer, RedisServer];
  const slot = first.cli("cluster", "keyslot", key);
  const owns = (each: RedisServer) => !/^(MOVED|ASK)/.test(each.cli("get", key));
  const [from, to] = owns(first) ? [first, second] : [primaries().find(owns)!, first];
  const [fromId, toId] = [from.cli("cluster", "myid"), to.cli("cluster", "myid")];
  to.cli("cluster", "setslot", slot, "importing", fromId);
  from.cli("cluster", "setslot", slot, "migrating", toId);
  return {
    record: () => assert.equal(from.cli("migrate", "127.0.0.1", `${to.port}`, key, "0", "1000"), "OK"),
    end: () => {
      for (const each of [to, from]) each.cli("cluster", "setslot", slot, "node", toId);
    },
  };
}
