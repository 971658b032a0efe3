import { createHash, randomFillSync } from "node:crypto";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";
const LENGTH = 32;
/** The largest multiple of 36 that fits a byte: greater bytes are drawn again, so that every character is as likely. */
const LIMIT = 252;

/** A new session key, as Django makes them: 32 characters of a-z0-9 from a CSPRNG, 165 bits. */
export function newSessionKey(): string {
  let key = "";
  while (key.length < LENGTH) {
    for (const byte of randomFillSync(new Uint8Array(40))) {
      if (byte < LIMIT && key.length < LENGTH) key += ALPHABET[byte % 36];
    }
  }
  return key;
}

/**
 * Whether a store may be asked for this key: 8 characters (Django's minimum) to 40 (its column) of its alphabet.
 * Everything else is no session: it keeps SQL, cache keys and file paths safe, whatever a client sends.
 */
export function isSessionKey(text: string): boolean {
  return /^[a-z0-9]{8,40}$/.test(text);
}

/**
 * The name under which a session key may be shown and logged: 12 hex digits of its SHA-256. In Django's format the key
 * is the bearer's secret, so it appears nowhere itself.
 */
export function fingerprint(key: string): string {
  return createHash("sha256").update(key).digest("hex").slice(0, 12);
}
