import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createSessions } from "../../../src/index.ts";
import { until } from "../../support/servers/server.ts";
import type { Backend, StoreAddress } from "../fault.ts";
import { openStore } from "../open-store.ts";
import { SECRET_KEY } from "./application.ts";
import type { Twins, WriteOrder } from "./write-sessions.ts";

const MAX_WAIT_MS = 40;

/**
 * A process that writes is killed in the middle of it, again and again. Each time, every store has a whole session: what
 * was acknowledged last, or the one write after it that nobody heard of.
 */
export async function survivesKills(stores: readonly (StoreAddress & Pick<Backend, "name">)[], kills: number) {
  const places = await Promise.all(
    stores.map(async ({ name, url, cache }) => {
      const address = { url, cache };
      // Past the cache: what a killed process could not remove from it may be read for as long as `maxAge` says.
      const store = await openStore({ url });
      const sessions = createSessions<Twins>({ store, secretKey: SECRET_KEY });
      const requestSession = sessions.open(null);
      const session = await requestSession.session();
      session.update({ count: 0, twin: 0 });
      await session.save();
      return { name, store, sessions, order: { address, key: session.key! } };
    }),
  );
  try {
    for (let kill = 0; kill < kills; kill++) {
      const acknowledged = await killWriter(places.map(({ order }) => order));
      for (const [index, { name, sessions, order }] of places.entries()) {
        const { count, twin } = await currently(sessions, order.key);
        const told = `${name}: ${count} and ${twin} after ${acknowledged[index]}`;
        assert.equal(count, twin, told);
        assert.ok(count === acknowledged[index] || count === acknowledged[index]! + 1, told);
      }
    }
  } finally {
    await Promise.all(places.map(({ store }) => store.close()));
  }
}

/** What the writer was told last of each store. */
async function killWriter(orders: readonly WriteOrder[]): Promise<number[]> {
  const child = fork(fileURLToPath(new URL("./write-sessions.js", import.meta.url)), {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const last = new Map<number, number>();
  let rest = "";
  child.stdout!.on("data", (text) => {
    const told = `${rest}${text}`.split(";");
    rest = told.pop()!;
    for (const [index, count] of told.map((each) => each.split(":").map(Number))) last.set(index!, count!);
  });
  child.send(orders);
  try {
    await until(async () => last.size === orders.length, "the writer");
    await sleep(Math.random() * MAX_WAIT_MS);
  } finally {
    child.kill("SIGKILL");
    await once(child, "close");
  }
  return orders.map((_, index) => last.get(index)!);
}

async function currently(sessions: ReturnType<typeof createSessions<Twins>>, key: string): Promise<Twins> {
  // A lock that the killed one held is waited for, or taken from it.
  let found: Twins | undefined;
  await until(async () => {
    found = await sessions.transact(key, (session) => session.toJSON() as Twins);
    return true;
  }, "the session");
  return found!;
}
