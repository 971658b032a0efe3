import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { SessionError } from "../core/errors.ts";
import { fileStore } from "../stores/file/store.ts";
import type { ConnectedStore, ConnectOptions } from "./connected-store.ts";

/** @param url `file:directory` or `file://directory`; the path is taken as it is, without escapes or parameters */
export async function connectFile(url: string, { prefix, expiryOf, now }: ConnectOptions): Promise<ConnectedStore> {
  const path = url.replace(/^file:(?:\/\/)?/, "");
  if (path === "" || path.includes("\0")) {
    throw new SessionError("ERR_CONFIG", "A file store needs a directory: file:path/to/directory");
  }
  const directory = resolve(path);
  return {
    ...fileStore(directory, { prefix, expiryOf, now }),
    migrate: () => makeDirectory(directory),
    close: async () => {},
  };
}

/** For this user alone: the names of the files are session keys. */
async function makeDirectory(directory: string): Promise<boolean> {
  try {
    return (await mkdir(directory, { recursive: true, mode: 0o700 })) !== undefined;
  } catch (cause) {
    const message = `The session directory cannot be created: ${(cause as Error).message}`;
    throw new SessionError("ERR_CONFIG", message, { cause });
  }
}
