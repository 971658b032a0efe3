import { randomUUID } from "node:crypto";
import { type CacheEntries, CHECKSUM_LENGTH, entryChecksum } from "../../core/cache-entries.ts";
import type { Payload } from "../../core/contracts.ts";

/**
 * Entries of a cache that is ours alone. An entry is "=" (text) or "#" (bytes), a checksum and the payload; a lease is
 * "?" and a random name. The first character tells a text from bytes also after a cache that knows only bytes; the
 * checksum tells a whole entry of this session from everything else.
 */
export const ownEntries: CacheEntries = {
  newLease: () => `?${randomUUID()}`,

  write(key, payload) {
    if (typeof payload === "string") return `=${entryChecksum(`=${key}`, payload)}${payload}`;
    return Buffer.concat([Buffer.from(`#${entryChecksum(`#${key}`, payload)}`), payload]);
  },

  read(key, entry) {
    const start = typeof entry === "string" ? entry.slice(0, 1 + CHECKSUM_LENGTH) : latin1(entry, 1 + CHECKSUM_LENGTH);
    const kind = start[0];
    if (kind === "?") return "leased";
    if (kind !== "=" && (kind !== "#" || typeof entry === "string")) return "unreadable";
    let payload: Payload = entry.slice(start.length);
    if (kind === "=" && typeof payload !== "string") payload = Buffer.from(payload).toString();
    return start.slice(1) === entryChecksum(`${kind}${key}`, payload) ? { payload } : "unreadable";
  },
};

function latin1(bytes: Uint8Array, length: number): string {
  return Buffer.from(bytes.subarray(0, length)).toString("latin1");
}
