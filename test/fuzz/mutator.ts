import { pseudoRandom } from "../../src/testing/codec-values.ts";

/*
 * Valid texts and records, changed: what an attacker, a proxy, a disk or another program makes of them. Bytes are texts
 * of latin-1 here; see `fuzz.ts`.
 */

interface Draw {
  /** A whole number from 0 to n - 1. */
  below(n: number): number;
  pick<T>(items: readonly T[]): T;
  /** Another valid text, or the same. */
  other(): string;
}

type Mutation = (text: string, at: number, draw: Draw) => string;

const SEPARATOR = /[:.~;=,"/@?& {}[\]]/g;
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const LONG = 65_536;

/** Sets of characters as tables: a regular expression for each character of a long text takes too long. */
const [WORD, LETTER, NUMERAL, BASE64URL, BOTH_BASE64, PADDED] = [
  /\w/,
  /[a-z]/i,
  /[\w.-]/,
  /[\w-]/,
  /[\w+/-]/,
  /[\w+/=-]/,
].map((like) => Uint8Array.from({ length: 128 }, (_, code) => (like.test(String.fromCharCode(code)) ? 1 : 0))) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
];

const NUMBERS: readonly string[] = [
  ...["0", "-0", "-1", "00", "1", "007", "127", "255", "65535", "65536", "2147483647", "2147483648", "4294967295"],
  ...["4294967296", "9007199254740991", "9007199254740993", "9223372036854775808", "1e308", "1e999", "-1e-999", "0x10"],
  ...["NaN", "Infinity", "-Infinity", "zzzzzz", "zzzzzzzzzzzzzzzzzzzz", "9".repeat(400), "253402300800", "1.0", ".5"],
];

/** As they stand in binary formats, little-endian. */
const LENGTHS: readonly string[] = [
  ...["\x00\x00\x00\x00", "\xff\xff\xff\xff", "\xff\xff\xff\x7f", "\x00\x00\x00\x80", "\x01\x00\x00\x00"],
  ...[
    "\xff\xff\xff\xff\xff\xff\xff\xff",
    "\xff\xff\xff\xff\xff\xff\xff\x7f",
    "\x00\x00\x40\x00",
    "\xff\xff\xff\xff\x0f",
  ],
];

/** What programs trim, normalize, cut at or take for something else. */
const STRANGE: readonly string[] = [
  ...["\0", "\t", "\n", "\r\n", " ", "\x7f", "\x80", "\xa0", "\xad", "\xff", "\u0130", "\u200b", "\u2028", "\u3000"],
  ...["\ufeff", "\ufffd", "\ud800", "\udc00", "\u{1f600}", "e\u0301", '"', "\\", "\\u0000", "%00", "%3A", "\\073"],
];

/** Letters of other scripts that look like these, and what normalizes to them. */
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  ...{ a: "\u0430", c: "\u0441", e: "\u0435", o: "\u043e", p: "\u0440", s: "\u017f", i: "\u0131", K: "\u212a" },
  ...{ ":": "\uff1a", ".": "\uff0e", "=": "\uff1d", "-": "\u2010", _: "\uff3f", "0": "\u0660", "1": "\uff11" },
};

