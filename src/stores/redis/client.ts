import { SessionError } from "../../core/errors.ts";

type Command = (string | Buffer)[];

/** What the store needs of ioredis or iovalkey: a `Redis` or a `Cluster`. */
export interface IoRedisClient {
  getBuffer(key: string): Promise<Buffer | null>;
  call(command: string, args: Command): Promise<unknown>;
  readonly options?: object;
}

/** node-redis decodes each reply as the caller of the command wishes. */
export interface NodeRedisOptions {
  readonly typeMapping: { readonly [type: number]: typeof Buffer };
}

/** What the store needs of node-redis' `createClient` or `createClientPool`. */
export interface NodeRedisClient {
  sendCommand(command: Command, options?: NodeRedisOptions): Promise<unknown>;
}

/** … of its `createSentinel` … */
export interface NodeRedisSentinel {
  sendCommand(isReadonly: boolean, command: Command, options?: NodeRedisOptions): Promise<unknown>;
  getSentinelNode(): unknown;
}

/** … and of its `createCluster`. */
export interface NodeRedisCluster {
  sendCommand(firstKey: string, isReadonly: boolean, command: Command, options?: NodeRedisOptions): Promise<unknown>;
  readonly masters: readonly unknown[];
}

/** Described rather than imported: node-redis 5 or later, ioredis 5 or later, iovalkey. */
export type RedisClient = IoRedisClient | NodeRedisClient | NodeRedisSentinel | NodeRedisCluster;

/** Sends a command with its one key to the key's primary. What `get` gives is bytes. */
export type RedisCommand = (key: string, command: Command) => Promise<unknown>;

/** Replicas lag behind: who writes what a replica gave undoes what others wrote since. */
const FROM_PRIMARY = false;

export function redisCommand(client: RedisClient): RedisCommand {
  if ("getBuffer" in client) {
    const { scaleReads = "master" } = (client.options ?? {}) as { scaleReads?: unknown };
    if (scaleReads !== "master") {
      throw new SessionError(
        "ERR_CONFIG",
        "redisStore: sessions must be read from the primary, and this ioredis Cluster reads from replicas (scaleReads). Give the store a Cluster of its own.",
      );
    }
    // Not callBuffer: with enableAutoPipelining it takes the process down (ioredis 6.0).
    return (key, [name, ...args]) => (name === "get" ? client.getBuffer(key) : client.call(String(name), args));
  }
  if ("masters" in client) {
    return (key, command) => client.sendCommand(key, FROM_PRIMARY, command, optionsOf(command));
  }
  if ("getSentinelNode" in client) {
    return (_key, command) => client.sendCommand(FROM_PRIMARY, command, optionsOf(command));
  }
  if (typeof client.sendCommand === "function") {
    return (_key, command) => client.sendCommand(command, optionsOf(command));
  }
  throw new SessionError("ERR_CONFIG", "redisStore needs a client of node-redis, ioredis or iovalkey.");
}

/** RESP's sign of a string that the database holds is `$`, 36 in ASCII. */
const BYTES: NodeRedisOptions = { typeMapping: { 36: Buffer } };

/** Options cost 2 µs, so only where they are needed. */
function optionsOf([name]: Command): NodeRedisOptions | undefined {
  return name === "get" ? BYTES : undefined;
}
