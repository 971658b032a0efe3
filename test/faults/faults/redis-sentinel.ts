import { execFileSync } from "node:child_process";
import { type RedisSentinels, type RedisServer, startRedisSentinels } from "../../support/servers/redis.ts";
import { until } from "../../support/servers/server.ts";
import type { Backend, Scene } from "../fault.ts";
import { openStore } from "../open-store.ts";
import { lasting } from "./lasting.ts";

const [PASSWORD, SENTINEL_PASSWORD] = ["p4ssword", "s3ntinels"];

interface SentinelBackend extends Backend {
  readonly server: RedisSentinels;
  /** Both: which of them is the primary, the sentinels say. */
  readonly nodes: RedisServer[];
}

async function start(): Promise<SentinelBackend> {
  const server = await startRedisSentinels(PASSWORD, SENTINEL_PASSWORD);
  const hosts = server.ports.map((port) => `127.0.0.1:${port}`).join(",");
  const backend: SentinelBackend = {
    name: redisWithSentinels.name,
    // What the replica has not heard of is lost with the primary.
    durability: "nothing",
    server,
    nodes: [server.primary, server.replica],
    proxy: undefined,
    url: `redis+sentinel://:${PASSWORD}@${hosts}/main?sentinelPassword=${SENTINEL_PASSWORD}`,
    open: () => openStore(backend),
    async close() {
      for (const each of [...server.sentinels, ...backend.nodes]) await each.kill();
    },
  };
  return backend;
}

const cli = (node: RedisServer, ...command: string[]) => node.cli("--no-auth-warning", "-a", PASSWORD, ...command);

function primary({ nodes, server }: SentinelBackend): RedisServer {
  return nodes.find(({ port }) => port === server.primaryPort())!;
}

/** Gives the primary its replica again, which a failover takes, and waits until the sentinels know of it. */
async function repair({ nodes, server: { ports, primaryPort } }: SentinelBackend): Promise<void> {
  for (const [index, node] of nodes.entries()) {
    if (node.process.exitCode === null && node.process.signalCode === null) continue;
    nodes[index] = await node.restart("--replicaof", `127.0.0.1 ${primaryPort()}`);
  }
  const ask = (port: number, what: string) =>
    execFileSync("redis-cli", ["-p", `${port}`, "-a", SENTINEL_PASSWORD, "sentinel", what, "main"], {
      encoding: "utf8",
      stdio: "pipe",
    });
  const isWhole = async () =>
    nodes.every((node) => cli(node, "role").startsWith(node.port === primaryPort() ? "master" : "slave")) &&
    nodes.every((node) => /master_link_status:up|connected_slaves:1/.test(cli(node, "info", "replication"))) &&
    ports.every((port) => !/s_down|disconnected|o_down/.test(ask(port, "replicas") + ask(port, "masters")));
  await until(isWhole, "the replica");
}

const lost = lasting<SentinelBackend>("primary killed: failover", "data-loss", async (backend) => {
  await repair(backend);
  const old = primary(backend);
  await old.kill();
  return () => until(async () => backend.server.primaryPort() !== old.port, "the failover");
});

/** It comes back, and takes itself for the primary until the sentinels have noticed. */
const split = lasting<SentinelBackend>("primary frozen: failover", "data-loss", async (backend) => {
  await repair(backend);
  const old = primary(backend);
  await old.freeze();
  return async () => {
    await until(async () => backend.server.primaryPort() !== old.port, "the failover");
    old.thaw();
  };
});

const unwatched = lasting<SentinelBackend>("all sentinels frozen", "served", async (backend) => {
  await repair(backend);
  const { sentinels } = backend.server;
  await Promise.all(sentinels.map((sentinel) => sentinel.freeze()));
  return () => {
    for (const sentinel of sentinels) sentinel.thaw();
  };
});

export const redisWithSentinels: Scene<SentinelBackend> = {
  name: "Redis with Sentinel",
  backend: start,
  faults: [unwatched, lost, split],
};
