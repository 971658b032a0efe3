/* A file's time of modification as its session's expiry: where nothing else says it, and what any tool can show. */

/** The last second of ext4. Linux cuts a time off at the last one that the file system can keep, and says nothing. */
const LAST = 15_032_385_535_000;

/** Where others end: 32 bits with a sign (XFS before 5.10, ext4 with small inodes), and without (NFS 3). */
const ENDS: readonly number[] = [(2 ** 31 - 1) * 1000, (2 ** 32 - 1) * 1000];

const NEVER = new Date(8.64e15);

/** The latest that can be kept stands for all that is later. */
export function toMtime(expiresAt: Date): Date {
  return new Date(Math.min(expiresAt.getTime(), LAST));
}

export function fromMtime(mtime: Date): Date {
  return mtime.getTime() >= LAST || ENDS.includes(mtime.getTime()) ? NEVER : mtime;
}
