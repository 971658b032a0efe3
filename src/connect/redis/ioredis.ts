import { type IoRedisClient, type RedisCommand, redisCommand } from "../../stores/redis/client.ts";
import type { ConnectSettings } from "../connected-store.ts";
import { loadDriver } from "../driver.ts";
import { isAnswerTo, outOfStep, type RedisConnection, retryDelay } from "./connection.ts";
import type { RedisLocation } from "./location.ts";

type Client = IoRedisClient & {
  on(event: string, listener: (error: Error) => void): unknown;
  disconnect(reconnect?: boolean): void;
};

export async function openIoRedis(location: RedisLocation, settings: ConnectSettings): Promise<RedisConnection> {
  const client = await makeClient(location, settings);
  let failure: Error | undefined;
  const tried = new Promise<void>((resolve) => {
    for (const event of ["error", "node error"]) {
      client.on(event, (error) => {
        // A cluster's own error only says that no node helped.
        failure = "lastNodeError" in error ? (failure ?? error) : error;
        resolve();
      });
    }
    client.on("ready", () => {
      failure = undefined;
      resolve();
    });
  });
  const send = redisCommand(client);
  let connections = 0;
  const command: RedisCommand = async (key, parts) => {
    const connection = connections;
    const answer = await send(key, parts).catch((error) => {
      // Its own words are of its options.
      throw /enableOfflineQueue/.test(error.message) ? new Error("the connection is closed") : error;
    });
    // Another command may have noticed a moment ago.
    if (connection !== connections) throw outOfStep();
    if (isAnswerTo(parts, answer)) return answer;
    connections++;
    client.disconnect(true);
    throw outOfStep();
  };
  return {
    command,
    tried,
    failure: () => failure,
    doubt: () => {},
    close: () => client.disconnect(),
  };
}

async function makeClient({ kind, ...location }: RedisLocation, settings: ConnectSettings): Promise<Client> {
  const { Redis, Cluster } = await loadDriver("ioredis", () => import("ioredis"));
  const { addresses, path, database, login, sentinelLogin, tls } = location;
  const options = {
    ...login,
    ...(tls && { tls }),
    connectTimeout: settings.connectTimeoutMs,
    // When so long nothing has come of what is awaited, the connection is given up.
    socketTimeout: 3 * settings.operationTimeoutMs,
    reconnectOnError: ({ message }: Error) => /\bREADONLY\b/.test(message),
    retryStrategy: retryDelay,
    enableOfflineQueue: false,
    // Takes one more right, +info. Behind sentinels it is needed, to see that the primary still is one.
    enableReadyCheck: kind === "sentinel",
    // What was on its way when the connection broke fails; it is not sent again.
    maxRetriesPerRequest: 0,
  };
  switch (kind) {
    case "cluster":
      return new Cluster(addresses, {
        redisOptions: options,
        enableOfflineQueue: false,
        // Takes +cluster|info, and waits for ever without.
        enableReadyCheck: false,
        clusterRetryStrategy: retryDelay,
        // A command whose connection broke is not sent again: it may have been done. No other option keeps a cluster from it.
        retryDelayOnFailover: 0,
        // Each 100 ms after the other: nothing is sent again after its deadline.
        maxRedirections: 4,
        // A certificate is for a name; ioredis would look the address up, and check that.
        ...(tls && { dnsLookup: (host, found) => found(null, host) }),
      });
    case "sentinel":
      return new Redis({
        ...options,
        db: database,
        sentinels: addresses,
        name: path,
        ...(sentinelLogin.username && { sentinelUsername: sentinelLogin.username }),
        ...(sentinelLogin.password && { sentinelPassword: sentinelLogin.password }),
        sentinelRetryStrategy: retryDelay,
        ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: tls }),
      });
    case "socket":
      return new Redis({ ...options, db: database, path });
    case "server":
      return new Redis({ ...options, db: database, ...addresses[0] });
  }
}
