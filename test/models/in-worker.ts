import { once } from "node:events";
import { Worker, workerData } from "node:worker_threads";

/**
 * Runs a module of `children/` in a thread of its own, and rejects with what it throws. Thousands of sequences of small
 * steps take six times as long in a test: node:test follows every promise with async_hooks.
 */
export async function inWorker(module: string, data: unknown): Promise<void> {
  const worker = new Worker(new URL(`./children/${module}.js`, import.meta.url), { workerData: data });
  await once(worker, "exit");
}

/** For the module: what it was given. */
export function given<T>(): T {
  return workerData as T;
}
