/** Python's last: a year of five digits is compared as earlier than every other, or refused. */
const LAST_INSTANT = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** An instant as SQL's text, in UTC: `2026-12-04 11:46:18.566`. Before 1970 everything has expired, whenever it was. */
export function utcText(instant: Date): string {
  const time = Math.min(Math.max(instant.getTime(), 0), LAST_INSTANT);
  return new Date(time).toISOString().replace("T", " ").slice(0, -1);
}
