import fs, { closeSync, constants, fstatSync, type Stats } from "node:fs";
import { promisify } from "node:util";
import type { Payload } from "../../core/contracts.ts";
import { SessionError } from "../../core/errors.ts";

export interface RecordFile {
  readonly payload: Uint8Array;
  readonly modifiedAt: Date;
}

/** More than any codec writes. What is larger is not read, so it must not be written either. */
const MAX_BYTES = 8 * 1024 * 1024;

/** No symbolic link is followed, and no pipe waited for. */
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const open = promisify(fs.open);
const read = promisify(fs.read);
const write = promisify(fs.write);
const futimes = promisify(fs.futimes);
const fsync = promisify(fs.fsync);

/**
 * `"strange"` for what no store has written: a link, a pipe, a directory, a file of another user, or a huge one.
 *
 * `fstat` and `close` are synchronous: after `open` they find all in memory, and cost a tenth.
 */
export async function readRecord(path: string): Promise<RecordFile | "missing" | "strange"> {
  let file: number;
  try {
    file = await open(path, READ);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return "missing";
    // A symbolic link; a socket, or a device without driver.
    if (code === "ELOOP" || code === "ENXIO" || code === "ENODEV") return "strange";
    throw error;
  }
  try {
    const stats = fstatSync(file);
    if (!isRecord(stats)) return "strange";
    const payload = Buffer.allocUnsafe(stats.size);
    let size = 0;
    for (let bytes = -1; bytes !== 0 && size < payload.length; size += bytes) {
      bytes = (await read(file, payload, size, payload.length - size, size)).bytesRead;
    }
    return { payload: payload.subarray(0, size), modifiedAt: modifiedAt(stats) };
  } finally {
    closeSync(file);
  }
}

/** Whether it is a file that a store of this user may have written. */
export function isRecord(stats: Stats): boolean {
  return stats.isFile() && isOwn(stats) && stats.size <= MAX_BYTES;
}

export function isOwn({ uid }: Stats): boolean {
  return uid === process.geteuid!();
}

/** A time that was written in milliseconds is read back a few nanoseconds off. */
export function modifiedAt({ mtimeMs }: Stats): Date {
  return new Date(Math.round(mtimeMs));
}

/**
 * Writes a new file, down to the disk. Throws `ERR_SESSION_TOO_LARGE`.
 *
 * @param mtime default: the file system's own
 */
export async function writeRecord(path: string, payload: Payload, mtime?: Date): Promise<void> {
  const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
  if (bytes.byteLength > MAX_BYTES) {
    throw new SessionError(
      "ERR_SESSION_TOO_LARGE",
      `The session takes ${bytes.byteLength} bytes; the file store takes ${MAX_BYTES}.`,
    );
  }
  const file = await open(path, "wx", 0o600);
  try {
    for (let size = 0; size < bytes.byteLength; ) {
      size += (await write(file, bytes, size, bytes.byteLength - size, size)).bytesWritten;
    }
    if (mtime) await futimes(file, new Date(), mtime);
    await fsync(file);
  } finally {
    closeSync(file);
  }
}

/** Makes what was renamed or removed in a directory outlast a power failure. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await fsync(directory);
  } finally {
    closeSync(directory);
  }
}
