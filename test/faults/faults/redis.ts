import { mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "redis";
import { type RedisServer, startRedis } from "../../support/servers/redis.ts";
import { until } from "../../support/servers/server.ts";
import type { Backend, Fault, Scene } from "../fault.ts";
import { openStore } from "../open-store.ts";
import { type FaultProxy, startProxy } from "../proxy.ts";
import { again, lasting } from "./lasting.ts";
import { frozen, killed } from "./server-faults.ts";

export interface RedisBackend extends Backend {
  server: RedisServer;
  readonly proxy: FaultProxy;
}

async function start(name: string, durability: Backend["durability"], ...settings: string[]): Promise<RedisBackend> {
  const server = await startRedis(...settings);
  const proxy = await startProxy(() => server.port);
  const backend: RedisBackend = {
    name,
    durability,
    server,
    proxy,
    url: `redis://127.0.0.1:${proxy.port}`,
    open: () => openStore(backend),
    async close() {
      await proxy.close();
      await backend.server.kill();
    },
  };
  return backend;
}

const outOfMemory = lasting<RedisBackend>("out of memory (OOM)", "writes-fail", async ({ server }) => {
  server.cli("config", "set", "maxmemory", "1");
  return () => server.cli("config", "set", "maxmemory", "0");
});

/** As after a failover that nobody told the application of; what it reads may be old. */
const replica = lasting<RedisBackend>("replica of a dead primary (READONLY)", "writes-fail", async ({ server }) => {
  server.cli("replicaof", "127.0.0.1", "1");
  return () => server.cli("replicaof", "no", "one");
});

/** The snapshot cannot take its place, which is a directory's. */
const misconfigured = lasting<RedisBackend>("snapshots fail (MISCONF)", "writes-fail", async ({ server }) => {
  const snapshot = join(server.directory, "dump.rdb");
  mkdirSync(join(snapshot, "in the way"), { recursive: true });
  server.cli("config", "set", "save", "3600 1");
  server.cli("bgsave");
  await until(async () => server.cli("info", "persistence").includes("bgsave_status:err"), "a failed snapshot");
  return () => {
    server.cli("config", "set", "save", "");
    rmdirSync(join(snapshot, "in the way"));
    rmdirSync(snapshot);
  };
});

const FILLERS = 1000;

/** Started again with so much on its disk that reading it would take 20 s. */
const loading = lasting<RedisBackend>("loads its data for long (LOADING)", "unavailable", async (backend) => {
  const fill = `for n = 1, ${FILLERS} do redis.call("SET", "filler" .. n, string.rep("x", 2000)) end`;
  backend.server.cli("eval", fill, "0");
  // As a snapshot, of which Redis serves its clients after each kilobyte; of commands, after each thousand.
  backend.server.cli("bgrewriteaof");
  const isRewritten = () => !/aof_rewrite_(?:in_progress|scheduled):1/.test(backend.server.cli("info", "persistence"));
  await until(async () => isRewritten(), "the rewriting");
  await backend.server.kill();
  const slowly = ["--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024"];
  backend.server = await backend.server.restart(...slowly);
  return async () => {
    backend.server.cli("config", "set", "key-load-delay", "0");
    await until(async () => backend.server.cli("info", "persistence").includes("loading:0"), "the loading");
    backend.server.cli("eval", `for n = 1, ${FILLERS} do redis.call("DEL", "filler" .. n) end`, "0");
  };
});

const disconnecting = lasting<RedisBackend>(
  "connections killed again and again",
  "unavailable",
  async ({ server: { socket } }) => {
    const client = createClient({ socket: { path: socket, tls: false } }).on("error", () => {});
    await client.connect();
    const stop = again(() => client.sendCommand(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]));
    return async () => {
      await stop();
      client.destroy();
    };
  },
);

const locked = lasting<RedisBackend>("asks for a password (NOAUTH)", "unavailable", async ({ server }) => {
  const reset = ["client", "kill", "type", "normal", "skipme", "yes"];
  server.cli("config", "set", "requirepass", "s3cret");
  server.cli("--no-auth-warning", "-a", "s3cret", ...reset);
  return () => {
    server.cli("--no-auth-warning", "-a", "s3cret", "config", "set", "requirepass", "");
  };
});

const flushed = lasting<RedisBackend>("flushed (FLUSHALL)", "data-loss", async ({ server }) => {
  server.cli("flushall");
  return () => {};
});

const forgetful = lasting<RedisBackend>("forgets its scripts (NOSCRIPT)", "served", async ({ server }) => {
  const stop = again(async () => server.cli("script", "flush"));
  return stop;
});

const common: readonly Fault<RedisBackend>[] = [
  frozen("server"),
  outOfMemory,
  replica,
  misconfigured,
  disconnecting,
  locked,
  flushed,
];

export const redisWithAof: Scene<RedisBackend> = {
  name: "Redis with AOF",
  backend: () => start("Redis with AOF", "kill", "--appendonly", "yes", "--appendfsync", "always"),
  faults: [...common, forgetful, loading, killed("server", "unavailable")],
};

export const redisWithoutPersistence: Scene<RedisBackend> = {
  name: "Redis without persistence",
  backend: () => start("Redis without persistence", "nothing"),
  faults: [...common, killed("server", "data-loss")],
};
