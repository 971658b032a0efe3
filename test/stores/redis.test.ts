import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Cluster, Redis } from "ioredis";
import { createClient, createClientPool, type createCluster, type createSentinel } from "redis";
import type { SessionStore } from "../../src/core/contracts.ts";
import type { RedisClient } from "../../src/stores/redis/client.ts";
import { redisStore } from "../../src/stores/redis/store.ts";
import { startRedis } from "../support/servers/redis.ts";
import { failsWithoutSecrets, SECRETS } from "./redis-secrets.ts";
import { redisSuite } from "./redis-suite.ts";
import { doesAll, inAnHour, KEY } from "./redis-usage.ts";

const server = await startRedis();
const socket = { host: "127.0.0.1", port: server.port };
const io = new Redis(server.port);
const node = createClient({ socket });
node.on("error", () => {});
await node.connect();
after(() => {
  io.disconnect();
  node.destroy();
});

const CLIENTS = { ioredis: io, "node-redis": node } satisfies Record<string, RedisClient>;

for (const [name, client] of Object.entries(CLIENTS)) {
  describe(`the Redis store with ${name}`, () => {
    redisSuite(
      () => [server],
      (options) => redisStore(client, options),
    );
  });
}

describe("the Redis store", () => {
  test("takes each client of the drivers by its type, and no pipeline or promise of one", () => {
    const takes = (_client: RedisClient) => {};
    const checked = (
      cluster: ReturnType<typeof createCluster>,
      sentinel: ReturnType<typeof createSentinel>,
      pool: ReturnType<typeof createClientPool>,
      ioCluster: Cluster,
    ) => {
      takes(io);
      takes(ioCluster);
      takes(node);
      takes(pool);
      takes(cluster);
      takes(sentinel);
      // @ts-expect-error its commands answer nothing before exec
      takes(io.pipeline());
      // @ts-expect-error not connected yet
      takes(node.connect());
      // @ts-expect-error no commands
      takes({});
    };
    assert.ok(checked);
  });

  const variants: Record<string, () => Promise<{ client: RedisClient; close(): void }>> = {
    "a pool of node-redis": async () => {
      const client = createClientPool({ socket });
      await client.connect();
      return { client, close: () => client.destroy() };
    },
    "node-redis and RESP2": async () => {
      const client = await createClient({ socket, RESP: 2 }).connect();
      return { client, close: () => client.destroy() };
    },
    ...Object.fromEntries(
      Object.entries({
        "ioredis and RESP2": { protocol: 2 },
        "ioredis with enableAutoPipelining": { enableAutoPipelining: true },
        "ioredis with stringNumbers": { stringNumbers: true },
        "ioredis with keyPrefix": { keyPrefix: "mine:" },
      } as const).map(([name, options]) => [
        name,
        async () => {
          const client = new Redis({ port: server.port, ...options });
          return { client, close: () => client.disconnect() };
        },
      ]),
    ),
  };
  for (const [name, open] of Object.entries(variants)) {
    test(`does all its operations with ${name}`, async (t) => {
      const { client, close } = await open();
      t.after(close);
      await doesAll(redisStore(client));
    });
  }

  test("refuses what is no client", () => {
    for (const client of [{}, { get: () => {} }, { sendCommand: 1 }]) {
      assert.throws(() => redisStore(client as unknown as RedisClient), { code: "ERR_CONFIG", message: /node-redis/ });
    }
  });

  test("refuses a cluster that reads from replicas, which lag behind", () => {
    const cluster = new Cluster([socket], { scaleReads: "slave", lazyConnect: true });
    assert.throws(() => redisStore(cluster), { code: "ERR_CONFIG", message: /primary.*scaleReads/ });
    cluster.disconnect();
  });

  test("refuses a client that gives text where bytes are asked for, as node-redis 4 does", async () => {
    const store = redisStore({ sendCommand: async () => "text" });
    await assert.rejects(store.load(KEY), { code: "ERR_CONFIG", message: /node-redis 5/ });
  });

  test("refuses a batch size of deleteExpired that is none, as every store does", async () => {
    for (const batchSize of [0, -1, 0.5, Number.NaN]) {
      await assert.rejects(redisStore(io).deleteExpired({ batchSize }), { code: "ERR_CONFIG" });
    }
  });
});

