import { setTimeout as sleep } from "node:timers/promises";
import { deadline } from "../core/deadline.ts";
import type { SessionError } from "../core/errors.ts";
import type { RedisCommand } from "../stores/redis/client.ts";
import { explained, redisFault } from "../stores/redis/fault.ts";
import { redisRecords } from "../stores/redis/store.ts";
import type { ConnectedStore, ConnectSettings } from "./connected-store.ts";
import { establishingMs, type RedisConnection } from "./redis/connection.ts";
import { openIoRedis } from "./redis/ioredis.ts";
import { type RedisLocation, redisLocation } from "./redis/location.ts";
import { openNodeRedis } from "./redis/node-redis.ts";

/** Commands that the driver holds at most: while a server is silent, they would fill the memory. */
const MAX_UNANSWERED = 10_000;

/**
 * With node-redis if it is installed, else with ioredis. Resolves whether the server is there or not; until it is,
 * operations fail at once.
 *
 * @param url as `connect` describes it
 */
export async function connectRedis(url: string, settings: ConnectSettings): Promise<ConnectedStore> {
  const location = redisLocation(url);
  const connection = await open(location, settings);
  await Promise.race([connection.tried, sleep(establishingMs(settings), undefined, { ref: false })]);

  function explain(error: unknown, key: string): SessionError {
    const { message, code } = error as NodeJS.ErrnoException;
    const isReply = /^[A-Z]{2,} /.test(message);
    // A primary that became a replica: its name may lead to the new one by now.
    if (!isReply || /\bREADONLY\b/.test(message)) connection.doubt();
    // Of a connection that is not there, the driver knows more than of the command.
    const reason = isReply || code === "ERR_TIMEOUT" ? error : (connection.failure() ?? error);
    return redisFault(reason, key, location.name);
  }

  return {
    ...redisRecords(explained(bounded(connection.command, settings), explain), settings),
    migrate: async () => false,
    close: async () => {
      await connection.close();
    },
  };
}

/** The command, failing when no answer comes in time, and at once when too many wait for theirs. */
function bounded(command: RedisCommand, { operationTimeoutMs }: ConnectSettings): RedisCommand {
  const inTime = deadline(operationTimeoutMs, "answer");
  let unanswered = 0;
  const counted: RedisCommand = async (key, parts) => {
    unanswered++;
    try {
      return await command(key, parts);
    } finally {
      unanswered--;
    }
  };
  return (key, parts) =>
    unanswered < MAX_UNANSWERED
      ? inTime(counted(key, parts))
      : Promise.reject(new Error(`no answer: ${MAX_UNANSWERED} commands wait for theirs`));
}

async function open(location: RedisLocation, settings: ConnectSettings): Promise<RedisConnection> {
  try {
    return await openNodeRedis(location, settings);
  } catch (error) {
    return openIoRedis(location, settings).catch(() => {
      throw error;
    });
  }
}
