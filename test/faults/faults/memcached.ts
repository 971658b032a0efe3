import { once } from "node:events";
import { connect } from "node:net";
import { type MemcachedClient, memcachedClient } from "../../../src/stores/memcached/client.ts";
import { type Memcached, startMemcached } from "../../support/servers/memcached.ts";
import type { Backend, Scene } from "../fault.ts";
import { openStore } from "../open-store.ts";
import { type FaultProxy, startProxy } from "../proxy.ts";
import { lasting } from "./lasting.ts";
import { frozen, killed } from "./server-faults.ts";

export interface MemcachedBackend extends Backend {
  server: Memcached;
  readonly proxy: FaultProxy;
}

async function start(name: string, ...settings: string[]): Promise<MemcachedBackend> {
  const server = await startMemcached(settings);
  const proxy = await startProxy(() => server.port);
  const backend: MemcachedBackend = {
    name,
    durability: "nothing",
    server,
    proxy,
    url: `memcached://127.0.0.1:${proxy.port}`,
    open: () => openStore(backend),
    async close() {
      await proxy.close();
      await backend.server.kill();
    },
  };
  return backend;
}

/** Says it, and waits for an answer. */
export async function tellMemcached({ port }: Memcached, command: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(`${command}\r\n`);
  const [answer] = await once(socket, "data");
  socket.destroy();
  return String(answer);
}

/** memcached keeps values of similar size together, and each size has its share: all are filled, in each 3 MB. */
const FILLER_BYTES = [400, 5000, 40_000, 300_000];

/** As many as are taken, or as there are. Their names. */
async function fill(client: MemcachedClient): Promise<string[]> {
  const names: string[] = [];
  for (const size of FILLER_BYTES) {
    const value = Buffer.alloc(size);
    const count = Math.ceil((3 << 20) / size);
    for (let isTaken = true, n = 0; isTaken && n < count; n += 100) {
      const batch = Array.from({ length: Math.min(100, count) }, (_, index) => `filler${size}-${n + index}`);
      const results = await Promise.allSettled(
        batch.map((name) => client.set(name, value, { mode: "add", flags: 0, exptime: 0 })),
      );
      names.push(...batch.filter((_, index) => results[index]!.status === "fulfilled"));
      isTaken = results.every(({ status }) => status === "fulfilled");
    }
  }
  return names;
}

/** Also where memcached may not evict: what was there under a key is gone when there is no room for its new value. */
function full(name: string) {
  return lasting<MemcachedBackend>(name, "data-loss", async ({ server }) => {
    const client = memcachedClient({ port: server.port, timeoutMs: 10_000 });
    const names = await fill(client);
    return async () => {
      await Promise.all(names.map((each) => client.delete(each)));
      client.close();
    };
  });
}

const flushed = lasting<MemcachedBackend>("flushed (flush_all)", "data-loss", async ({ server }) => {
  await tellMemcached(server, "flush_all");
  return () => {};
});

export const memcached: Scene<MemcachedBackend> = {
  name: "memcached",
  backend: () => start("memcached", "-m", "2", "-f", "8"),
  faults: [frozen("server"), killed("server", "data-loss"), flushed, full("full, and evicts")],
};

export const memcachedWithoutEviction: Scene<MemcachedBackend> = {
  name: "memcached without eviction",
  backend: () => start("memcached without eviction", "-M", "-m", "2", "-f", "8"),
  faults: [full("full, and says so (SERVER_ERROR out of memory)")],
};
