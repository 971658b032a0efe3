import { createHash, randomUUID } from "node:crypto";
import type { Payload } from "../../core/contracts.ts";

/*
 * What lies in the cache under a session key. An entry is "=" (text) or "#" (bytes), a checksum and the payload; a
 * lease is "?" and a random name. The first character tells a text from bytes also after a cache that knows only bytes;
 * the checksum tells a whole entry of this session from everything else.
 */

/** Base64 digits: 72 bits. Against accidents; against forgery payloads are signed. */
const CHECKSUM_LENGTH = 12;

/** The place of an entry to be: only who put it there can replace it, and only while it is there. */
export function newLease(): string {
  return `?${randomUUID()}`;
}

/** Depends on nothing but its arguments, so that a writer can expect the entry of the payload that it replaces. */
export function toEntry(key: string, payload: Payload): Payload {
  if (typeof payload === "string") return `=${checksum("=", key, payload)}${payload}`;
  return Buffer.concat([Buffer.from(`#${checksum("#", key, payload)}`), payload]);
}

/** `"unreadable"`: damaged, another session's, or not ours. */
export function readEntry(key: string, entry: Payload): { readonly payload: Payload } | "leased" | "unreadable" {
  const start = typeof entry === "string" ? entry.slice(0, 1 + CHECKSUM_LENGTH) : latin1(entry, 1 + CHECKSUM_LENGTH);
  const kind = start[0];
  if (kind === "?") return "leased";
  if (kind !== "=" && (kind !== "#" || typeof entry === "string")) return "unreadable";
  let payload: Payload = entry.slice(start.length);
  if (kind === "=" && typeof payload !== "string") payload = Buffer.from(payload).toString();
  return start.slice(1) === checksum(kind, key, payload) ? { payload } : "unreadable";
}

function checksum(kind: string, key: string, payload: Payload): string {
  const hash = createHash("sha256").update(`${kind}${key} `).update(payload);
  return hash.digest("base64").slice(0, CHECKSUM_LENGTH);
}

function latin1(bytes: Uint8Array, length: number): string {
  return Buffer.from(bytes.subarray(0, length)).toString("latin1");
}
