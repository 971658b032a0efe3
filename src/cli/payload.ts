import { inflateSync } from "node:zlib";
import { isSessionKey } from "../core/key.ts";
import { ANYONE, MAX_BYTES, timestampUnsign, unfold } from "../django/signing.ts";
import { readContents, type SerializerName, SIGNED } from "./contents.ts";
import { isLegacy, readLegacyPayload } from "./legacy-payload.ts";
import { noDjango, type Reading, type UnreadableReading, unreadable } from "./reading.ts";
import { keyNames, type SecretKey } from "./secret-keys.ts";
import { COOKIE_SALT, isSigned, STORE_SALT, whyNotSigned } from "./signature.ts";

/** Base64 adds a third; what is longer was not written by Django's `dumps` or `encode` from `MAX_BYTES`. */
const MAX_LENGTH = MAX_BYTES * 1.5;

const FORM = /^[\w.+/=-]+:-?[0-9A-Za-z]+:([\w-]+)=*$/;

/** HMAC-SHA256 in base64url without padding; and SHA-1, of Django before 3.1. */
const SIGNATURE_LENGTHS: readonly number[] = [43, 27];

/** How a project's signed payloads are written. */
export interface PayloadFormat {
  /** As `DjangoCodecOptions.salt`. */
  readonly salt?: string | undefined;
  /** Default `"json"`. */
  readonly serializer?: SerializerName | undefined;
  /** Whether the format before Django 3.1 is read too. */
  readonly readLegacy?: boolean | undefined;
}

/** Reads what is signed: of a table, a file, django-redis-sessions or a cookie. */
export function readPayload(text: string, keys: readonly SecretKey[], format: PayloadFormat = {}): Reading {
  const { salt = STORE_SALT, serializer = "json", readLegacy = false } = format;
  if (text.length > MAX_LENGTH) {
    return unreadable("format", `is too large: ${text.length} characters, where at most ${MAX_LENGTH} are read`);
  }
  if (isLegacy(text)) return readLegacyPayload(text, keys, format);
  const signedBy = keys.findIndex(
    ({ key }) => isSigned(text, key, salt) || (readLegacy && isSigned(text, key, salt, "sha1")),
  );
  if (signedBy === -1) return whyUnsigned(text, keys, salt);
  const serialized = unfolded(text);
  const contents = serialized === null ? whyFolded(text) : readContents(serialized, SIGNED, serializer);
  if (typeof contents === "string") return unreadable("contents", `is signed, but ${contents}`);
  return { verified: true, signedBy, signedAt: signingTime(text), ...contents };
}

/** Whether it has the form `data:time:signature`, whoever signed it. */
export function hasSignature(text: string): boolean {
  return SIGNATURE_LENGTHS.includes(FORM.exec(text)?.[1]?.length ?? 0);
}

function signingTime(text: string): Date | null {
  const { signedAt } = timestampUnsign(text, [ANYONE]) ?? {};
  return signedAt && !Number.isNaN(signedAt.getTime()) ? signedAt : null;
}

/** What was signed, whoever did it; `null` for what does not unfold. */
function unfolded(text: string): Buffer | null {
  const unsigned = timestampUnsign(text, [ANYONE]);
  return unsigned && unfold(unsigned.value);
}

function whyFolded(text: string): string {
  const { value = "" } = timestampUnsign(text, [ANYONE]) ?? {};
  try {
    inflateSync(Buffer.from(value.slice(1), "base64url"), { maxOutputLength: MAX_BYTES });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE")
      return `unfolds to more than ${MAX_BYTES} bytes`;
  }
  return "cannot be inflated: it was cut off or changed";
}

function whyUnsigned(text: string, keys: readonly SecretKey[], salt: string): UnreadableReading {
  const form = whyNoForm(text);
  if (form !== null) return unreadable("format", form);
  const why = whyNotSigned(text, keys, salt);
  if (why !== null) return unreadable("signature", why);
  if (!isWhole(text)) {
    return unreadable("signature", "does not verify, and does not unfold either: it was cut off or changed");
  }
  const storeClass =
    salt === COOKIE_SALT
      ? ""
      : '; if they have it, Django\'s store class has another name than SessionStore: give --salt "django.contrib.sessions.<its name>"';
  return unreadable(
    "signature",
    `does not verify: it was signed with another key or salt than ${keyNames(keys)} (it unfolds, so it is hardly damaged). Give both servers the same SECRET_KEY${storeClass}`,
  );
}

function whyNoForm(text: string): string | null {
  const reason = noDjango(text);
  if (reason !== null) return reason;
  if (isSessionKey(text)) return "is not signed at all. It looks like a session key: `sojourn show -` reads those";
  if (text.startsWith("\x80")) return "is not signed at all: it is a Python pickle, as Django's caches keep sessions";
  const signature = FORM.exec(text)?.[1];
  if (signature === undefined) return "is not signed at all: a session's payload is data:time:signature";
  if (SIGNATURE_LENGTHS.includes(signature.length)) return null;
  return `is cut off or changed: its signature has ${signature.length} characters, where a session's has ${SIGNATURE_LENGTHS[0]}`;
}

/** Whether what was signed can be read: then its signature is not wrong because something was lost. */
function isWhole(text: string): boolean {
  const serialized = unfolded(text);
  if (serialized === null) return false;
  // Also one that we refuse.
  if (serialized[0] === 0x80) return true;
  return typeof readContents(serialized, SIGNED, "json") !== "string";
}
