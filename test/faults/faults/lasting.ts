import { setTimeout as sleep } from "node:timers/promises";
import type { Backend, Fault, FaultEffect } from "../fault.ts";

/** A fault whose beginning says how it ends. */
export function lasting<B extends Backend>(
  name: string,
  effect: FaultEffect,
  begin: (backend: B) => Promise<() => unknown>,
): Fault<B> {
  const ends = new Map<B, () => unknown>();
  return {
    name,
    effect,
    async begin(backend) {
      ends.set(backend, await begin(backend));
    },
    async end(backend) {
      await ends.get(backend)!();
    },
  };
}

const PAUSE_MS = 10;

/** Does something again and again, until it is told to stop. What fails is done again too. */
export function again(run: () => Promise<unknown>): () => Promise<void> {
  let isOver = false;
  async function loop(): Promise<void> {
    for (; !isOver; await sleep(PAUSE_MS)) await run().catch(() => {});
  }
  const done = loop();
  return () => {
    isOver = true;
    return done;
  };
}
