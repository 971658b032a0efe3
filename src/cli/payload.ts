import { inflateSync } from "node:zlib";
import type { Payload, SessionData } from "../core/contracts.ts";
import { isSessionKey } from "../core/key.ts";
import { isPlainObject } from "../core/values.ts";
import { type DjangoCacheCodecOptions, djangoCacheCodec } from "../django/cache-codec.ts";
import { parse, stringify } from "../django/python-json.ts";
import {
  ANYONE,
  equalInConstantTime,
  loads,
  MAX_BYTES,
  saltedHmac,
  signer,
  timestampUnsign,
} from "../django/signing.ts";
import type { SecretKey } from "./secret-keys.ts";

/*
 * Reads a payload as the codec does, and says why where the codec only says no: for a server every reason is the same,
 * for the person who looks into it they are not.
 */

const COOKIE_SALT = "django.contrib.sessions.backends.signed_cookies";
const LEGACY_SALT = "django.contrib.sessionsSessionStore";

/** Base64 adds a third; what is longer was not written by Django's `dumps` or `encode` from `MAX_BYTES`. */
const MAX_LENGTH = MAX_BYTES * 1.5;

/** HMAC-SHA256 in base64url without padding. */
const SIGNATURE_LENGTH = 43;

export interface Contents {
  readonly data: SessionData;
  /** As Python writes it: all digits of integers, NaN, and the order of keys. ASCII, so harmless on a terminal. */
  readonly json: string;
  /** `null` where the format has no time, or what stands there is none. */
  readonly signedAt: Date | null;
}

export type Reading<SignedBy extends number | null = number> =
  | ({
      readonly verified: true;
      /** Which key, from 0; `null` where nothing is signed. */
      readonly signedBy: SignedBy;
    } & Contents)
  | {
      readonly verified: false;
      /** Completes "The payload …"; holds nothing of the payload and no secret. */
      readonly reason: string;
    };

/** @param salt as `DjangoCodecOptions.salt` */
export function readPayload(
  text: string,
  keys: readonly SecretKey[],
  salt = "django.contrib.sessions.SessionStore",
): Reading {
  if (text.length > MAX_LENGTH) {
    return unreadable(`is too large: ${text.length} characters, where at most ${MAX_LENGTH} are read`);
  }
  if (!text.includes(":")) return readUnstamped(text, keys);
  const signedBy = keys.findIndex(({ key }) => timestampUnsign(text, [signer(key, salt)]) !== null);
  if (signedBy === -1) return unreadable(whyUnsigned(text, keys));
  const contents = unfold(text);
  if (typeof contents === "string") return unreadable(`is signed, but ${contents}`);
  return { verified: true, signedBy, ...contents };
}

/** What Django's cache holds of a session: not signed, so that there is nothing to verify. */
export function readCacheEntry(payload: Payload, format: DjangoCacheCodecOptions): Reading<null> {
  const decoded = djangoCacheCodec(format).decode(payload);
  if (decoded === null) return unreadable(`is not what the cache's settings say: ${format.serializer}`);
  return { verified: true, signedBy: null, signedAt: null, data: decoded.data, json: stringify(decoded.data) };
}

/** Without a colon it is what Django before 3.1 wrote, or no payload. */
function readUnstamped(text: string, keys: readonly SecretKey[]): Reading {
  const unfolded = Buffer.from(text, "base64").toString("latin1");
  if (!/^[0-9a-f]{40}:/.test(unfolded)) return unreadable(whyUnsigned(text, keys));
  const [signature, json] = [unfolded.slice(0, 40), unfolded.slice(41)];
  const good = keys.find(({ key }) =>
    equalInConstantTime(saltedHmac(LEGACY_SALT, key, "sha1")(json, "hex"), signature),
  );
  const contents = toContents(json, null);
  const verdict = good
    ? `is good, by ${good.name}${typeof contents === "string" ? `, but it ${contents}` : ""}`
    : `is not by ${named(keys)}`;
  return unreadable(
    `has the format of Django before 3.1, which Django 4 and later do not read either. Its SHA-1 signature ${verdict}`,
  );
}

/** The contents of what was verified before; or what is wrong with them, as the end of a sentence. */
function unfold(text: string): Contents | string {
  const json = loads(text, [ANYONE]);
  const { value, signedAt } = timestampUnsign(text, [ANYONE]) ?? {};
  if (json !== null) return toContents(json, signedAt ?? null);
  return value?.startsWith(".") && isTooLarge(value.slice(1))
    ? `unfolds to more than ${MAX_BYTES} bytes`
    : "cannot be inflated";
}

function isTooLarge(deflated: string): boolean {
  try {
    inflateSync(Buffer.from(deflated, "base64url"), { maxOutputLength: MAX_BYTES });
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
  }
}

function toContents(json: string, signedAt: Date | null): Contents | string {
  // The first byte of every pickle since protocol 2.
  if (json.startsWith("\x80")) return "holds a Python pickle, not JSON";
  try {
    const { value, origin } = parse(json);
    if (!isPlainObject(value)) return `holds ${Array.isArray(value) ? "a list" : "a single value"}, not a dict`;
    const time = signedAt && !Number.isNaN(signedAt.getTime()) ? signedAt : null;
    return { data: value, json: stringify(value, origin), signedAt: time };
  } catch {
    return "does not hold JSON";
  }
}

function whyUnsigned(text: string, keys: readonly SecretKey[]): string {
  if (text === "") return "is empty";
  if (isSessionKey(text)) return "is not signed at all. It looks like a session key: `sojourn show -` reads those";
  const signature = /:-?[0-9A-Za-z]+:([\w-]+)=*$/.exec(text)?.[1];
  if (signature === undefined) return "is not signed at all: a session's payload is data:time:signature";
  if (signature.length !== SIGNATURE_LENGTH) {
    return `is cut off or changed: its signature has ${signature.length} characters, where a session's has ${SIGNATURE_LENGTH}`;
  }
  if (keys.some(({ key }) => timestampUnsign(text, [signer(key, COOKIE_SALT)]) !== null)) {
    return "is a cookie of Django's signed_cookies engine, not a stored session: it was signed for that purpose";
  }
  return `does not verify: it was signed with another key or salt than ${named(keys)}, or changed since`;
}

function named(keys: readonly SecretKey[]): string {
  return keys.map(({ name }) => name).join(" or ");
}

function unreadable(reason: string): Reading<never> {
  return { verified: false, reason };
}