describe("the records of a Redis store", () => {
  const bytes = Buffer.from([0x80, 0x05, 0x00, 0xff]);

  test("are the payload and nothing else, and expire when the session does", async () => {
    const store = redisStore(io, { prefix: "layout:", now: () => new Date(1_000_000) });
    await store.create(KEY, { payload: bytes, expiresAt: new Date(1_090_000) });
    assert.deepEqual(await io.getBuffer(`layout:${KEY}`), bytes);
    const ttl = await io.pttl(`layout:${KEY}`);
    assert.ok(ttl > 60_000 && ttl <= 90_000, `${ttl}`);
  });

  for (const [prefix, name] of [
    [undefined, `session:${KEY}`],
    ["app:", `app:${KEY}`],
    ["", KEY],
  ] as const) {
    test(`lie under ${name} if the prefix is ${JSON.stringify(prefix)}`, async () => {
      await io.set(name, "from Django", "EX", 60);
      const store = redisStore(node, { prefix });
      assert.equal(String((await store.load(KEY))?.payload), "from Django");
      await store.delete(KEY);
      assert.equal(await io.exists(name), 0);
    });
  }

  test("without an end, of others, are loaded, and get one when they are updated", async () => {
    await io.set(`session:${KEY}`, "a");
    const store = redisStore(io);
    assert.equal(String((await store.load(KEY))?.payload), "a");
    assert.equal(await store.update(KEY, { payload: "b", expiresAt: inAnHour() }, "a"), true);
    assert.ok((await io.pttl(`session:${KEY}`)) > 0);
    await store.delete(KEY);
  });

  test("that are expired when they are written are never there, and those updated so are removed", async () => {
    for (const age of [0, 1]) {
      const store = redisStore(io, { now: () => new Date(1_000_000) });
      const [past, future] = [new Date(1_000_000 - age), new Date(2_000_000)];
      server.cli("config", "resetstat");
      assert.equal(await store.create(KEY, { payload: "a", expiresAt: past }), true);
      assert.equal(commands().set, undefined);
      await store.create(KEY, { payload: "a", expiresAt: future });
      assert.equal(await store.create(KEY, { payload: "b", expiresAt: past }), false);
      assert.equal(await store.update(KEY, { payload: "b", expiresAt: past }, "b"), false);
      assert.equal(String((await store.load(KEY))?.payload), "a");
      assert.equal(await store.update(KEY, { payload: "b", expiresAt: past }, "a"), true);
      assert.equal(await io.exists(`session:${KEY}`), 0);
      await store.create(KEY, { payload: "a", expiresAt: future });
      assert.equal(await store.update(KEY, { payload: "b", expiresAt: past }), true);
      assert.equal(await store.update(KEY, { payload: "b", expiresAt: past }), false);
    }
  });
});

describe("the operations of a Redis store", () => {
  for (const [name, client] of Object.entries(CLIENTS)) {
    const store = redisStore(client);
    const operations: Record<string, [sent: Record<string, number>, operation: () => Promise<unknown>]> = {
      load: [{ get: 1 }, () => store.load(KEY)],
      create: [{ set: 1 }, () => store.create(KEY, { payload: "a", expiresAt: inAnHour() })],
      update: [{ set: 1 }, () => store.update(KEY, { payload: "a", expiresAt: inAnHour() })],
      // What a script does is counted too.
      "update with an expected payload": [
        { evalsha: 1, get: 1, set: 1 },
        () => store.update(KEY, { payload: "b", expiresAt: inAnHour() }, "a"),
      ],
      "delete with an expected payload": [{ evalsha: 1, get: 1, del: 1 }, () => store.delete(KEY, "b")],
      delete: [{ del: 1 }, () => store.delete(KEY)],
      deleteExpired: [{}, () => store.deleteExpired()],
    };
    for (const [operation, [sent, run]] of Object.entries(operations)) {
      test(`send one command each: ${operation} with ${name}`, async () => {
        // Its scripts are known by then.
        await doesAll(redisStore(client, { prefix: "before:" }));
        server.cli("config", "resetstat");
        await run();
        assert.deepEqual(commands(), sent);
      });
    }

    test(`know no difference when the server has forgotten its scripts, with ${name}`, async () => {
      server.cli("script", "flush");
      await store.create(KEY, { payload: "a", expiresAt: inAnHour() });
      assert.equal(await store.update(KEY, { payload: "b", expiresAt: inAnHour() }, "a"), true);
      server.cli("script", "flush");
      assert.equal(await store.update(KEY, { payload: "c", expiresAt: inAnHour() }, "a"), false);
      server.cli("script", "flush");
      assert.equal(await store.delete(KEY, "a"), false);
      server.cli("script", "flush");
      assert.equal(await store.delete(KEY, "b"), true);
    });
  }
});

