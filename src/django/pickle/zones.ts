import { isNode, type PickleNode, type PickleObject } from "./node.ts";
import { DAY, fraction, microseconds, SECOND, timedelta, two } from "./timedelta.ts";

/*
 * Python's tzinfo as what follows a time: nothing, an offset `+01:00`, an offset that has a name (astimezone() makes such)
 * `+01:00[tzname=CET]`, or a zone of the IANA data base, as in RFC 9557: `[Europe/Berlin]`. The last has no offset: only
 * those data know it.
 */

const OFFSET = /^([+-])(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(?:\[tzname=(.*)\])?$/;
/** Of the IANA data base. */
const ZONE = /^\[([A-Za-z][\w+\-/.]{0,99})\]$/;
/** Nothing that would end the suffix, or a line. */
const ABBREVIATION = /^[^\]\p{C}]{0,100}$/u;

/** Django's own zone for all it makes: one object, as in Python, so that a pickle says it once. */
const UTC: PickleObject = fixedZone(0n);

export function formatZone(node: PickleNode | undefined): string | undefined {
  if (node === undefined) return "";
  if (!isNode(node, "object")) return undefined;
  const [first, second] = node.args;
  switch (node.global) {
    case "datetime timezone":
      return isNode(first, "object") && first.global === "datetime timedelta"
        ? formatFixedZone(microseconds(first.args), second)
        : undefined;
    case "zoneinfo ZoneInfo._unpickle":
      return typeof first === "string" && ZONE.test(`[${first}]`) && (second === 1 || second === true)
        ? `[${first}]`
        : undefined;
    // What Django before 4.0 uses for UTC.
    case "pytz _UTC":
      return "+00:00";
    default:
      return undefined;
  }
}

/** None or one. `undefined` for a text that says no zone. */
export function parseZone(text: string): PickleObject[] | undefined {
  if (text === "") return [];
  if (text === "Z" || text === "+00:00") return [UTC];
  const [, zone] = ZONE.exec(text) ?? [];
  if (zone !== undefined) return [{ type: "object", global: "zoneinfo ZoneInfo._unpickle", args: [zone, 1] }];
  const match = OFFSET.exec(text);
  if (!match) return undefined;
  const [, sign, hours, minutes, seconds = "0", part = "", name] = match;
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) return undefined;
  if (name !== undefined && !ABBREVIATION.test(name)) return undefined;
  const whole = (BigInt(hours!) * 60n + BigInt(minutes!)) * 60n + BigInt(seconds);
  const size = whole * SECOND + BigInt(part.padEnd(6, "0"));
  return [fixedZone(sign === "-" ? -size : size, ...(name === undefined ? [] : [name]))];
}

function formatFixedZone(offset: bigint | undefined, name: PickleNode | undefined): string | undefined {
  if (offset === undefined || offset <= -DAY || offset >= DAY) return undefined;
  if (name !== undefined && (typeof name !== "string" || !ABBREVIATION.test(name))) return undefined;
  const size = offset < 0n ? -offset : offset;
  const rest = size % (60n * SECOND);
  const seconds = rest === 0n ? "" : `:${two(rest / SECOND)}${fraction(rest % SECOND)}`;
  const minutes = `${two(size / SECOND / 3600n)}:${two((size / SECOND / 60n) % 60n)}`;
  return `${offset < 0n ? "-" : "+"}${minutes}${seconds}${name === undefined ? "" : `[tzname=${name}]`}`;
}

function fixedZone(offset: bigint, ...name: readonly string[]): PickleObject {
  const delta: PickleObject = { type: "object", global: "datetime timedelta", args: timedelta(offset) };
  return { type: "object", global: "datetime timezone", args: [delta, ...name] };
}
