import { writeSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { createSessions, SessionError } from "../../../src/index.ts";
import type { StoreAddress } from "../fault.ts";
import { openStore } from "../open-store.ts";
import { SECRET_KEY } from "./application.ts";

/* A process that writes to one session in each of several stores, without end; it tells what was acknowledged, at once. */

/** Comes from the parent as a message: a command line is read by everyone. */
export interface WriteOrder {
  readonly address: StoreAddress;
  readonly key: string;
}

/** Two values that are always equal. */
export interface Twins {
  count: number;
  twin: number;
}

process.once("message", (orders: readonly WriteOrder[]) => {
  for (const [index, order] of orders.entries()) void write(index, order);
});

async function write(index: number, { address, key }: WriteOrder): Promise<void> {
  const sessions = createSessions<Twins>({ store: await openStore(address), secretKey: SECRET_KEY });
  for (;;) {
    // SQLite never waits for anything, and would leave the others no turn.
    await setImmediate();
    try {
      const count = await sessions.transact(key, (session) => {
        const next = session.get("count", 0) + 1;
        session.update({ count: next, twin: next });
        return next;
      });
      writeSync(1, `${index}:${count};`);
    } catch (error) {
      // The one before was killed with the lock in its hand, for example.
      if (!(error instanceof SessionError && error.status === 503)) throw error;
    }
  }
}
