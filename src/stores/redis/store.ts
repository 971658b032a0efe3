import { createHash } from "node:crypto";
import { assertBatchSize } from "../../core/batch-size.ts";
import type { Payload, SessionStore } from "../../core/contracts.ts";
import { SessionError } from "../../core/errors.ts";
import { type RedisClient, type RedisCommand, redisCommand } from "./client.ts";
import { explained, redisFault } from "./fault.ts";

export interface RedisStoreOptions {
  /** What stands before the session key in the name of the Redis key. Default `"session:"`. */
  readonly prefix?: string | undefined;
  /** The clock. For tests. */
  readonly now?: (() => Date) | undefined;
}

const UPDATE_EXPECTED = script(`
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
redis.call("SET", KEYS[1], ARGV[2], "PX", ARGV[3])
return 1`);

const DELETE_EXPECTED = script(`
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call("DEL", KEYS[1])`);

/**
 * Keeps each payload, and nothing else, under a Redis key that expires by itself. For Redis 6 or later, Valkey, and
 * whatever understands their commands; a Cluster too. The client is the caller's: it is neither connected nor closed,
 * and it decides how long an operation waits for a server that does not answer.
 *
 * The user of the client needs these rights and no more, but for `+cluster|slots` in a cluster; ioredis asks for `+info`
 * too, in a cluster for `+cluster|info`, unless its `enableReadyCheck` is off:
 * `ACL SETUSER sojourn on >password ~session:* +get +set +del +eval +evalsha`.
 *
 * Throws `ERR_CONFIG` for a client that it does not know, or that reads from replicas.
 *
 * @param client node-redis' client, pool, cluster or sentinel; ioredis' or iovalkey's `Redis` or `Cluster`
 * @param options `prefix`; the layout of django-redis-sessions is the prefix `"<its prefix>:"`, or `""` without one
 * @example
 * const client = createClient({ url: "redis://localhost:6379" });
 * client.on("error", console.error);
 * await client.connect();
 * const sessions = createSessions({ secretKey, store: redisStore(client) });
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): SessionStore {
  const explain = (error: unknown, key: string) => redisFault(error, key, "Redis");
  return redisRecords(explained(redisCommand(client), explain), options);
}

/** The store, over whatever sends its commands. */
export function redisRecords(command: RedisCommand, options: RedisStoreOptions): SessionStore {
  const { prefix = "session:", now = () => new Date() } = options;

  async function succeeds(name: string, parts: (string | Buffer)[]): Promise<boolean> {
    const count = String(await command(name, parts));
    return /^\d+$/.test(count) ? count !== "0" : strange();
  }

  async function sets(name: string, payload: Payload, ttl: number, condition: "NX" | "XX"): Promise<boolean> {
    const reply = await command(name, ["set", name, argument(payload), "PX", String(ttl), condition]);
    if (reply === null) return false;
    return String(reply) === "OK" || strange();
  }

  async function run({ text, sha }: Script, name: string, ...args: (string | Buffer)[]): Promise<boolean> {
    const rest = ["1", name, ...args];
    try {
      return await succeeds(name, ["evalsha", sha, ...rest]);
    } catch (error) {
      // After a restart, a failover or SCRIPT FLUSH.
      if (!/\bNOSCRIPT\b/.test((error as Error).message)) throw error;
      return succeeds(name, ["eval", text, ...rest]);
    }
  }

  async function remove(name: string, expected?: Payload): Promise<boolean> {
    return expected === undefined ? succeeds(name, ["del", name]) : run(DELETE_EXPECTED, name, argument(expected));
  }

  return {
    async load(key) {
      const payload = await command(prefix + key, ["get", prefix + key]);
      if (payload === null) return null;
      if (payload instanceof Uint8Array) return { payload };
      if (typeof payload !== "string") return strange();
      throw new SessionError("ERR_CONFIG", "redisStore: the client gives text for bytes. Use node-redis 5 or later.");
    },
    async create(key, { payload, expiresAt }) {
      const name = prefix + key;
      const ttl = expiresAt.getTime() - now().getTime();
      // Redis refuses a time to live of 0, and a record without one would stay for ever.
      if (ttl <= 0) return (await command(name, ["get", name])) === null;
      return sets(name, payload, ttl, "NX");
    },
    async update(key, { payload, expiresAt }, expected) {
      const name = prefix + key;
      const ttl = expiresAt.getTime() - now().getTime();
      if (ttl <= 0) return remove(name, expected);
      if (expected !== undefined) {
        return run(UPDATE_EXPECTED, name, argument(expected), argument(payload), String(ttl));
      }
      return sets(name, payload, ttl, "XX");
    },
    delete: (key, expected) => remove(prefix + key, expected),
    async deleteExpired({ batchSize } = {}) {
      assertBatchSize(batchSize);
      return 0;
    },
  };
}

/** Taken for a refusal, it would have a change made again that was made already. */
function strange(): never {
  throw new SessionError("ERR_SESSION_UNAVAILABLE", "Redis gave an answer that is none to what it was asked.");
}

/** Drivers know no bytes but Buffer's. */
function argument(payload: Payload): string | Buffer {
  if (typeof payload === "string" || Buffer.isBuffer(payload)) return payload;
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
}

interface Script {
  readonly text: string;
  readonly sha: string;
}

function script(text: string): Script {
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}
