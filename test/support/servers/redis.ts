import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { accepts, freePort, type Server, startServer, temporaryDirectory, until } from "./server.ts";

export interface RedisServer extends Server {
  readonly port: number;
  readonly socket: string;
  /** Where its files are. */
  readonly directory: string;
  /** What the server answers to a command of redis-cli. */
  cli(...command: string[]): string;
  /**
   * Starts it again where it was after `kill`: empty, or with what its settings keep.
   *
   * @param more settings that it has this time
   */
  restart(...more: string[]): Promise<RedisServer>;
}

/** @param settings as on the command line of redis-server */
export async function startRedis(...settings: string[]): Promise<RedisServer> {
  return start(await freePort(), temporaryDirectory(), settings);
}

async function start(
  port: number,
  directory: string,
  settings: readonly string[],
  more: readonly string[] = [],
): Promise<RedisServer> {
  const socket = join(directory, "redis.sock");
  const server = startServer("redis-server", [
    ...["--port", `${port}`, "--bind", "127.0.0.1", "--unixsocket", socket, "--dir", directory],
    ...["--save", "", "--appendonly", "no", ...settings, ...more],
  ]);
  const cli = (...command: string[]) =>
    execFileSync("redis-cli", ["-s", socket, ...command], { encoding: "utf8", stdio: "pipe" }).trim();
  await until(() => accepts({ path: socket }), "redis-server", server);
  return {
    ...server,
    port,
    socket,
    directory,
    cli,
    restart: (...more) => start(port, directory, settings, more),
  };
}

/** Three primaries and a replica of each. */
export async function startRedisCluster(...settings: string[]): Promise<RedisServer[]> {
  const cluster = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0"];
  const nodes = await Promise.all(Array.from({ length: 6 }, () => startRedis(...cluster, ...settings)));
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
  const create = ["--cluster", "create", ...addresses, "--cluster-replicas", "1", "--cluster-yes"];
  execFileSync("redis-cli", create, { stdio: "pipe" });
  const knowsAll = (node: RedisServer) =>
    /cluster_state:ok.*cluster_known_nodes:6/s.test(node.cli("cluster", "info")) &&
    node.cli("cluster", "nodes").match(/slave /g)?.length === 3;
  await until(async () => nodes.every(knowsAll), "the cluster");
  return nodes;
}

export interface RedisSentinels {
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  readonly ports: readonly number[];
  readonly sentinels: readonly Server[];
  /** The port of the primary as the sentinels see it. */
  primaryPort(): number;
}

/**
 * A primary that is called "main", its replica, and three sentinels which agree on a failover after half a second.
 *
 * @param password of primary and replica
 * @param sentinelPassword of the sentinels
 */
export async function startRedisSentinels(password: string, sentinelPassword: string): Promise<RedisSentinels> {
  const login = ["--requirepass", password, "--masterauth", password, "--repl-diskless-sync-delay", "0"];
  const primary = await startRedis(...login);
  const replica = await startRedis(...login, "--replicaof", `127.0.0.1 ${primary.port}`);
  const directory = temporaryDirectory();
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  const sentinels = ports.map((port) => {
    const file = join(directory, `${port}.conf`);
    writeFileSync(
      file,
      [
        `port ${port}`,
        "bind 127.0.0.1",
        `dir ${directory}`,
        `sentinel monitor main 127.0.0.1 ${primary.port} 2`,
        `sentinel auth-pass main "${password}"`,
        `requirepass "${sentinelPassword}"`,
        `sentinel sentinel-pass "${sentinelPassword}"`,
        "sentinel down-after-milliseconds main 500",
        "sentinel failover-timeout main 3000",
      ].join("\n"),
    );
    return startServer("redis-server", [file, "--sentinel"]);
  });
  const ask = (port: number, ...command: string[]) =>
    execFileSync("redis-cli", ["-p", `${port}`, "-a", sentinelPassword, ...command], {
      encoding: "utf8",
      stdio: "pipe",
    });
  const isReady = (port: number) => /status=ok,.*slaves=1,sentinels=3/.test(ask(port, "info", "sentinel"));
  await until(async () => ports.every(isReady), "the sentinels");
  const primaryPort = () => Number(ask(ports[0]!, "sentinel", "get-master-addr-by-name", "main").split("\n")[1]);
  return { primary, replica, ports, sentinels, primaryPort };
}
