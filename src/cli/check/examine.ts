import { type DjangoEngine, stringifyPythonJson } from "../../django.ts";
import { readCacheEntry } from "../cache-entry.ts";
import { fault } from "../faults.ts";
import { count, instant } from "../output.ts";
import { type PayloadFormat, readPayload } from "../payload.ts";
import type { Reading, VerifiedReading } from "../reading.ts";
import { type SecretKey, signerName } from "../secret-keys.ts";
import { COOKIE_SALT } from "../signature.ts";
import { expiresByItself, type FileSettings } from "../source.ts";
import type { Checklist } from "./checklist.ts";
import { assertExpiry, cookieExpiry, noteLifetime, noteLogin } from "./meaning.ts";
import { findRecord, noteCache, whyMissing } from "./record.ts";

/* The steps from what a browser brought to what the session says. */

const MAX_NAMES = 20;
const MAX_NAME = 40;

/** How signed payloads are verified and read. */
export interface Signed {
  readonly keys: readonly SecretKey[];
  readonly format: PayloadFormat;
}

/** Of a session that is kept at the server. */
export async function examineRecord(
  key: string,
  engine: Exclude<DjangoEngine, { name: "signed_cookies" }>,
  { keys, format }: Signed,
  settings: FileSettings,
  list: Checklist,
): Promise<void> {
  list.begin("server");
  const record = await findRecord(key, engine.store, settings);
  list.ok("it answers");

  list.begin("found");
  if (record === null) throw fault(`there is no such session: ${await whyMissing(key, settings)}`);
  list.ok(count(record.payload.length, "byte"));
  if (engine.name === "cached_db") await noteCache(key, engine.cache, settings, list);

  list.begin("expiry");
  const now = new Date();
  if (record.expiresAt && record.expiresAt <= now) {
    throw fault(`it expired at ${instant(record.expiresAt, now)}. Only a save puts that off, reading does not`);
  }
  list.ok(expiresByItself(engine.store.url) ? "this server removes what has expired" : "it has not expired");

  const reading =
    engine.name === "cache"
      ? readCacheEntry(record.payload, engine.store.format)
      : readPayload(Buffer.from(record.payload).toString("latin1"), keys, format);
  const { data } = noteReading(reading, keys, list);
  assertExpiry(data, settings);
  list.begin("session");
  noteLifetime(data, record.expiresAt, settings.settings, list);
  noteLogin(data, settings, list);
}

/** Of one that is in the cookie. */
export function examineCookie(
  token: string,
  keys: readonly SecretKey[],
  settings: FileSettings,
  list: Checklist,
): void {
  const reading = readPayload(token, keys, { ...settings.format, salt: COOKIE_SALT });
  const { data, signedAt } = noteReading(reading, keys, list);
  assertExpiry(data, settings);
  list.begin("expiry");
  const expiresAt = cookieExpiry(data, signedAt, settings.settings);
  list.ok("it has not expired");
  list.begin("session");
  noteLifetime(data, expiresAt, settings.settings, list);
  noteLogin(data, settings, list);
}

/** Throws the reason of one that cannot be read, at its step. */
function noteReading<By extends number | null>(
  reading: Reading<By>,
  keys: readonly SecretKey[],
  list: Checklist,
): VerifiedReading<By> {
  for (const [step, told] of Object.entries(toldOf(reading, keys))) {
    list.begin(step);
    if (!reading.verified && reading.step === step) break;
    list.ok(told);
  }
  if (!reading.verified) throw fault(`the payload ${reading.reason}`);
  return reading;
}

function toldOf(reading: Reading<number | null>, keys: readonly SecretKey[]) {
  const { signedBy, data } = reading.verified ? reading : { signedBy: null, data: {} };
  return {
    format: "it is what the settings say",
    signature:
      keys.length === 0
        ? "none: a cache is trusted, in Django too"
        : `good${signedBy === null ? "" : `, by ${signerName(signedBy, keys)}`}`,
    contents: `${count(Object.keys(data).length, "key")}: ${shown(Object.keys(data))}`,
  };
}

/** Names of a session's data, some of them: as JSON writes them, which is harmless on a terminal. */
function shown(names: readonly string[]): string {
  const some = names.slice(0, MAX_NAMES).map((name) => stringifyPythonJson(name.slice(0, MAX_NAME)).slice(1, -1));
  return `${some.join(", ")}${names.length > MAX_NAMES ? ", …" : ""}`;
}
