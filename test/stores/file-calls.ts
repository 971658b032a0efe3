import { AsyncLocalStorage } from "node:async_hooks";
import fs from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import type { FileStoreOptions } from "../../src/stores/file/store.ts";

/*
 * The file store, with every call it makes to the file system announced: so that a test can fail or hold up any one of
 * them, while others in the same process go on.
 */

/** Told a call's name and first parameter; may hold it up, or throw. What it gives is called when the call is done. */
export type Interference = (name: string, path: unknown) => Promise<void> | void;

const interference = new AsyncLocalStorage<Interference>();

for (const name of ["open", "read", "write", "futimes", "fsync"] as const) {
  const original = fs[name] as (...parameters: unknown[]) => void;
  function announced(...parameters: unknown[]): void {
    const callback = parameters.pop() as (error: unknown) => void;
    announce(name, parameters[0]).then(() => original(...parameters, callback), callback);
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
  async function announced(...parameters: unknown[]): Promise<unknown> {
    await announce(name, parameters[0]);
    return original(...parameters);
  }
  Object.assign(promises, { [name]: announced });
}
syncBuiltinESMExports();

async function announce(name: string, path: unknown): Promise<void> {
  await interference.getStore()?.(name, path);
}

/** Runs an operation while all its calls are announced. */
export function interfering<T>(interfere: Interference, operation: () => Promise<T>): Promise<T> {
  return interference.run(interfere, operation);
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
