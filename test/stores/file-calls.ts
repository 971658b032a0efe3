import { AsyncLocalStorage } from "node:async_hooks";
import fs from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import type { FileStoreOptions } from "../../src/stores/file/store.ts";

/*
 * The file store, with every call it makes to the file system announced: so that a test can fail or hold up any one of
 * them, while others in the same process go on.
 */

/** Told a call's name and first parameter; may hold it up, or throw. */
export type Interference = (name: string, path: unknown) => Promise<void> | void;

/** Makes the call by `run`, or not, and gives its results: those of a call with a callback as a list. */
export type Passing = (name: string, path: unknown, run: () => Promise<unknown>) => Promise<unknown>;

const passing = new AsyncLocalStorage<Passing>();

for (const name of ["open", "read", "write", "futimes", "fsync"] as const) {
  const original = fs[name] as (...parameters: unknown[]) => void;
  function announced(...parameters: unknown[]): void {
    const callback = parameters.pop() as (...results: unknown[]) => void;
    const run = () =>
      new Promise<unknown[]>((resolve, reject) => {
        original(...parameters, (error: unknown, ...results: unknown[]) => (error ? reject(error) : resolve(results)));
      });
    pass(name, parameters[0], run).then((results) => callback(null, ...[results].flat()), callback);
  }
  // `promisify` finds there what to make of several results.
  Object.assign(fs, { [name]: Object.defineProperties(announced, Object.getOwnPropertyDescriptors(original)) });
}
for (const name of [
  "access",
  "stat",
  "lstat",
  "mkdir",
  "readdir",
  "opendir",
  "rename",
  "link",
  "rm",
  "rmdir",
  "unlink",
] as const) {
  const original = promises[name] as (...parameters: unknown[]) => Promise<unknown>;
  const announced = (...parameters: unknown[]) => pass(name, parameters[0], () => original(...parameters));
  Object.assign(promises, { [name]: announced });
}
syncBuiltinESMExports();

async function pass(name: string, path: unknown, run: () => Promise<unknown>): Promise<unknown> {
  const passed = passing.getStore();
  return passed ? passed(name, path, run) : run();
}

/** Runs an operation while all its calls are announced. */
export function interfering<T>(interfere: Interference, operation: () => Promise<T>): Promise<T> {
  return passingThrough(async (name, path, run) => {
    await interfere(name, path);
    return run();
  }, operation);
}

/** Runs an operation all of whose calls are made by `pass`. */
export function passingThrough<T>(pass: Passing, operation: () => Promise<T>): Promise<T> {
  return passing.run(pass, operation);
}

/** As the file system throws them, with the path in message and property. */
export function systemError(code: string, name: string, path: unknown): Error {
  const messages: Record<string, string> = { ENOSPC: "no space left on device", EROFS: "read-only file system" };
  const message = `${code}: ${messages[code] ?? "some fault"}, ${name} '${path}'`;
  return Object.assign(new Error(message), { errno: -5, code, syscall: name, path });
}

// Loaded only now, for it takes hold of the functions it calls.
const { fileStore } = (await import("../../src/stores/file/store.ts")) as {
  fileStore(directory: string, options?: FileStoreOptions): import("../../src/core/contracts.ts").SessionStore;
};

export { fileStore };
