import { SessionError } from "./errors.ts";
import { fromIsoFormat, isoFormat } from "./iso-format.ts";
import { isPlainObject } from "./values.ts";
import { zonedInstant } from "./zoned-instant.ts";

/** Where Django keeps a session's own expiry, inside its data. */
export const EXPIRY_KEY = "_session_expiry";

/** Where a session keeps the instant from which its absolute age counts, in seconds since 1970. */
export const STARTED_KEY = "_session_started";

export interface ExpiryPolicy {
  /** How long a session without an expiry of its own lives after its last save, in seconds. */
  readonly cookieAge: number;
  /** Whether such a session's cookie ends with the browser. */
  readonly expireAtBrowserClose: boolean;
  /** OWASP's absolute timeout: how long a session lives at most, however often it is saved, in seconds. */
  readonly absoluteAge: number | null;
  /** Django's USE_TZ: whether instants are written with an offset (`+00:00`), or naive, in UTC. */
  readonly useTz: boolean;
}

/** A length of time. All parts are added up. */
export interface Duration {
  readonly weeks?: number;
  readonly days?: number;
  readonly hours?: number;
  readonly minutes?: number;
  readonly seconds?: number;
  readonly milliseconds?: number;
}

/** What `setExpiry` takes: seconds after each save, an instant, a time from now, `0`, `null` or `Infinity`. */
export type Expiry = number | Date | Duration | null;

const SECONDS: Record<keyof Duration, number> = {
  weeks: 604_800,
  days: 86_400,
  hours: 3_600,
  minutes: 60,
  seconds: 1,
  milliseconds: 0.001,
};

/** "Never" is a far instant, so that Django honours it too; a year before Python's last, to leave time zones room. */
const NEVER = new Date("9999-01-01T00:00:00Z");

/** Python's datetime begins with the year 1, and an age in seconds must lead to an instant, too. */
const FIRST_MS = Date.parse("0001-01-01T00:00:00Z");
const MAX_AGE = NEVER.getTime() / 1000 - 4_102_444_800;

/**
 * The value to keep under `_session_expiry`; `undefined` to keep none. Django's `set_expiry`, plus `Infinity`.
 * Throws `ERR_SESSION_VALUE` for NaN, an invalid date and anything that is not an expiry.
 *
 * @param keep what stands for an instant that `isoFormat` has written
 */
export function storedExpiry(
  expiry: Expiry,
  now: Date,
  policy: ExpiryPolicy,
  keep: (iso: string) => unknown = (iso) => iso,
): unknown {
  if (expiry === null) return undefined;
  if (expiry === Number.POSITIVE_INFINITY) return keep(isoFormat(NEVER, policy.useTz));
  if (typeof expiry === "number" && isAge(expiry)) return expiry;
  if (expiry instanceof Date && isInstant(expiry)) return keep(isoFormat(expiry, policy.useTz));
  if (typeof expiry === "object" && !(expiry instanceof Date)) {
    const parts = Object.entries(expiry);
    if (parts.length > 0 && parts.every(([unit, n]) => Object.hasOwn(SECONDS, unit) && Number.isFinite(n))) {
      const seconds = parts.reduce((sum, [unit, n]) => sum + n * SECONDS[unit as keyof Duration], 0);
      const end = new Date(now.getTime() + seconds * 1000);
      if (isInstant(end)) return keep(isoFormat(end, policy.useTz));
    }
  }
  throw new SessionError(
    "ERR_SESSION_VALUE",
    "setExpiry takes seconds, a Date, a duration like { hours: 1 }, 0 (ends with the browser), null (the global setting) or Infinity (never); up to the year 9999.",
  );
}

function isAge(seconds: number): boolean {
  return Math.abs(seconds) <= MAX_AGE;
}

function isInstant(date: Date): boolean {
  return date.getTime() >= FIRST_MS && date.getTime() <= NEVER.getTime();
}

/**
 * Seconds until the session expires, counted from its last modification. A number that was set is that number, always
 * (it counts from each save); an instant is rounded down to whole seconds, and may be past. Django's `get_expiry_age`.
 */
export function expiryAge(data: object, modified: Date, policy: ExpiryPolicy): number {
  const expiry = readExpiry(data);
  const seconds = (end: number) => Math.floor((end - modified.getTime()) / 1000);
  // `not expiry` in Django: 0 ends the cookie with the browser, but the record lives for the global age.
  const age = expiry instanceof Date ? seconds(expiry.getTime()) : expiry || policy.cookieAge;
  return Math.min(age, seconds(absoluteEnd(data, modified, policy)));
}

/** The instant at which the session expires. Django's `get_expiry_date`. */
export function expiryDate(data: object, modified: Date, policy: ExpiryPolicy): Date {
  const expiry = readExpiry(data);
  const end = expiry instanceof Date ? expiry.getTime() : modified.getTime() + (expiry || policy.cookieAge) * 1000;
  return new Date(Math.min(end, absoluteEnd(data, modified, policy)));
}

/** A session that does not say when it started, as one of Django's, starts now; nor can it have started in the future. */
function absoluteEnd(data: object, modified: Date, { absoluteAge }: ExpiryPolicy): number {
  if (absoluteAge === null) return Number.POSITIVE_INFINITY;
  const started = startOf(data) ?? Number.POSITIVE_INFINITY;
  return Math.min(started * 1000, modified.getTime()) + absoluteAge * 1000;
}

/** When the session started, in seconds since 1970, if it says so. */
export function startOf(data: object): number | undefined {
  const value = Object.hasOwn(data, STARTED_KEY) ? (data as Record<string, unknown>)[STARTED_KEY] : undefined;
  return typeof value === "number" && isAge(value) ? value : undefined;
}

/** Whether the cookie ends with the browser. Django's `get_expire_at_browser_close`. */
export function expiresAtBrowserClose(data: object, policy: ExpiryPolicy): boolean {
  const expiry = readExpiry(data);
  return expiry === undefined ? policy.expireAtBrowserClose : expiry === 0;
}

function readExpiry(data: object): number | Date | undefined {
  if (!Object.hasOwn(data, EXPIRY_KEY)) return undefined;
  const value = (data as Record<string, unknown>)[EXPIRY_KEY];
  if (value === null) return undefined;
  // Python's True and False are the ints 1 and 0.
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") {
    if (isAge(Number(value))) return Number(value);
  }
  const instant = typeof value === "string" ? fromIsoFormat(value) : fromDatetime(value);
  if (instant) return instant;
  throw new SessionError(
    "ERR_SESSION_VALUE",
    `The session's ${EXPIRY_KEY} is neither seconds nor an ISO 8601 instant.`,
  );
}

/** A datetime of a pickle, as Django before 4.1 keeps it: see docs/decisions/0009-pickle-values.md. */
function fromDatetime(value: unknown): Date | null {
  return isPlainObject(value) && typeof value.$datetime === "string" ? zonedInstant(value.$datetime) : null;
}
