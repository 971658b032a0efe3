import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createSentinel } from "redis";
import type { ConnectedStore, ConnectOptions } from "../../src/connect.ts";
import { redisStore } from "../../src/stores/redis/store.ts";
import { startRedisSentinels } from "../support/servers/redis.ts";
import { until } from "../support/servers/server.ts";
import { connectWith, DRIVERS } from "./redis-drivers.ts";
import { failsWithoutSecrets, SECRETS } from "./redis-secrets.ts";
import { redisSuite } from "./redis-suite.ts";
import { backAgain, doesAll, inAnHour, KEY } from "./redis-usage.ts";

const trio = await startRedisSentinels(SECRETS.password, SECRETS.sentinelPassword);
const hosts = trio.ports.map((port) => `127.0.0.1:${port}`).join(",");
const url = `redis+sentinel://:${encodeURIComponent(SECRETS.password)}@${hosts}/main?sentinelPassword=${encodeURIComponent(SECRETS.sentinelPassword)}`;

describe("a Redis that sentinels watch", () => {
  const stores: ConnectedStore[] = [];
  after(async () => {
    for (const store of stores) await store.close();
  });

  for (const driver of DRIVERS) {
    describe(`with connect and ${driver}`, () => {
      let connect: (url: string, options?: ConnectOptions) => Promise<ConnectedStore>;
      before(async () => {
        connect = await connectWith(driver);
      });
      redisSuite(
        () => [trio.primary],
        async (options) => {
          const store = await connect(url, options);
          stores.push(store);
          return store;
        },
        SECRETS.password,
      );

      test("keeps to the database of the URL", async () => {
        const store = await connect(`${url}&db=5`);
        stores.push(store);
        await store.create(KEY, { payload: "a", expiresAt: inAnHour() });
        assert.equal(trio.primary.cli("--no-auth-warning", "-a", SECRETS.password, "-n", "5", "dbsize"), "1");
        await store.delete(KEY);
      });

      test("tells of sentinels that know no such name, or cannot be reached, without the password", async () => {
        for (const wrong of [
          url.replace("/main", "/other"),
          url.replace(hosts, "127.0.0.1:1,127.0.0.1:2"),
          url.replace("sentinelPassword=", "sentinelPassword=wrong"),
          url.replace("://:", "://:wrong"),
        ]) {
          const store = await connect(wrong);
          stores.push(store);
          await failsWithoutSecrets(store.load(SECRETS.key), /^Redis (main|other) of the sentinels 127/);
        }
      });
    });
  }

  test("works with a sentinel client of one's own", async (t) => {
    const client = createSentinel({
      name: "main",
      sentinelRootNodes: trio.ports.map((port) => ({ host: "127.0.0.1", port })),
      nodeClientOptions: { password: SECRETS.password },
      sentinelClientOptions: { password: SECRETS.sentinelPassword },
      replicaPoolSize: 1,
    });
    client.on("error", () => {});
    await client.connect();
    t.after(() => client.close());
    await doesAll(redisStore(client));
  });

  test("loses its primary: writes fail or are done once, and the stores find the new one by themselves", async () => {
    for (const driver of DRIVERS) stores.push(await (await connectWith(driver))(url));
    const writers = stores.slice(-2);
    await writers[0]!.create(KEY, { payload: "", expiresAt: inAnHour() });
    const acknowledged: string[] = [];
    let isOver = false;

    /** Appends one word after the other to the payload, each with a compare and set; whether one that fails is done, it cannot know. */
    const write = async (store: ConnectedStore, name: string) => {
      for (let n = 0; !isOver; n++) {
        const word = `${name}${n};`;
        try {
          const before = String((await store.load(KEY))!.payload);
          if (await store.update(KEY, { payload: before + word, expiresAt: inAnHour() }, before))
            acknowledged.push(word);
        } catch {}
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    const writing = writers.map((store, index) => write(store, "ab"[index]!));
    await until(async () => acknowledged.length > 20, "writing");
    const early = [...acknowledged];
    await until(async () => isReplicated(early.at(-1)!), "the replica");
    await trio.primary.kill();
    await until(async () => trio.primaryPort() === trio.replica.port, "the failover");
    for (const store of writers) await backAgain(() => store.load(KEY));
    const sinceThen = acknowledged.length;
    await until(async () => acknowledged.length > sinceThen + 20, "writing again");
    isOver = true;
    await Promise.all(writing);

    const words = String((await writers[0]!.load(KEY))!.payload).match(/[^;]+;/g)!;
    assert.equal(new Set(words).size, words.length, "a word that was written twice");
    for (const word of [...early, ...acknowledged.slice(sinceThen)]) assert.ok(words.includes(word), word);
  });

  function isReplicated(word: string): boolean {
    const value = trio.replica.cli("--no-auth-warning", "-a", SECRETS.password, "get", `session:${KEY}`);
    return value.includes(word);
  }
});
