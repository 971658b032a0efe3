import { setTimeout as sleep } from "node:timers/promises";
import { type RedisClient, type RedisCommand, redisCommand } from "../../stores/redis/client.ts";
import type { ConnectSettings } from "../connected-store.ts";
import { loadDriver } from "../driver.ts";
import { establishingMs, isAnswerTo, outOfStep, type RedisConnection, retryDelay } from "./connection.ts";
import type { RedisLocation } from "./location.ts";

interface Destroyable {
  destroy(): unknown;
}

type Client = RedisClient &
  Destroyable & {
    on(event: string, listener: (error: Error) => void): unknown;
    connect(): Promise<unknown>;
    /** A cluster's nodes. */
    readonly masters?: readonly { readonly client?: Destroyable | undefined }[];
  };

/** The least time between two new clients. */
const RENEWAL_MS = 2000;

/** How long a client that was replaced may finish what it was sent. */
const FAREWELL_MS = 1000;

/**
 * node-redis connects again when a connection breaks. But it does not notice one that is silent (`socketTimeout` ends
 * idle connections and spares those that are written to), and its cluster waits for ever for a node that is down when it
 * is discovered. So a client in doubt is replaced as soon as a new one has connected.
 */
export async function openNodeRedis(location: RedisLocation, settings: ConnectSettings): Promise<RedisConnection> {
  const driver = await loadDriver("redis", () => import("redis"));
  const clients = new Set<Client>();
  let current: { client: Client; command: RedisCommand } | undefined;
  let failure: Error | undefined;
  let isEstablishing = false;
  let isClosed = false;
  let renewable = 0;
  let resolveTried: () => void;
  const tried = new Promise<void>((resolve) => {
    resolveTried = resolve;
  });

  function failed(error: Error): void {
    failure = error;
    resolveTried();
  }

  function make(): Client {
    const client = makeClient(driver, location, settings);
    clients.add(client);
    // Without a listener, "error" ends the process. A cluster tells of its nodes.
    for (const event of ["error", "node-error"]) {
      client.on(event, (error) => {
        if (!clients.has(client)) return;
        failed(error);
        if (isDerailed(error)) drop(client);
      });
    }
    for (const event of ["ready", "node-ready"]) {
      client.on(event, () => {
        if (clients.has(client)) failure = undefined;
      });
    }
    return client;
  }

  // One connection is one step; a cluster, and sentinels, have to be asked first where to connect to.
  const isDirect = location.kind === "server" || location.kind === "socket";
  const patienceMs = isDirect ? settings.connectTimeoutMs : establishingMs(settings);

  async function establish(): Promise<void> {
    for (let attempt = 0; !isClosed; attempt++) {
      const client = make();
      // A cluster would wait for this node.
      const broken = new Promise((_resolve, reject) => client.on("node-error", reject));
      try {
        await Promise.race([client.connect(), broken, stuck(patienceMs)]);
      } catch (error) {
        failed(failure ?? (error as Error));
        void end(client);
        await sleep(retryDelay(attempt), undefined, { ref: false });
        continue;
      }
      if (current) setTimeout(end, FAREWELL_MS, current.client).unref();
      current = { client, command: redisCommand(client) };
      failure = undefined;
      renewable = performance.now() + RENEWAL_MS;
      return resolveTried();
    }
  }

  async function renew(): Promise<void> {
    if (isEstablishing || performance.now() < renewable) return;
    isEstablishing = true;
    await establish();
    isEstablishing = false;
  }

  async function end(client: Client): Promise<void> {
    clients.delete(client);
    const all = [client, ...(client.masters ?? []).flatMap((node) => node.client ?? [])];
    // Once more when it has connected: node-redis overlooks a socket that is just about to (6.3).
    setTimeout(destroy, settings.connectTimeoutMs, all).unref();
    await destroy(all);
  }

  function drop(client: Client): void {
    if (current?.client === client) current = undefined;
    void end(client);
    renewable = 0;
    void renew();
  }

  const command: RedisCommand = async (key, parts) => {
    if (!current) throw new Error("not connected yet");
    const { client, command: send } = current;
    const answer = await send(key, parts);
    if (!isAnswerTo(parts, answer)) drop(client);
    // Another command may have noticed a moment ago.
    if (!clients.has(client)) throw outOfStep();
    return answer;
  };

  void renew();
  return {
    command,
    tried,
    failure: () => failure,
    doubt: () => void renew(),
    async close() {
      isClosed = true;
      await Promise.all([...clients].map(end));
    },
  };
}

async function stuck(ms: number): Promise<never> {
  await sleep(ms, undefined, { ref: false });
  throw new Error(`no connection within ${ms} ms`);
}

/**
 * Whether it has met bytes that are no RESP. node-redis (6.3) reads on after them, one reply short or one too far, and
 * tells them from other errors by the text only.
 */
function isDerailed({ message }: Error): boolean {
  return /\bUnknown RESP type\b/.test(message);
}

function destroy(all: readonly Destroyable[]): Promise<unknown> {
  // One that is not open throws.
  return Promise.allSettled(all.map(async (each) => each.destroy()));
}

function makeClient(
  driver: typeof import("redis"),
  { kind, ...location }: RedisLocation,
  { connectTimeoutMs }: ConnectSettings,
): Client {
  const { addresses, path, database, login, sentinelLogin, tls } = location;
  const connecting = { connectTimeout: connectTimeoutMs, reconnectStrategy: retryDelay };
  const socket = tls ? { ...connecting, ...tls, tls: true as const } : connecting;
  const options = {
    socket,
    disableOfflineQueue: true,
    // Does not cover a command that was sent, and makes each five times as expensive.
    commandOptions: { timeout: 0 },
    maintNotifications: "disabled" as const,
  };
  switch (kind) {
    case "cluster":
      return driver.createCluster({
        rootNodes: addresses.map((address) => ({ socket: address })),
        defaults: { ...options, ...login },
        commandOptions: options.commandOptions,
        topologyRefreshOnReconnectionAttemptStrategy: 500,
      });
    case "sentinel":
      return driver.createSentinel({
        name: path,
        sentinelRootNodes: addresses,
        nodeClientOptions: { ...options, ...login, database },
        sentinelClientOptions: { ...options, ...sentinelLogin },
        commandOptions: options.commandOptions,
        // What failed is not sent again, and no operation waits until there is a primary.
        maxCommandRediscovers: 0,
      });
    case "socket":
      return driver.createClient({ ...options, ...login, database, socket: { ...connecting, path } });
    case "server":
      return driver.createClient({ ...options, ...login, database, socket: { ...socket, ...addresses[0]! } });
  }
}