describe("what Redis refuses", () => {
  const each = async (operate: (store: SessionStore) => Promise<void>) => {
    for (const client of Object.values(CLIENTS)) await operate(redisStore(client));
  };
  const record = { payload: SECRETS.payload, expiresAt: inAnHour() };
  const writes = (store: SessionStore): Promise<unknown>[] => [
    store.create(SECRETS.key, record),
    store.update(SECRETS.key, record),
    store.update(SECRETS.key, record, SECRETS.expected),
  ];

  test("names the memory that is full; reading and deleting go on", async () => {
    await redisStore(io).create(SECRETS.key, { ...record, payload: SECRETS.expected });
    server.cli("config", "set", "maxmemory", "1");
    try {
      await each(async (store) => {
        for (const write of writes(store)) await failsWithoutSecrets(write, /^Redis: OOM .*maxmemory/);
        assert.equal(String((await store.load(SECRETS.key))?.payload), SECRETS.expected);
      });
      assert.equal(await redisStore(io).delete(SECRETS.key), true);
    } finally {
      server.cli("config", "set", "maxmemory", "0");
    }
  });

  test("names a replica that was asked to write", async () => {
    await redisStore(io).create(SECRETS.key, { ...record, payload: SECRETS.expected });
    server.cli("replicaof", "127.0.0.1", "1");
    try {
      await each(async (store) => {
        for (const write of [
          ...writes(store),
          store.delete(SECRETS.key),
          store.delete(SECRETS.key, SECRETS.expected),
        ]) {
          await failsWithoutSecrets(write, /READONLY .* connect to the primary/);
        }
      });
    } finally {
      server.cli("replicaof", "no", "one");
    }
    assert.equal(await redisStore(io).delete(SECRETS.key), true);
  });

  test("names a key that belongs to something else", async () => {
    await io.sadd(`session:${SECRETS.key}`, "member");
    await each(async (store) => {
      await failsWithoutSecrets(store.load(SECRETS.key), /WRONGTYPE .* another prefix/);
      await failsWithoutSecrets(store.update(SECRETS.key, record, SECRETS.expected), /WRONGTYPE/);
      await failsWithoutSecrets(store.delete(SECRETS.key, SECRETS.expected), /WRONGTYPE/);
    });
    await io.del(`session:${SECRETS.key}`);
  });

  describe("because of its configuration", () => {
    const renamed = ["get", "set", "del", "eval", "evalsha"].flatMap((name) => ["--rename-command", name, ""]);
    const clients: (RedisClient & { close(): unknown })[] = [];

    before(async () => {
      const strange = await startRedis(...renamed);
      const ioStrange = new Redis(strange.port);
      const nodeStrange = createClient({ socket: { ...socket, port: strange.port } });
      await nodeStrange.connect();
      clients.push(Object.assign(ioStrange, { close: () => ioStrange.disconnect() }), nodeStrange);
    });
    after(() => clients.map((client) => client.close()));

    // The server's own words repeat the arguments: key and payload.
    test("names the command that is unknown, and not what it was sent with", async () => {
      for (const client of clients) {
        const store = redisStore(client);
        const all = [...writes(store), store.load(SECRETS.key), store.delete(SECRETS.key)];
        for (const operation of all) await failsWithoutSecrets(operation, /ERR unknown command '\w+'\.$/);
        await failsWithoutSecrets(store.delete(SECRETS.key, SECRETS.expected), /unknown command 'evalsha'/);
      }
    });
  });

  test("is shown without the key, whoever says it", async () => {
    const client = { sendCommand: () => Promise.reject(new Error(`no room for session:${SECRETS.key} today`)) };
    await failsWithoutSecrets(redisStore(client).load(SECRETS.key), /no room for \(the key\) today/);
  });

  test("is told of a client that is closed", async () => {
    const closed = new Redis({ port: server.port, lazyConnect: true });
    await closed.connect();
    closed.disconnect();
    await failsWithoutSecrets(redisStore(closed).create(SECRETS.key, record), /^Redis: Connection is closed/);
  });
});

/** The commands that the server executed since its statistics were reset, but for those of this test's own doing. */
function commands(): Record<string, number> {
  const counts = [...server.cli("info", "commandstats").matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)];
  return Object.fromEntries(
    counts
      .map(([, name, count]) => [name!, Number(count)])
      .filter(([name]) => !/^(config|info|ping)/.test(String(name))),
  );
}
