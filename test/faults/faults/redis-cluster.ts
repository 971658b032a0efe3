import { execFileSync } from "node:child_process";
import { type RedisServer, startRedisCluster } from "../../support/servers/redis.ts";
import { until } from "../../support/servers/server.ts";
import type { Backend, Scene } from "../fault.ts";
import { openStore } from "../open-store.ts";
import { lasting } from "./lasting.ts";

interface ClusterBackend extends Backend {
  /** Three primaries and their replicas. */
  readonly server: RedisServer[];
}

async function start(): Promise<ClusterBackend> {
  const server = await startRedisCluster();
  const backend: ClusterBackend = {
    name: redisCluster.name,
    // What the replica has not heard of is lost with its primary.
    durability: "nothing",
    server,
    proxy: undefined,
    url: `redis+cluster://${server.map(({ port }) => `127.0.0.1:${port}`).join(",")}`,
    open: () => openStore(backend),
    async close() {
      for (const node of backend.server) await node.kill();
    },
  };
  return backend;
}

const isAlive = ({ process }: RedisServer) => process.exitCode === null && process.signalCode === null;

function primaries({ server }: ClusterBackend): RedisServer[] {
  return server.filter(isAlive).filter((node) => node.cli("role").startsWith("master"));
}

/** The primary with the most sessions: it hurts for certain. */
function fullest(backend: ClusterBackend): RedisServer {
  const size = (node: RedisServer) => Number(node.cli("dbsize"));
  return primaries(backend).sort((one, other) => size(other) - size(one))[0]!;
}

/** Starts what is dead, and waits until each primary has its replica. */
async function repair(backend: ClusterBackend): Promise<void> {
  for (const [index, node] of backend.server.entries()) {
    if (!isAlive(node)) backend.server[index] = await node.restart();
  }
  await isServing(backend);
  const isWhole = async () => primaries(backend).every((node) => node.cli("wait", "1", "100") !== "0");
  await until(isWhole, "the replicas");
}

async function isServing({ server }: ClusterBackend): Promise<void> {
  const alive = server.filter(isAlive);
  await until(async () => alive.every((node) => node.cli("cluster", "info").includes("state:ok")), "the cluster");
}

const lost = lasting<ClusterBackend>("primary killed: failover", "data-loss", async (backend) => {
  await repair(backend);
  const count = primaries(backend).length;
  await fullest(backend).kill();
  return async () => {
    await until(async () => primaries(backend).length === count, "the failover");
    await isServing(backend);
  };
});

/** Sends commands to a node, one a line; one process for all of them. */
function tell({ socket }: RedisServer, commands: readonly string[]): string[] {
  const input = `${commands.join("\n")}\n`;
  return execFileSync("redis-cli", ["-s", socket], { encoding: "utf8", input, maxBuffer: 1 << 26 }).split("\n");
}

const MOST_SLOTS = 200;

/** Slots that hold sessions are half moved all the time (ASK), and then moved (MOVED). */
const moving = lasting<ClusterBackend>("slots move to another node", "served", async (backend) => {
  await repair(backend);
  const from = fullest(backend);
  const to = primaries(backend).find((node) => node !== from)!;
  const [fromId, toId] = [from.cli("cluster", "myid"), to.cli("cluster", "myid")];
  const keys = from.cli("--scan").split("\n").slice(0, MOST_SLOTS);
  const slots = [
    ...new Set(
      tell(
        from,
        keys.map((key) => `cluster keyslot ${key}`),
      ).filter(Boolean),
    ),
  ];
  tell(
    to,
    slots.map((slot) => `cluster setslot ${slot} importing ${fromId}`),
  );
  tell(
    from,
    slots.map((slot) => `cluster setslot ${slot} migrating ${toId}`),
  );
  const migrate = (names: readonly string[]) =>
    tell(
      from,
      names.map((key) => `migrate 127.0.0.1 ${to.port} ${key} 0 1000`),
    );
  migrate(keys.filter((_, index) => index % 2 === 0));
  return () => {
    const left = tell(
      from,
      slots.map((slot) => `cluster getkeysinslot ${slot} 1000`),
    ).filter(Boolean);
    migrate(left);
    for (const node of [to, from])
      tell(
        node,
        slots.map((slot) => `cluster setslot ${slot} node ${toId}`),
      );
  };
});

/** Planned: primary and replica change places, and nothing is lost. */
const swapped = lasting<ClusterBackend>("primary and replica change places", "served", async (backend) => {
  await repair(backend);
  const port = fullest(backend).port;
  const replica = backend.server.find((node) => node.cli("role").split("\n")[2] === `${port}`)!;
  replica.cli("cluster", "failover");
  return () => until(async () => replica.cli("role").startsWith("master"), "the failover");
});

export const redisCluster: Scene<ClusterBackend> = {
  name: "Redis Cluster",
  backend: start,
  faults: [moving, swapped, lost],
};
