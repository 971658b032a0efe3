import { SessionError } from "./errors.ts";

/** Where Django keeps a session's own expiry, inside its data. */
export const EXPIRY_KEY = "_session_expiry";

export interface ExpiryPolicy {
  /** How long a session without an expiry of its own lives after its last save, in seconds. */
  readonly cookieAge: number;
  /** Whether such a session's cookie ends with the browser. */
  readonly expireAtBrowserClose: boolean;
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
 */
export function storedExpiry(expiry: Expiry, now: Date, policy: ExpiryPolicy): number | string | undefined {
  if (expiry === null) return undefined;
  if (expiry === Number.POSITIVE_INFINITY) return isoFormat(NEVER, policy.useTz);
  if (typeof expiry === "number" && isAge(expiry)) return expiry;
  if (expiry instanceof Date && isInstant(expiry)) return isoFormat(expiry, policy.useTz);
  if (typeof expiry === "object" && !(expiry instanceof Date)) {
    const parts = Object.entries(expiry);
    if (parts.length > 0 && parts.every(([unit, n]) => Object.hasOwn(SECONDS, unit) && Number.isFinite(n))) {
      const seconds = parts.reduce((sum, [unit, n]) => sum + n * SECONDS[unit as keyof Duration], 0);
      const end = new Date(now.getTime() + seconds * 1000);
      if (isInstant(end)) return isoFormat(end, policy.useTz);
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
  if (expiry instanceof Date) return Math.floor((expiry.getTime() - modified.getTime()) / 1000);
  // `not expiry` in Django: 0 ends the cookie with the browser, but the record lives for the global age.
  return expiry || policy.cookieAge;
}

/** The instant at which the session expires. Django's `get_expiry_date`. */
export function expiryDate(data: object, modified: Date, policy: ExpiryPolicy): Date {
  const expiry = readExpiry(data);
  if (expiry instanceof Date) return expiry;
  return new Date(modified.getTime() + (expiry || policy.cookieAge) * 1000);
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
  const instant = typeof value === "string" ? fromIsoFormat(value) : null;
  if (instant) return instant;
  throw new SessionError(
    "ERR_SESSION_VALUE",
    `The session's ${EXPIRY_KEY} is neither seconds nor an ISO 8601 instant.`,
  );
}

/**
 * An instant as Python's `datetime.isoformat` writes it: no fraction or six digits, and `+00:00` rather than `Z`, which
 * Python before 3.11 cannot read.
 */
export function isoFormat(instant: Date, useTz = true): string {
  const text = instant.toISOString();
  const ms = text.slice(-4, -1);
  return text.slice(0, -5) + (ms === "000" ? "" : `.${ms}000`) + (useTz ? "+00:00" : "");
}

const ISO_DATE = "(\\d{4})(?:-?W(\\d\\d)(?:-?(\\d))?|-?(\\d\\d)-?(\\d\\d))";
const ISO_TIME = "(\\d\\d)(?::?(\\d\\d)(?::?(\\d\\d)(?:[.,](\\d{1,9}))?)?)?";
const ISO_ZONE = " ?(?:Z|([+-])(\\d\\d):?(\\d\\d)(?::?(\\d\\d)(?:\\.\\d{1,6})?)?)";
const ISO = new RegExp(`^${ISO_DATE}(?:.${ISO_TIME}(?:${ISO_ZONE})?)?$`, "s");

/**
 * Reads what Python 3.11's `datetime.fromisoformat` reads, down to milliseconds; `null` for anything else. A time
 * without offset is taken as UTC.
 */
export function fromIsoFormat(text: string): Date | null {
  const match = text.length <= 64 ? ISO.exec(text) : null;
  if (!match) return null;
  const part = (index: number, missing = 0) => (match[index] === undefined ? missing : Number(match[index]));
  const midnight = match[2] ? isoWeekDay(part(1), part(2), part(3, 1)) : calendarDay(part(1), part(4), part(5));
  const [hour, minute, second] = [part(6), part(7), part(8)];
  const offset = (match[10] === "-" ? -1 : 1) * (part(11) * 3600 + part(12) * 60 + part(13));
  if (midnight === null || hour > 23 || minute > 59 || second > 59 || Math.abs(offset) >= 86_400) return null;
  const ms = Number((match[9] ?? "").slice(0, 3).padEnd(3, "0"));
  return new Date(midnight + ((hour * 60 + minute) * 60 + second - offset) * 1000 + ms);
}

function calendarDay(year: number, month: number, day: number): number | null {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return year >= 1 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() : null;
}

/** ISO 8601: week 1 is the week of January 4th, and weeks begin on Monday. */
function isoWeekDay(year: number, week: number, day: number): number | null {
  const january4 = new Date(0);
  january4.setUTCFullYear(year, 0, 4);
  const monday = january4.getTime() - ((january4.getUTCDay() + 6) % 7) * 86_400_000;
  const weeks = isoWeeks(year, monday);
  return year >= 1 && week >= 1 && week <= weeks && day >= 1 && day <= 7
    ? monday + ((week - 1) * 7 + day - 1) * 86_400_000
    : null;
}

function isoWeeks(year: number, monday: number): number {
  const nextJanuary4 = new Date(0);
  nextJanuary4.setUTCFullYear(year + 1, 0, 4);
  return Math.floor((nextJanuary4.getTime() - monday) / (7 * 86_400_000));
}
