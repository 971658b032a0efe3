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
