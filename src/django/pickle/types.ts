import { integer, isNode, type PickleObject } from "./node.ts";
import { formatTimedelta, parseTimedelta } from "./timedelta.ts";
import { formatDate, formatDatetime, formatTime, parseDate, parseDatetime, parseTime } from "./times.ts";

/** A class of Python's whose instances have a text in JavaScript. */
export interface PythonType {
  readonly global: string;
  /** For error messages: what the text looks like. */
  readonly example: string;
  /** The text of an instance; `undefined` if Python does not write such a one. */
  format(instance: PythonInstance): string | undefined;
  /** The instance of a text; `undefined` for a text from which Python could not load one. */
  parse(text: string): PythonInstance | undefined;
}

/** What the class is called with. */
export type PythonInstance = Pick<PickleObject, "args" | "state">;

/** As Python prints it, whose exponents have 18 digits at most. Not `sNaN`, which cannot be a key. */
const DECIMAL = /^-?(?:\d+(?:\.\d+)?(?:E[+-]\d{1,17})?|Infinity|NaN\d*)$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** By the key that such a value has in JavaScript. */
export const TYPES: Readonly<Record<string, PythonType>> = {
  $datetime: {
    global: "datetime datetime",
    example: "2026-11-20T12:00:00.123456+00:00",
    format: ({ args }) => formatDatetime(args),
    parse: (text) => asInstance(parseDatetime(text)),
  },
  $date: {
    global: "datetime date",
    example: "2026-11-20",
    format: ({ args }) => formatDate(args),
    parse: (text) => asInstance(parseDate(text)),
  },
  $time: {
    global: "datetime time",
    example: "12:00:00.123456",
    format: ({ args }) => formatTime(args),
    parse: (text) => asInstance(parseTime(text)),
  },
  $timedelta: {
    global: "datetime timedelta",
    example: "P1DT02H03M04.000005S",
    format: ({ args }) => formatTimedelta(args),
    parse: (text) => asInstance(parseTimedelta(text)),
  },
  $decimal: {
    global: "decimal Decimal",
    example: "1.50",
    format: ({ args: [text] }) => (typeof text === "string" && DECIMAL.test(text) ? text : undefined),
    parse: (text) => (DECIMAL.test(text) ? { args: [text] } : undefined),
  },
  $uuid: {
    global: "uuid UUID",
    example: "00000000-0000-0000-0000-000000000000",
    format({ state }) {
      // `is_safe` may follow, of which Python says nothing either when it compares or prints.
      if (!isNode(state, "dict") || state.items.length > 4 || state.items[0] !== "int") return undefined;
      const value = state.items[1];
      if (typeof value !== "number" && typeof value !== "bigint") return undefined;
      if (value < 0 || value >= 2n ** 128n) return undefined;
      const hex = value.toString(16).padStart(32, "0");
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    },
    parse(text) {
      if (!UUID.test(text)) return undefined;
      return { args: [], state: { type: "dict", items: ["int", integer(BigInt(`0x${text.replaceAll("-", "")}`))] } };
    },
  },
};

function asInstance(args: PythonInstance["args"] | undefined): PythonInstance | undefined {
  return args && { args };
}
