import { fromIsoFormat } from "./iso-format.ts";

/** An instant; then, each if it is there: the name of its offset, or a zone of the IANA data base; the fold. */
const ZONED = /^([^[]{1,64})(?:\[tzname=[^\]]*\]|\[([A-Za-z][\w+\-/.]{0,99})\])?(\[fold=1\])?$/;

const DAY_MS = 86_400_000;

/**
 * The instant of a Python datetime in the manner of RFC 9557, `2026-10-25T02:30:00[Europe/Berlin][fold=1]` or
 * `…+01:00[tzname=CET]`; without offset and zone it is taken as UTC. `null` for anything else, and for a zone that this
 * system does not know.
 */
export function zonedInstant(text: string): Date | null {
  const [, local, zone, fold] = ZONED.exec(text) ?? [];
  if (local === undefined) return null;
  if (zone === undefined) return fromIsoFormat(local);
  // Not one with an offset: then it is no datetime's.
  const asUtc = fromIsoFormat(`${local}Z`);
  try {
    return asUtc && inZone(asUtc.getTime(), zone, fold !== undefined);
  } catch {
    return null;
  }
}

/**
 * PEP 495: what the clocks show twice, or never, is taken by the offset from before they are changed, and with the fold
 * by that from after.
 */
function inZone(asUtc: number, zone: string, isSecond: boolean): Date {
  const [before, after] = [asUtc - DAY_MS, asUtc + DAY_MS].map((near) => asUtc - offsetAt(near, zone)) as [
    number,
    number,
  ];
  const [isBefore, isAfter] = [before, after].map((instant) => instant + offsetAt(instant, zone) === asUtc);
  if (isBefore === isAfter) return new Date(isSecond ? after : before);
  return new Date(isBefore ? before : after);
}

/** Milliseconds. Throws `RangeError` for an unknown zone. */
function offsetAt(instant: number, zone: string): number {
  const parts = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" }).formatToParts(instant);
  // "GMT", "GMT+01:00", "GMT-00:44:30".
  const name = parts.find(({ type }) => type === "timeZoneName")!.value;
  const [, sign, hours = 0, minutes = 0, seconds = 0] = /([+-])(\d\d):(\d\d)(?::(\d\d))?/.exec(name) ?? [];
  return (sign === "-" ? -1000 : 1000) * ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds));
}
