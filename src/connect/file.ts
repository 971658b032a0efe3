import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { SessionError } from "../core/errors.ts";
import { fileStore } from "../stores/file/store.ts";
import type { ConnectedStore, ConnectSettings } from "./connected-store.ts";

/** @param url `file:directory` or `file://directory`; the path is taken as it is, without escapes or parameters */
export async function connectFile(url: string, settings: ConnectSettings): Promise<ConnectedStore> {
  const { prefix, expiryOf, operationTimeoutMs: timeoutMs, now } = settings;
  const path = url.replace(/^file:(?:\/\/)?/, "");
  if (path === "" || path.includes("\0")) {
    throw new SessionError("ERR_CONFIG", "A file store needs a directory: file:path/to/directory");
  }
  const directory = resolve(path);
  return {
    ...fileStore(directory, { prefix, expiryOf, timeoutMs, now }),
    migrate: () => makeDirectory(directory),
    close: async () => {},
  };
}

/**
 * For this user alone: the names of the files are session keys. Not with those above it: with `recursive`, Node 20 never
 * returns for a directory below /proc.
 */
async function makeDirectory(directory: string): Promise<boolean> {
  try {
    await mkdir(directory, 0o700);
    return true;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "EEXIST" && (await isDirectory(directory))) return false;
    const reason = code === "ENOENT" ? `${dirname(directory)} is missing, or takes no directories` : message;
    throw new SessionError("ERR_CONFIG", `The session directory ${directory} cannot be created: ${reason}`, { cause });
  }
}

function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}
