import type { Payload, SessionData } from "../core/contracts.ts";

/** Data that every codec must carry: what JSON can say. */
export const STORABLE: Readonly<Record<string, SessionData>> = {
  "no data": {},
  "texts of every kind": {
    empty: "",
    ascii: "\u0000\u0001\t\n\r\u001f \"'\\/<>&\u007f",
    bmp: "éß漢字\u2028\u2029\ufeff\uffff",
    astral: "😀\u{10ffff}",
    halved: "\ud83d and \ude00",
    json: '{"a":1}',
    colons: "a:b::c:",
  },
  numbers: {
    zero: 0,
    negative: -1,
    safe: [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
    fractions: [0.1, -2.5, 1 / 3, 5e-324, Number.MAX_VALUE, 1e16, 1e21, 1e-7, 123456789.125],
  },
  "truth values and null": { yes: true, no: false, nothing: null },
  containers: { list: [], dict: {}, nested: { a: [{ b: [[], [null]] }, "c"] } },
  "keys of every kind": { "": 1, " ": 2, é: 3, "a.b[0]": 4, '"': 5, "\u0000": 6, constructor: 7, toString: 8 },
  "a text of 200,000 characters": { text: "abcdefghij".repeat(20_000) },
  "10,000 keys": Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`k${n}`, n])),
};

/** Values that no codec carries. */
export const UNSTORABLE: Readonly<Record<string, unknown>> = {
  "a function": () => {},
  "a symbol": Symbol("s"),
};

/** A repeatable sequence of numbers from 0 to 1 (mulberry32): the suite depends on nothing. */
export function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Any JSON object, of a dozen values at most, most of them small. */
export function anyData(random: () => number): SessionData {
  const below = (n: number) => Math.floor(random() * n);
  const text = () =>
    String.fromCodePoint(...Array.from({ length: below(8) }, () => below([128, 0x800, 0x110000][below(3)]!)));
  const scalars = [
    text,
    () => below(1000) - 500,
    () => (random() - 0.5) * 10 ** (below(600) - 300),
    () => below(2) === 1,
    () => null,
  ];
  const value = (depth: number): unknown => {
    const kind = below(depth > 0 ? 7 : 5);
    if (kind === 5) return Array.from({ length: below(4) }, () => value(depth - 1));
    return kind === 6 ? dict(depth - 1) : scalars[kind]!();
  };
  // Not from text(): keys that are numbers come in another order than they were set in.
  const dict = (depth: number) =>
    Object.fromEntries(Array.from({ length: below(4) }, () => [`_${text()}`, value(depth)]));
  return dict(4);
}

/** The payload with one random change: something replaced, inserted, removed, doubled or moved. */
export function mutated<P extends Payload>(payload: P, random: () => number): P {
  const below = (n: number) => Math.floor(random() * n);
  const items: (string | number)[] = [...payload];
  const item = () => (typeof payload === "string" ? String.fromCharCode(below(256)) : below(256));
  const at = below(items.length + 1);
  const changes = [
    () => items.splice(at, 1, item()),
    () => items.splice(at, 0, item()),
    () => items.splice(at, 1 + below(4)),
    () => items.splice(at),
    () => items.splice(at, 0, ...items.slice(0, at)),
    () => items.push(...items.splice(0, at)),
  ];
  changes[below(changes.length)]!();
  return (typeof payload === "string" ? items.join("") : Uint8Array.from(items as number[])) as P;
}
