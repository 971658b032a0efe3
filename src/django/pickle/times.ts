import { isNode, type PickleNode } from "./node.ts";
import { fraction, two } from "./timedelta.ts";
import { formatZone, parseZone } from "./zones.ts";

/*
 * Python's date, time and datetime, which a pickle holds as packed bytes and a zone, as their isoformat. The first bit of
 * the month (of a time: of the hour) is the fold, the second of two equal hours when clocks are put back; the text says
 * it in the manner of RFC 9557: `2026-10-25T02:30:00[Europe/Berlin][fold=1]`.
 */

const DATE = /^(\d{4})-(\d\d)-(\d\d)/;
const TIME = /^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(.*?)(\[fold=1\])?$/;

type Args = readonly PickleNode[];

export function formatDate([state]: Args): string | undefined {
  return isNode(state, "bytes") && state.bytes.length === 4 ? dateText(state.bytes) : undefined;
}

export function parseDate(text: string): Args | undefined {
  const bytes = text.length === 10 ? dateBytes(text) : undefined;
  return bytes && [{ type: "bytes", bytes }];
}

export function formatTime([state, zone]: Args): string | undefined {
  return isNode(state, "bytes") && state.bytes.length === 6 ? timeText(state.bytes, 0, zone) : undefined;
}

export function parseTime(text: string): Args | undefined {
  const time = timeBytes(text);
  if (!time) return undefined;
  time.bytes[0]! |= time.fold;
  return [{ type: "bytes", bytes: time.bytes }, ...time.zone];
}

export function formatDatetime([state, zone]: Args): string | undefined {
  if (!isNode(state, "bytes") || state.bytes.length !== 10) return undefined;
  const date = dateText(state.bytes);
  const time = timeText(state.bytes.subarray(4), state.bytes[2]! & FOLD, zone);
  return date && time && `${date}T${time}`;
}

export function parseDatetime(text: string): Args | undefined {
  const date = dateBytes(text);
  const time = timeBytes(text.slice(11));
  if (!date || !time || text[10] !== "T") return undefined;
  date[2]! |= time.fold;
  return [{ type: "bytes", bytes: Buffer.concat([date, time.bytes]) }, ...time.zone];
}

const FOLD = 0x80;

function dateText(bytes: Buffer): string | undefined {
  const [year, month, day] = [bytes.readUInt16BE(0), bytes[2]! & ~FOLD, bytes[3]!];
  return isDate(year, month, day) ? `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}` : undefined;
}

function dateBytes(text: string): Buffer | undefined {
  const [year, month, day] = DATE.exec(text)?.slice(1).map(Number) ?? [];
  return isDate(year!, month!, day!) ? Buffer.from([year! >> 8, year! & 0xff, month!, day!]) : undefined;
}

function isDate(year: number, month: number, day: number): boolean {
  if (!(year >= 1 && year <= 9999 && month >= 1 && month <= 12)) return false;
  // The calendar repeats every 400 years; Date.UTC takes the first century for the twentieth.
  return day >= 1 && day <= new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
}

/** @param fold the bit, where a datetime has it; a time has its own */
function timeText(bytes: Buffer, fold: number, zone: PickleNode | undefined): string | undefined {
  const [hour, minute, second, rest] = [bytes[0]! & ~FOLD, bytes[1]!, bytes[2]!, bytes.readUIntBE(3, 3)];
  const suffix = formatZone(zone);
  if (suffix === undefined || !isTime(hour, minute, second) || rest > 999_999) return undefined;
  const folded = fold || bytes[0]! & FOLD ? "[fold=1]" : "";
  return `${two(hour)}:${two(minute)}:${two(second)}${fraction(rest)}${suffix}${folded}`;
}

function timeBytes(text: string): { bytes: Buffer; zone: Args; fold: number } | undefined {
  const match = TIME.exec(text);
  if (!match) return undefined;
  const [hour, minute, second] = match.slice(1, 4).map(Number) as [number, number, number];
  const [, , , , part = "", suffix = "", folded] = match;
  const zone = parseZone(suffix);
  if (!zone || !isTime(hour, minute, second)) return undefined;
  const bytes = Buffer.from([hour, minute, second, 0, 0, 0]);
  bytes.writeUIntBE(Number(part.padEnd(6, "0")), 3, 3);
  return { bytes, zone, fold: folded ? FOLD : 0 };
}

function isTime(hour: number, minute: number, second: number): boolean {
  return hour < 24 && minute < 60 && second < 60;
}