/** Every kind of change, by name. */
export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  "a bit flipped": (text, at, { below }) => put(text, at, 1, String.fromCharCode(code(text, at) ^ (1 << below(8)))),
  "a character exchanged": (text, at, { below }) => put(text, at, 1, String.fromCharCode(below(256))),
  "a letter exchanged": (text, at, { below }) => put(text, at, 1, BASE64[below(64)]!),
  "characters inserted": (text, at, { below }) =>
    put(text, at, 0, String.fromCharCode(...Array.from({ length: 1 + below(4) }, () => below(256)))),
  "characters removed": (text, at, { below }) => put(text, at, 1 + below(4), ""),
  "the end cut off": (text, at) => text.slice(0, at),
  "the beginning cut off": (text, at) => text.slice(at),
  "a piece doubled": (text, at, { below }) => put(text, at, 0, text.slice(at, at + 1 + below(40))),
  "a piece moved": (text, at, { below }) => {
    const piece = text.slice(at, at + 1 + below(20));
    const rest = put(text, at, piece.length, "");
    return put(rest, below(rest.length + 1), 0, piece);
  },
  "the end of another": (text, at, { below, other }) => {
    const tail = other();
    return text.slice(0, at) + tail.slice(below(2) === 0 ? at : below(tail.length + 1));
  },
  "a part of another": (text, _at, { below, pick, other }) => {
    const separator = pick([":", ":", ".", "; ", "=", "~", ",", "/"]);
    const parts = text.split(separator);
    parts[below(parts.length)] = pick(other().split(separator));
    return parts.join(separator);
  },
  "another behind it": (text, _at, { pick, other }) =>
    text + pick([",", ";", "; ", ":", "&", " ", "\n", "\0"]) + other(),
  "a number at a boundary": (text, at, { pick }) => put(text, ...run(text, at, NUMERAL), pick(NUMBERS)),
  "a length at a boundary": (text, at, { pick }) => {
    const length = pick(LENGTHS);
    return put(text, at, length.length, length);
  },
  "a separator moved": (text, at, { below }) => {
    const found = separator(text, below(text.length + 1));
    return put(put(text, found, 1, ""), at, 0, text[found] ?? ":");
  },
  "a separator exchanged, doubled or lost": (text, at, { pick }) => {
    const found = separator(text, at);
    const char = text[found] ?? ":";
    return put(text, found, 1, pick(["", char + char, ":", ".", ";", "=", ","]));
  },
  "the other alphabet of base64": (text, _at, { below }) =>
    below(2) === 0
      ? text.replace(/[-_]/g, (char) => (char === "-" ? "+" : "/"))
      : text.replace(/[-_+/]/, (char) => ({ "-": "+", _: "/", "+": "-", "/": "_" })[char]!),
  "other last bits": (text, at, { below }) => {
    const [start, length] = run(text, at, BOTH_BASE64);
    const index = BASE64.indexOf(text[start + length - 1] ?? "A");
    return put(text, start + length - 1, 1, BASE64[Math.max(index, 0) ^ (1 + below(15))]!);
  },
  "other padding": (text, at, { below, pick }) => {
    const [start, length] = below(3) === 0 ? [text.length, 0] : run(text, at, BOTH_BASE64);
    if (text[start + length] === "=") return put(text, start + length, 1, "");
    return put(text, start + length, 0, pick(["=", "==", "===", "\n", " ", "%3D"]));
  },
  "encoded anew": (text, at, { below, pick }) => {
    const [start, length] = run(text, at, PADDED);
    const bytes = Buffer.from(text.slice(start, start + length), "base64");
    if (bytes.length > 0 && below(2) === 0) bytes[below(bytes.length)]! ^= 1 << below(8);
    return put(text, start, length, bytes.toString(pick(["base64", "base64url", "hex"] as const)));
  },
  "leading zeros or a sign": (text, at, { pick }) =>
    put(text, run(text, at, WORD)[0], 0, pick(["0", "00", "-", "+", " "])),
  "another case": (text, at, { below }) => {
    const [start, length] = below(2) === 0 ? [at, 1] : run(text, at, LETTER);
    const piece = text.slice(start, start + length);
    const upper = piece.toUpperCase();
    return put(text, start, length, piece === upper ? piece.toLowerCase() : upper);
  },
  "the mark of compression": (text, at, { below }) => {
    const start = below(2) === 0 ? 0 : run(text, at, BASE64URL)[0];
    return text[start] === "." ? put(text, start, 1, "") : put(text, start, 0, ".");
  },
  "a look-alike": (text, at, { below }) => {
    const like = LOOK_ALIKES[text[at] ?? ""];
    // Or one with the same last byte, which is all that some decoders look at.
    return put(text, at, 1, like && below(2) === 0 ? like : String.fromCharCode(code(text, at) + 256 * (1 + below(8))));
  },
  "something strange": (text, at, { below, pick }) =>
    put(text, pick([0, at, at, text.length]), below(4) === 0 ? 1 : 0, pick(STRANGE)),
  "an escape": (text, at, { pick }) => {
    const value = code(text, at) & 0xff;
    const [octal, hex] = [value.toString(8).padStart(3, "0"), value.toString(16).padStart(2, "0")];
    return put(text, at, 1, pick([`\\${octal}`, `%${hex}`, `\\u00${hex}`, `\\x${hex}`, `\\${text[at] ?? ""}`]));
  },
  "something very long": (text, at, { below }) => {
    const piece = text.slice(at, at + 1 + below(10)) || "x";
    const length = below(50) === 0 ? LONG : 1 + below(600);
    return put(text, at, 0, piece.repeat(Math.ceil(length / piece.length)));
  },
};

const KINDS = Object.values(MUTATIONS);

/**
 * An endless sequence of changed samples, the same for the same seed. Most have one change, some two or three.
 *
 * @param samples valid ones; pieces of one come into others
 * @param kinds of changes; all, unless a test wants to know what one kind finds
 */
export function mutator(samples: readonly string[], seed: number, kinds: readonly Mutation[] = KINDS): () => string {
  const random = pseudoRandom(seed);
  const below = (n: number) => Math.floor(random() * n);
  const pick = <T>(items: readonly T[]) => items[below(items.length)]!;
  const draw: Draw = { below, pick, other: () => pick(samples) };
  return () => {
    let text = draw.other();
    for (let more = [0, 0, 0, 1, 1, 2][below(6)]!; more >= 0; more--) {
      text = pick(kinds)(text, below(text.length + 1), draw);
    }
    return text;
  };
}

function put(text: string, at: number, remove: number, insert: string): string {
  return text.slice(0, at) + insert + text.slice(at + remove);
}

function code(text: string, at: number): number {
  return at < text.length ? text.charCodeAt(at) : 0;
}

/** Where the next separator is, from `at` on and then from the beginning; the end if there is none. */
function separator(text: string, at: number): number {
  for (const start of [at, 0]) {
    SEPARATOR.lastIndex = start;
    const match = SEPARATOR.exec(text);
    if (match) return match.index;
  }
  return text.length;
}

/** Start and length of the longest piece around `at` of characters like these. */
function run(text: string, at: number, like: Uint8Array): [start: number, length: number] {
  let start = at;
  let end = at;
  while (start > 0 && like[text.charCodeAt(start - 1)] === 1) start--;
  while (end < text.length && like[text.charCodeAt(end)] === 1) end++;
  return [start, end - start];
}
