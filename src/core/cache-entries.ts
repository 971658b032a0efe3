import { createHash } from "node:crypto";
import type { Payload } from "./contracts.ts";

/**
 * What lies in a cache in front of a database, under a session key: an entry holds a payload of the database's, a lease
 * the place of an entry to be. Synchronous, and never throws.
 */
export interface CacheEntries {
  /** Another one each time: only who put it there can replace it, and only while it is there. */
  newLease(): Payload;
  /**
   * Depends on nothing but its arguments, so that a writer can expect the entry of the payload that it replaces.
   * `null` for a payload that the format cannot carry: it is not cached.
   */
  write(key: string, payload: Payload): Payload | null;
  /**
   * `"foreign"`: whole, and put there by others who use the same keys: not to be believed, for they know no leases.
   * `"unreadable"`: damaged, another session's, or nobody's.
   */
  read(key: string, entry: Payload): { readonly payload: Payload } | "leased" | "foreign" | "unreadable";
}

/** Base64 digits: 72 bits. Against accidents; against forgery payloads are signed. */
export const CHECKSUM_LENGTH = 12;

/** @param context the session key, and what else tells this entry from others */
export function entryChecksum(context: string, content: Payload): string {
  return createHash("sha256").update(`${context} `).update(content).digest("base64").slice(0, CHECKSUM_LENGTH);
}
