import { randomBytes, randomUUID } from "node:crypto";
import { type CacheEntries, CHECKSUM_LENGTH, entryChecksum } from "../core/cache-entries.ts";
import type { Payload } from "../core/contracts.ts";

/** How a value that Python reads carries the database's payload, where Python does not look. */
export interface Carrier {
  /** Python reads None, which Django's cached_db takes for a miss. */
  newLease(): Payload;
  /** `null` if there is no room. */
  seal(key: string, value: Payload, payload: string): Buffer | null;
  open(key: string, bytes: Buffer): ReturnType<CacheEntries["read"]>;
}

const LEASE_START = Buffer.from("\x80\x04N.?", "latin1");

/** Of a payload's length, hexadecimal. */
const LENGTH_DIGITS = 8;

/**
 * `pickle.loads` ignores what follows the pickle. There: the payload, its length, a checksum over the session key and all
 * of this, and "=". A pickle by itself ends with ".".
 */
export const PICKLE_CARRIER: Carrier = {
  newLease: () => Buffer.concat([LEASE_START, Buffer.from(randomUUID())]),
  seal(key, value, payload) {
    const length = Buffer.byteLength(payload).toString(16).padStart(LENGTH_DIGITS, "0");
    const content = Buffer.concat([Buffer.from(value), Buffer.from(payload + length)]);
    return Buffer.concat([content, Buffer.from(`${entryChecksum(key, content)}=`)]);
  },
  open(key, bytes) {
    if (bytes.subarray(0, LEASE_START.length).equals(LEASE_START)) return "leased";
    const last = String.fromCharCode(bytes.at(-1) ?? 0);
    if (last !== "=") return last === "." && bytes[0] === LEASE_START[0] ? "foreign" : "unreadable";
    const content = bytes.subarray(0, -1 - CHECKSUM_LENGTH);
    if (bytes.toString("latin1", content.length, bytes.length - 1) !== entryChecksum(key, content)) return "unreadable";
    const end = content.length - LENGTH_DIGITS;
    return { payload: content.toString("utf8", end - Number.parseInt(content.toString("latin1", end), 16), end) };
  },
};

/**
 * Nothing may follow JSON but blanks. But of values with the same name Python takes the last ("Repeated Names Within an
 * Object" in the documentation of its json). So the first name comes twice; its first value is "=", a checksum over the
 * session key and what follows, and the payload. Python writes no name twice.
 */
export const JSON_CARRIER: Carrier = {
  newLease() {
    const bits = [...randomBytes(16)].map((byte) => byte.toString(2).padStart(8, "0")).join("");
    return `null${bits.replaceAll("0", " ").replaceAll("1", "\t")}`;
  },
  seal(key, value, payload) {
    const name = /^\{("(?:[^"\\]|\\.)*": )/.exec(String(value))?.[1];
    // An empty dict has no name. Django's payloads have no quotation marks.
    if (name === undefined || /[^ !#-[\]-~]/.test(payload)) return null;
    const rest = String(value).slice(1);
    return Buffer.from(`{${name}"=${entryChecksum(key, payload + rest)}${payload}", ${rest}`);
  },
  open(key, bytes) {
    const text = bytes.toString();
    if (/^null[ \t]+$/.test(text)) return "leased";
    if (!text.startsWith("{") || !text.endsWith("}")) return "unreadable";
    // Not inside of a name: there a quotation mark has a backslash before it, also the second one of these.
    const nameEnd = text.indexOf('": "=');
    const name = text.slice(1, nameEnd + 3);
    const start = nameEnd + 5;
    const end = text.indexOf('"', start);
    if (nameEnd === -1 || !text.startsWith(`", ${name}`, end)) return "foreign";
    const rest = text.slice(end + 3);
    const payload = text.slice(start + CHECKSUM_LENGTH, end);
    return text.slice(start, start + CHECKSUM_LENGTH) === entryChecksum(key, payload + rest)
      ? { payload }
      : "unreadable";
  },
};
