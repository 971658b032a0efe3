import { createHash } from "node:crypto";
import type { SessionStore } from "../core/contracts.ts";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

/**
 * A store that knows no session key, only its hash: who reads the database, a backup or a slow-query log cannot log in
 * with what stands there (OWASP ASVS 5.0, 16.2.5; TYPO3 CVE-2020-26228). Django does not find such sessions.
 *
 * @example storeEngine(hashedKeys(sqlStore(client, postgres)), djangoCodec({ secretKey }))
 */
export function hashedKeys(store: SessionStore): SessionStore {
  return {
    load: (key) => store.load(hashed(key)),
    create: (key, record) => store.create(hashed(key), record),
    update: (key, record, expected) => store.update(hashed(key), record, expected),
    delete: (key, expected) => store.delete(hashed(key), expected),
    deleteExpired: (options) => store.deleteExpired(options),
  };
}

/** 200 bits of SHA-512, five from each byte: the 40 characters that Django's column and every store's alphabet take. */
function hashed(key: string): string {
  let text = "";
  for (const byte of createHash("sha512").update(key).digest().subarray(0, 40)) text += ALPHABET[byte & 31];
  return text;
}
