/** What plain JSON would leave out or change. */
export const UNSTORABLE_AS_JSON: Readonly<Record<string, unknown>> = {
  undefined: undefined,
  "a BigInt": 1n,
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "a Date": new Date(),
  "a Map": new Map(),
  "a Set": new Set(),
  "a regular expression": /x/,
  "an Error": new Error("x"),
  bytes: new Uint8Array(1),
  "an instance of a class": new (class Cart {})(),
  "a boxed number": Object(1),
  "an object with toJSON": { toJSON: () => 1 },
};
