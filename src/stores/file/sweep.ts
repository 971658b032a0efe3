import { randomBytes } from "node:crypto";
import { link, lstat, mkdir, opendir, rename, rm, unlink } from "node:fs/promises";
import { join } from "node:path";
import { assertBatchSize } from "../../core/batch-size.ts";
import type { DeleteExpiredOptions } from "../../core/contracts.ts";
import { codeOf, type Disk, isFull } from "./disk.ts";
import type { FileNames } from "./names.ts";
import { isOwn } from "./record.ts";

/** Nothing is in work for so long. */
const LEFTOVER_AGE_MS = 3_600_000;

export interface Sweeping {
  readonly directory: string;
  readonly names: FileNames;
  readonly disk: Disk;
  hasExpired(path: string): Promise<boolean>;
}

/** Removes expired records, and what killed processes have left. */
export async function sweep(
  { directory, names, disk, hasExpired }: Sweeping,
  { batchSize = 1000, onProgress, signal }: DeleteExpiredOptions = {},
): Promise<number> {
  assertBatchSize(batchSize);
  const aside = join(directory, names.draft(randomBytes(12).toString("hex")));
  let isThere = false;
  let total = 0;
  let deleted = 0;
  let reported = 0;

  async function* expired(): AsyncGenerator<string> {
    const entries = await disk(() => opendir(directory));
    try {
      while (!signal?.aborted) {
        const entry = await disk(() => entries.read());
        if (entry === null) return;
        const path = join(directory, entry.name);
        if (names.isRecord(entry.name) && (await disk(() => hasExpired(path)))) yield path;
        if (names.isLeftover(entry.name)) await disk(() => removeLeftover(path, entry.name));
      }
    } finally {
      await disk(() => entries.close());
    }
  }

  /**
   * Moves the record aside, and looks again: one that was renewed in between, by Django for example, is put back. Locks
   * would not keep Django away, and cost many times more.
   */
  async function remove(path: string): Promise<boolean> {
    const moved = join(aside, "record");
    try {
      if (!isThere) await mkdir(aside, 0o700);
      isThere = true;
      await rename(path, moved);
    } catch (error) {
      // Another clean-up was faster.
      if (codeOf(error) === "ENOENT") return false;
      if (!isFull(error)) throw error;
      // No room to move it: then this is how room is made.
      await rm(path, { force: true });
      return true;
    }
    const wasExpired = await hasExpired(moved);
    if (!wasExpired) await link(moved, path);
    await unlink(moved);
    return wasExpired;
  }

  function report(): void {
    if (deleted > reported) onProgress?.({ deleted, total: Math.max(total, deleted) });
    reported = deleted;
  }

  if (onProgress) for await (const _ of expired()) total++;
  try {
    for await (const path of expired()) {
      if (await disk(() => remove(path))) deleted++;
      if (deleted - reported === batchSize) report();
    }
    report();
  } finally {
    if (isThere) await disk(() => rm(aside, { recursive: true, force: true }));
  }
  return deleted;
}

async function removeLeftover(path: string, name: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined);
  // Its time is the file system's, so it is compared with the real one.
  if (!stats || !isOwn(stats) || Date.now() - stats.mtimeMs < LEFTOVER_AGE_MS) return;
  // Ours are directories, Django's are files.
  const looksIt = name.startsWith(".") ? stats.isDirectory() : stats.isFile();
  if (looksIt) await rm(path, { recursive: true, force: true });
}
