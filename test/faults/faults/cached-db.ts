import { type Memcached, startMemcached } from "../../support/servers/memcached.ts";
import { type PostgresServer, startPostgres } from "../../support/servers/postgres.ts";
import { type RedisServer, startRedis } from "../../support/servers/redis.ts";
import type { Backend, Fault, Scene } from "../fault.ts";
import { openStore } from "../open-store.ts";
import { type FaultProxy, startProxy } from "../proxy.ts";
import { lasting } from "./lasting.ts";
import { tellMemcached } from "./memcached.ts";
import { frozen, killed } from "./server-faults.ts";

interface CachedBackend<Cache> extends Backend {
  /** The database: what it has counts. */
  server: PostgresServer;
  readonly proxy: FaultProxy;
  cache: string;
  cacheServer: Cache;
  readonly cacheProxy: FaultProxy;
}

async function start<Cache extends { readonly port: number; kill(): Promise<void> }>(
  name: string,
  cacheServer: Cache,
  scheme: string,
): Promise<CachedBackend<Cache>> {
  const server = await startPostgres("fsync=on");
  const [proxy, cacheProxy] = [await startProxy(() => server.port), await startProxy(() => cacheServer.port)];
  const backend: CachedBackend<Cache> = {
    name,
    durability: "kill",
    server,
    proxy,
    cacheServer,
    cacheProxy,
    url: server.url().replace(`:${server.port}/`, `:${proxy.port}/`),
    cache: `${scheme}://127.0.0.1:${cacheProxy.port}`,
    open: () => openStore(backend),
    async close() {
      await Promise.all([proxy.close(), cacheProxy.close()]);
      await Promise.all([backend.server.kill(), backend.cacheServer.kill()]);
    },
  };
  return backend;
}

function cacheNetwork<Cache>(name: string, mode: Parameters<FaultProxy["set"]>[0]): Fault<CachedBackend<Cache>> {
  return lasting(name, "served", async ({ cacheProxy }) => {
    cacheProxy.set(mode);
    return () => cacheProxy.set({ name: "pass" });
  });
}

interface Stoppable {
  freeze(): unknown;
  thaw(): unknown;
  kill(): Promise<void>;
  restart(): Promise<Stoppable>;
}

/** Whatever befalls the cache is nobody's trouble; what befalls the database is. */
function faults<Cache extends Stoppable>(
  own: readonly Fault<CachedBackend<Cache>>[],
): readonly Fault<CachedBackend<Cache>>[] {
  return [
    frozen("cacheServer", "served"),
    killed("cacheServer", "served"),
    cacheNetwork("cache answers after 300 ms", { name: "latency", ms: 300 }),
    cacheNetwork("cache's replies dropped", { name: "dropReplies" }),
    cacheNetwork("cache's replies corrupted", { name: "corrupt" }),
    ...own,
    frozen("server"),
    killed("server", "unavailable"),
  ] as readonly Fault<CachedBackend<Cache>>[];
}

const redisFlushed = lasting<CachedBackend<RedisServer>>("cache flushed", "served", async ({ cacheServer }) => {
  cacheServer.cli("flushall");
  return () => {};
});

const memcachedFlushed = lasting<CachedBackend<Memcached>>("cache flushed", "served", async ({ cacheServer }) => {
  await tellMemcached(cacheServer, "flush_all");
  return () => {};
});

/** The last byte of each entry is another one: it is a session still, but not the one that was stored. */
const damaged = lasting<CachedBackend<RedisServer>>("cache's entries damaged", "served", async ({ cacheServer }) => {
  const damage = `
    for _, key in ipairs(redis.call("KEYS", "*")) do
      local value = redis.call("GET", key)
      redis.call("SET", key, string.sub(value, 1, -2) .. (string.sub(value, -1) == "A" and "B" or "A"), "KEEPTTL")
    end`;
  cacheServer.cli("eval", damage, "0");
  return () => {};
});

const REDIS = "Redis over PostgreSQL (cached_db)";
export const redisOverPostgres: Scene<CachedBackend<RedisServer>> = {
  name: REDIS,
  backend: async () => start(REDIS, await startRedis(), "redis"),
  faults: faults([redisFlushed, damaged]),
};

const MEMCACHED = "memcached over PostgreSQL (cached_db)";
export const memcachedOverPostgres: Scene<CachedBackend<Memcached>> = {
  name: MEMCACHED,
  backend: async () => start(MEMCACHED, await startMemcached(), "memcached"),
  faults: faults([memcachedFlushed]),
};
