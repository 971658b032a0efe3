import type { PickleNode } from "./node.ts";

/* Python's timedelta: days of either sign, and seconds and microseconds that are not negative. */

export const SECOND = 1_000_000n;
export const DAY: bigint = 86_400n * SECOND;

/** ISO 8601, of days and less. */
const DURATION =
  /^(-?)P(?!$)(?:(\d{1,9})D)?(?:T(?!$)(?:(\d{1,12})H)?(?:(\d{1,14})M)?(?:(\d{1,15})(?:\.(\d{1,6}))?S)?)?$/;

/** As Django's `duration_iso_string`, and so its JSON, writes it. */
export function formatTimedelta(args: readonly PickleNode[]): string | undefined {
  const total = microseconds(args);
  if (total === undefined) return undefined;
  const size = total < 0n ? -total : total;
  const seconds = `${two((size / SECOND) % 60n)}${fraction(size % SECOND)}`;
  return `${total < 0n ? "-" : ""}P${size / DAY}DT${two((size / SECOND / 3600n) % 24n)}H${two((size / SECOND / 60n) % 60n)}M${seconds}S`;
}

export function parseTimedelta(text: string): number[] | undefined {
  const match = DURATION.exec(text);
  if (!match) return undefined;
  const [, sign, days = "0", hours = "0", minutes = "0", seconds = "0", part = ""] = match;
  const whole = ((BigInt(days) * 24n + BigInt(hours)) * 60n + BigInt(minutes)) * 60n + BigInt(seconds);
  const size = whole * SECOND + BigInt(part.padEnd(6, "0"));
  const args = timedelta(sign ? -size : size);
  return microseconds(args) === undefined ? undefined : args;
}

/** The arguments of a timedelta of so many microseconds. */
export function timedelta(microseconds: bigint): number[] {
  const rest = ((microseconds % DAY) + DAY) % DAY;
  return [Number((microseconds - rest) / DAY), Number(rest / SECOND), Number(rest % SECOND)];
}

/** The microseconds of a timedelta's arguments, if they are Python's. */
export function microseconds([days, seconds, rest]: readonly PickleNode[]): bigint | undefined {
  if (!isBetween(days, -999_999_999, 999_999_999)) return undefined;
  if (!isBetween(seconds, 0, 86_399) || !isBetween(rest, 0, 999_999)) return undefined;
  return BigInt(days) * DAY + BigInt(seconds) * SECOND + BigInt(rest);
}

function isBetween(value: PickleNode | undefined, least: number, most: number): value is number {
  return typeof value === "number" && value >= least && value <= most;
}

export function two(value: number | bigint): string {
  return String(value).padStart(2, "0");
}

/** Of a second, as Python's isoformat prints it: six digits or none. */
export function fraction(microseconds: number | bigint): string {
  return Number(microseconds) === 0 ? "" : `.${String(microseconds).padStart(6, "0")}`;
}
