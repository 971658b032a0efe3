import { createHash, createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import { deflateSync, inflateSync } from "node:zlib";
import type { Payload } from "../core/contracts.ts";
import { MAX_BYTES } from "../core/values.ts";

export { MAX_BYTES };

/* Django's django.core.signing: values that carry their own proof of origin, and the bytes of `dumps` and `loads`. */

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/**
 * Bytes from which compression is tried. Below, zlib takes more time than the rest of a save and of a load to win a few
 * bytes; Django tries always, and reads either form.
 */
const MIN_COMPRESSED = 128;

export type HashAlgorithm = "sha256" | "sha1";

/** Signs with one secret key and salt. */
export interface Signer {
  signature(value: string | Uint8Array): string;
  /** Whether `signature` is this signer's. Takes the same time wherever the two differ. */
  verify(value: string | Uint8Array, signature: string): boolean;
}

/** Lets everything pass: for what was verified before, or needs no verification. */
export const ANYONE: Signer = { signature: () => "", verify: () => true };

/**
 * Django's `salted_hmac` with its key derived once; as a `KeyObject`, which Node 24 uses four times faster than bytes.
 *
 * @param salt Django's key salt: what a value signed for one purpose cannot be used for another by
 */
export function saltedHmac(
  salt: string,
  secretKey: string | Uint8Array,
  algorithm: HashAlgorithm,
): (value: string | Uint8Array, encoding: "hex" | "base64url") => string {
  const key = createSecretKey(createHash(algorithm).update(salt).update(secretKey).digest());
  return (value, encoding) => createHmac(algorithm, key).update(value).digest(encoding);
}

/** Django's `Signer`: base64url without padding. Before Django 3.1 the algorithm was SHA-1. */
export function signer(secretKey: string | Uint8Array, salt: string, algorithm: HashAlgorithm = "sha256"): Signer {
  const hmac = saltedHmac(`${salt}signer`, secretKey, algorithm);
  return signing((value) => hmac(value, "base64url"));
}

/** What signed sessions before Django 3.1: SHA-1 in hexadecimal. */
export function legacySigner(secretKey: string | Uint8Array, salt: string): Signer {
  const hmac = saltedHmac(salt, secretKey, "sha1");
  return signing((value) => hmac(value, "hex"));
}

function signing(signature: Signer["signature"]): Signer {
  return { signature, verify: (value, given) => equalInConstantTime(signature(value), given) };
}

export function equalInConstantTime(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** `value:timestamp:signature`, as Django's `TimestampSigner.sign` writes it. */
export function timestampSign(value: string, now: Date, signer: Signer): string {
  const stamped = `${value}:${base62(Math.trunc(now.getTime() / 1000))}`;
  return `${stamped}:${signer.signature(stamped)}`;
}

/** The value in `text` if one of the signers signed it; `null` otherwise. The timestamp is not judged. */
export function timestampUnsign(text: string, signers: readonly Signer[]): { value: string; signedAt: Date } | null {
  const end = text.lastIndexOf(":");
  if (end === -1) return null;
  const stamped = text.slice(0, end);
  if (!signers.some((signer) => signer.verify(stamped, text.slice(end + 1)))) return null;
  const split = stamped.lastIndexOf(":");
  if (split === -1) return null;
  return { value: stamped.slice(0, split), signedAt: new Date(fromBase62(stamped.slice(split + 1)) * 1000) };
}

/**
 * Django's `signing.dumps(..., compress=...)` of a serialized value.
 *
 * Compressed bytes differ from Python's, whose zlib is another build; each side inflates the other's.
 */
export function dumps(serialized: string | Uint8Array, now: Date, signer: Signer, compress: boolean): string {
  const bytes = asBytes(serialized);
  // Output buffers of the right size, instead of zlib's 16 KiB, spare small sessions a third of the time.
  const deflated =
    compress && bytes.length >= MIN_COMPRESSED
      ? deflateSync(bytes, { chunkSize: Math.max(64, bytes.length + 32) })
      : bytes;
  const body = deflated.length < bytes.length - 1 ? `.${deflated.toString("base64url")}` : bytes.toString("base64url");
  return timestampSign(body, now, signer);
}

/** Django's `signing.loads` up to the serialized value, as latin-1; `null` for what does not verify or does not unfold. */
export function loads(text: string, signers: readonly Signer[]): string | null {
  const unsigned = timestampUnsign(payloadText(text), signers);
  return (unsigned && unfold(unsigned.value)?.toString("latin1")) ?? null;
}

/** The serialized value that `dumps` folded before it signed it; `null` for what does not unfold, or to too much. */
export function unfold(value: string): Buffer | null {
  if (!value.startsWith(".")) return Buffer.from(value, "base64url");
  const bytes = Buffer.from(value.slice(1), "base64url");
  try {
    // Bounded: a deflated megabyte can hold a gigabyte.
    const options = { chunkSize: Math.max(64, Math.min(4 * bytes.length, 65_536)), maxOutputLength: MAX_BYTES };
    return inflateSync(bytes, options);
  } catch {
    return null;
  }
}

/** `SessionBase.encode` before Django 3.1, from the serialized value on. */
export function legacyDumps(serialized: string | Uint8Array, signer: Signer): string {
  const bytes = asBytes(serialized);
  return Buffer.concat([Buffer.from(`${signer.signature(bytes)}:`), bytes]).toString("base64");
}

/** The serialized value in `text` if one of the signers signed it; `null` otherwise. */
export function legacyLoads(text: string, signers: readonly Signer[]): Buffer | null {
  const bytes = Buffer.from(text, "base64");
  const [signature, serialized] = [bytes.toString("latin1", 0, SHA1_DIGITS), bytes.subarray(SHA1_DIGITS + 1)];
  const isSigned = bytes[SHA1_DIGITS] === COLON && signers.some((signer) => signer.verify(serialized, signature));
  return isSigned ? serialized : null;
}

const SHA1_DIGITS = 40;
const COLON = 0x3a;

/** The text, also where a store gave it back as bytes, for it is ASCII; nothing of what is too long to be ours. */
export function payloadText(payload: Payload): string {
  // Base64 adds a third.
  if (payload.length > MAX_BYTES * 1.5) return "";
  return typeof payload === "string" ? payload : asBytes(payload).toString("latin1");
}

function asBytes(bytes: string | Uint8Array): Buffer {
  if (typeof bytes === "string") return Buffer.from(bytes, "latin1");
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Django's `b62_encode`: most significant digit first. */
export function base62(number: number): string {
  if (number < 0) return `-${base62(-number)}`;
  let text = "";
  do {
    text = BASE62[number % 62] + text;
    number = Math.floor(number / 62);
  } while (number > 0);
  return text;
}

/** NaN for what has other digits. */
export function fromBase62(text: string): number {
  if (text.startsWith("-")) return -fromBase62(text.slice(1));
  let number = 0;
  for (const digit of text) number = number * 62 + (BASE62.includes(digit) ? BASE62.indexOf(digit) : Number.NaN);
  return number;
}
