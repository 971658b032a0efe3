import type { Expiry } from "sojourn";
import { badRequest } from "./bad-request.ts";

const INSTANT = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/;

/** A century: far beyond what a demo needs, and near enough for every calendar. */
const MAX_SECONDS = 100 * 366 * 86_400;

/** What `setExpiry` takes, from JSON: seconds, `null`, an ISO instant (UTC unless it says otherwise) or `"never"`. */
export function readExpiry(value: unknown): Expiry {
  if (value === null) return null;
  if (value === "never" || value === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
  if (typeof value === "number" && Math.abs(value) <= MAX_SECONDS) return value;
  if (typeof value === "string") {
    // An unescaped "+" in a query arrives as a blank.
    const text = value.replace(/(T.*) (\d\d:\d\d)$/, "$1+$2");
    const [, time, , , zone] = INSTANT.exec(text) ?? [];
    const instant = new Date(time && !zone ? `${text}Z` : text);
    if (INSTANT.test(text) && !Number.isNaN(instant.getTime())) return instant;
  }
  throw badRequest('An expiry is a number of seconds, null, an ISO date such as 2030-01-31T12:00Z, or "never".');
}
