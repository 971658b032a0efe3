import { lstat, mkdir, rename, rmdir, unlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { LoadedRecord, Payload, SessionRecord, SessionStore } from "../../core/contracts.ts";
import { SessionError } from "../../core/errors.ts";
import { problemOf } from "./directory.ts";
import { disk, isFull } from "./disk.ts";
import { type Change, changes } from "./lock.ts";
import { fromMtime, toMtime } from "./mtime.ts";
import { fileNames, isFileKey, isPrefix } from "./names.ts";
import { isRecord, modifiedAt, readRecord, syncDirectory, writeRecord } from "./record.ts";
import { sweep } from "./sweep.ts";

export interface FileStoreOptions {
  /** What stands before the key in a file's name: Django's SESSION_COOKIE_NAME. Default `"sessionid"`. */
  readonly prefix?: string | undefined;
  /**
   * When a record expires, by its payload and by when it was written; `null` if the payload cannot be read. For a
   * directory that Django shares: its files say it in their data alone, and without this, all of them have expired.
   * Default: a file's time of modification is its expiry.
   */
  readonly expiryOf?: ((payload: Payload, modifiedAt: Date) => Date | null) | undefined;
  /** Milliseconds after which a disk that does not answer is taken for hanging. Default 500. */
  readonly timeoutMs?: number | undefined;
  /** The clock. For tests. */
  readonly now?: (() => Date) | undefined;
}

/** What there is under a key: a live record, or why there is none. `"strange"`: a file that no store has written. */
type Found = (LoadedRecord & { readonly payload: Uint8Array }) | "missing" | "expired" | "strange";

/**
 * Keeps records in files, as Django does: `<directory>/<prefix><key>` holds the payload, and nothing else. For POSIX
 * file systems, and any number of processes.
 *
 * An acknowledged write is on the disk. A process that is killed, at any moment, leaves the old record or the new one,
 * whole. Django takes no locks: when it changes a session in the same millisecond, the last writer wins.
 *
 * The directory has to be there. The files' names hold the session keys, so nobody else should be able to list it
 * (`chmod 700`). Files of other users, links and pipes in it are no sessions.
 *
 * Throws `ERR_CONFIG` for a prefix that is no cookie's name. Operations throw it for a directory that is missing, may
 * not be written, or may be written by everyone; and `ERR_SESSION_UNAVAILABLE` for all faults of the disk, and for one
 * that does not answer in time.
 *
 * @example fileStore("/var/lib/app/sessions")
 */
export function fileStore(directory: string, options: FileStoreOptions = {}): SessionStore {
  const { prefix = "sessionid", expiryOf, timeoutMs = 500, now = () => new Date() } = options;
  if (!isPrefix(prefix)) {
    throw new SessionError("ERR_CONFIG", "fileStore: prefix must be a cookie's name, of at most 100 characters.");
  }
  if (!process.geteuid) {
    throw new SessionError("ERR_CONFIG", "fileStore needs a POSIX system, whose files have owners and modes.");
  }
  const root = resolve(directory);
  const names = fileNames(prefix);
  const onDisk = disk(root, timeoutMs);
  const makeChange = changes(onDisk, (claim) => join(root, names.draft(claim)));
  const pathOf = (key: string) => join(root, names.record(key));
  let wasFit = false;

  /** Throws unless the directory is fit to hold sessions. Once it was, the reason is a fault: it logs nobody out. */
  async function check(): Promise<void> {
    const problem = await problemOf(root);
    if (problem) throw new SessionError(wasFit ? "ERR_SESSION_UNAVAILABLE" : "ERR_CONFIG", problem);
    wasFit = true;
  }

  async function look(path: string): Promise<Found> {
    const file = await readRecord(path);
    if (typeof file === "string") return file;
    const expiresAt = expiryOf ? expiryOf(file.payload, file.modifiedAt) : fromMtime(file.modifiedAt);
    // What cannot be read is the engine's to report, and nobody's to delete.
    if (expiresAt === null) return { payload: file.payload };
    return expiresAt > now() ? { payload: file.payload, expiresAt } : "expired";
  }

  async function change(key: string, how: Change, isDue: (found: Found) => boolean): Promise<boolean> {
    if (!isFileKey(key)) return false;
    if (!wasFit) await onDisk(check);
    return makeChange(join(root, names.lock(key)), how, async () => isDue(await look(pathOf(key))));
  }

  function writing(key: string, { payload, expiresAt }: SessionRecord): Change {
    return {
      prepare: (claim) => writeRecord(claim, payload, expiryOf ? undefined : toMtime(expiresAt)),
      make: (claim) => rename(claim, pathOf(key)),
      discard: unlink,
    };
  }

  async function remove(key: string, isDue: (found: Found) => boolean): Promise<boolean> {
    const removing: Change = {
      prepare: (claim) => mkdir(claim, 0o700),
      async make(claim) {
        const removed = join(claim, "removed");
        await rename(pathOf(key), removed);
        // That was it. What is left now goes with the lock, when another takes it, or with `deleteExpired`.
        await unlink(removed)
          .then(() => rmdir(claim))
          .catch(() => {});
      },
      discard: rmdir,
    };
    try {
      return await change(key, removing, isDue);
    } catch (error) {
      if (!isFull(error)) throw error;
    }
    // A full disk has no room for a lock, nor for any change that it would keep away. It must not keep anyone from
    // logging out.
    return onDisk(async () => {
      if (!isDue(await look(pathOf(key)))) return false;
      await unlink(pathOf(key));
      return true;
    });
  }

  /** Without this a power failure could undo what was acknowledged. */
  async function durably(changing: Promise<boolean>): Promise<boolean> {
    if (!(await changing)) return false;
    await onDisk(() => syncDirectory(root));
    return true;
  }

  async function hasExpired(path: string): Promise<boolean> {
    const stats = await lstat(path).catch(() => undefined);
    if (!stats || !isRecord(stats)) return false;
    return expiryOf ? (await look(path)) === "expired" : fromMtime(modifiedAt(stats)) <= now();
  }

  return {
    async load(key) {
      if (!isFileKey(key)) return null;
      return onDisk(async () => {
        if (!wasFit) await check();
        const found = await look(pathOf(key));
        // A file that is missing with its whole directory is no session that has ended.
        if (found === "missing") await check();
        return typeof found === "string" ? null : found;
      });
    },
    create: (key, record) =>
      durably(change(key, writing(key, record), (found) => found === "missing" || found === "expired")),
    update: (key, record, expected) => durably(change(key, writing(key, record), isLive(expected))),
    delete: (key, expected) => durably(remove(key, isLive(expected))),
    async deleteExpired(options) {
      if (!wasFit) await onDisk(check);
      return sweep({ directory: root, names, disk: onDisk, hasExpired }, options);
    },
  };
}

function isLive(expected: Payload | undefined): (found: Found) => boolean {
  const bytes = expected === undefined ? undefined : Buffer.from(expected);
  return (found) => typeof found === "object" && (!bytes || bytes.equals(found.payload));
}
