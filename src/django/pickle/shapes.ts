import { MAX_BYTES } from "../../core/values.ts";
import { type PythonType, TYPES } from "./types.ts";

/*
 * Python's values as JavaScript's: what JSON has a word for is that; everything else is an object with one key, which
 * begins with "$" and names Python's type. The table is in docs/decisions/0009-pickle-values.md.
 */

/** Python's values that JSON has no word for, as they are read from a pickle and may be stored in one. */
export type PythonValue =
  | { $tuple: unknown[] }
  | { $set: unknown[] }
  | { $frozenset: unknown[] }
  /** Base64. */
  | { $bytes: string }
  | { $bytearray: string }
  /** `2026-11-20T12:00:00.123456+00:00`, without an offset, or with a zone: `2026-11-20T12:00:00[Europe/Berlin]`. */
  | { $datetime: string }
  | { $date: string }
  | { $time: string }
  /** `P1DT02H03M04.000005S` */
  | { $timedelta: string }
  | { $decimal: string }
  | { $uuid: string }
  /** The real and the imaginary part. */
  | { $complex: [number, number] };

/** Keys that only such an object may have. A dict's own key of such a name stands in its `$dict`. */
export const RESERVED: ReadonlySet<string> = new Set([
  "$dict",
  "$tuple",
  "$set",
  "$frozenset",
  "$bytes",
  "$bytearray",
  "$complex",
  ...Object.keys(TYPES),
]);

export const BY_GLOBAL: ReadonlyMap<string, readonly [tag: string, type: PythonType]> = new Map(
  Object.entries(TYPES).map(([tag, type]) => [type.global, [tag, type]]),
);

/**
 * What Python said beyond the value: that a number was a float, in which order the keys came, which container it was.
 * The same shape as python-json's, so that what one format has read the other can write.
 */
export type Origin = string | ContainerOrigin;

export interface ContainerOrigin {
  readonly keys: readonly string[] | undefined;
  readonly of: ReadonlyMap<string | number, Origin>;
  readonly type?: "tuple" | "OrderedDict" | undefined;
}

/** Values in one session, counted as often as they are referred to: a shared part takes two bytes of a pickle. */
const MAX_VALUES = 1_000_000;

/** Counts down what one session may hold, the same for reading and for writing. */
export function allowance(exceeded: () => Error): { value(): void; text(length: number): void } {
  let values = MAX_VALUES;
  let text = MAX_BYTES;
  return {
    value() {
      if (--values < 0) throw exceeded();
    },
    text(length) {
      text -= length;
      if (text < 0) throw exceeded();
    },
  };
}

/** Whether JavaScript's number is written as a float without being told: an int is what is exact and no `-0`. */
export function isFloat(value: number): boolean {
  return !Number.isSafeInteger(value) || Object.is(value, -0);
}
