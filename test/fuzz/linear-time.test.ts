import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import { presented, whyNoKey, whyNoSignedCookie } from "../../src/cli/check/token.ts";
import { readPayload } from "../../src/cli/payload.ts";
import { encryptedCodec } from "../../src/codecs/encrypted.ts";
import { jsonCodec } from "../../src/codecs/json.ts";
import { structuredCodec } from "../../src/codecs/structured.ts";
import { presentedTokens } from "../../src/core/token-cookies.ts";
import { djangoCacheCodec } from "../../src/django/cache-codec.ts";
import { djangoCacheEntries } from "../../src/django/cache-entries.ts";
import { djangoCodec, signedCodec } from "../../src/django/codec.ts";
import { ANYONE, timestampSign } from "../../src/django/signing.ts";
import { createSessions } from "../../src/index.ts";
import { ownEntries } from "../../src/stores/cached/own-entries.ts";
import { replyReader } from "../../src/stores/memcached/replies.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { timed } from "./fuzz.ts";
import { keys, NOW, secretKey } from "./samples.ts";

/*
 * Time grows as the input, not as its square: between n and 16n it may triple with each doubling (81 times), which a
 * square (256 times) does not. Less would be left to the collection of garbage and to a busy machine.
 */

const GROWTH = 16;
const LIMIT = 3 ** Math.log2(GROWTH);
/** What is measured first takes this long at least: below, clocks and caches decide. */
const MIN_MS = 0.5;
const ATTEMPTS = 5;

/** How many times longer the decoder takes for an input that is so many times as long. */
function growth<Input>(decode: (input: Input) => unknown, shape: (n: number) => Input, most: number): number {
  const fastest = (input: Input) => Math.min(...Array.from({ length: 3 }, () => timed(() => decode(input))));
  const large = shape(most);
  const small = shape(Math.floor(most / GROWTH));
  // What is measured is what the compiler makes of it in the end: a search that was skipped may then be done each time.
  for (let n = 0; n < 10; n++) decode(small);
  return fastest(large) / Math.max(fastest(small), MIN_MS / GROWTH);
}

function linear<Input>(
  name: string,
  decode: (input: Input) => unknown,
  shape: (n: number) => Input,
  most: number,
): void {
  test(`${name}, up to ${most}`, { timeout: 60_000 }, () => {
    let best = Number.POSITIVE_INFINITY;
    for (let attempt = 0; best >= LIMIT && attempt < ATTEMPTS; attempt++) {
      best = Math.min(best, growth(decode, shape, most));
    }
    assert.ok(best < LIMIT, `${best.toFixed(1)} times the time for ${GROWTH} times the input`);
  });
}

const TEXT = 400_000;
/** Of what becomes an object a byte: more would measure the collection of garbage. */
const OBJECTS = 80_000;

describe("time is linear in the length of a Cookie header", () => {
  const read = (header: string) => presentedTokens(header, "sessionid");
  for (const [name, piece] of Object.entries({
    "pairs without a value": "a;",
    "only separators": ";",
    "only equal signs": "=",
    "only blanks": " ",
    "cookies of other names": "abc=def; ",
    "our cookie, many times": "sessionid=abcdefghijklmnop; ",
    "pieces of our cookie": "sessionid=2~0123456789ab~x; sessionid.1=0123456789ab~y; ",
    "quotes and backslashes": 'sessionid="\\073\\"\\\\"; ',
    "names that begin like ours": "sessionidsessionid",
  })) {
    linear(name, read, (n) => piece.repeat(n / piece.length), TEXT);
  }
  linear(
    "different pieces",
    read,
    (n) =>
      Array.from(
        { length: n / 40 },
        (_, i) => `sessionid=3~${String(i).padStart(12, "0")}~x; sessionid.1=${String(i).padStart(12, "0")}~y`,
      ).join(";"),
    TEXT,
  );
  linear("one quoted value of escapes", read, (n) => `sessionid="${"\\".repeat(n)}"`, TEXT);

  const { open } = createSessions({ secretKey, store: memoryStore() });
  linear(
    "a whole request",
    (header: string) => open(header).commit(200),
    (n) => "sessionid=x; ".repeat(n / 13),
    TEXT,
  );
});

describe("time is linear in the length of a token", () => {
  const django = djangoCodec({ ...keys, readLegacy: true });
  // Whose signatures are all good: a shape then gets as far as it can.
  const unsigned = signedCodec({}, [ANYONE], [ANYONE]);
  const encrypted = encryptedCodec(keys);
  const named = [{ key: secretKey, name: "the key" }];
  const reading = (text: string) => {
    readPayload(text, named, { readLegacy: true });
    for (const token of presented(text, "sessionid")) [whyNoKey(token), whyNoSignedCookie(token)];
  };
  for (const [name, piece] of Object.entries({
    "only colons": ":",
    "only dots": ".",
    "only quotes": '"',
    "only base64": "AAAA",
    "only padding": "=",
    "only digits": "9",
    "only percent signs": "%3",
    "colons and digits": "z:",
    NUL: "\0",
    "characters beyond latin-1": "\u{1f600}",
  })) {
    const shape = (n: number) => piece.repeat(n / piece.length);
    linear(`signed: ${name}`, django.decode, shape, TEXT);
    linear(`signed by anyone: ${name}`, unsigned.decode, (n) => `${shape(n)}:1:x`, TEXT);
    linear(`encrypted: ${name}`, encrypted.decode, shape, TEXT);
    linear(`on the command line: ${name}`, reading, (n) => `a${shape(n)}`, TEXT);
  }
  linear("a time of many digits", unsigned.decode, (n) => `e30:${"z".repeat(n)}:x`, TEXT);
});

describe("time is linear in the length of what is stored", () => {
  const signed = signedCodec({}, [ANYONE], []);
  const django = (json: string) =>
    signed.decode(timestampSign(Buffer.from(json, "latin1").toString("base64url"), NOW, ANYONE));
  const json = jsonCodec();
  const cached = djangoCacheCodec({ serializer: "json" });
  for (const [name, shape] of Object.entries<(n: number) => string>({
    "lists in lists": (n) => `{"a":${"[".repeat(n / 2)}${"]".repeat(n / 2)}}`,
    "lists in lists without end": (n) => "[".repeat(n),
    "dicts in dicts": (n) => `${'{"a":'.repeat(n / 6)}1${"}".repeat(n / 6)}`,
    "dicts in dicts, deep as allowed, many times": (n) =>
      `{"a":[${`${'{"a":'.repeat(900)}1${"}".repeat(900)},`.repeat(n / 5400)}1]}`,
    "many keys": (n) => `{${Array.from({ length: n / 12 }, (_, i) => `"k${i}":${i}`).join(",")}}`,
    "keys that are numbers, from the last": (n) =>
      `{${Array.from({ length: n / 12 }, (_, i) => `"${n - i}":1.0`).join(",")}}`,
    "one key many times": (n) => `{${Array.from({ length: n / 6 }, () => '"a":1').join(",")}}`,
    "many numbers that Python says otherwise": (n) => `{"a":[${"1.0,".repeat(n / 4)}1]}`,
    digits: (n) => `{"a":${"9".repeat(n)}}`,
    "a fraction of many digits": (n) => `{"a":0.${"9".repeat(n)}}`,
    "whole numbers of many digits": (n) => `{"a":[${`${"9".repeat(4000)},`.repeat(n / 4001)}1]}`,
    blanks: (n) => `{"a":${" ".repeat(n)}1.0}`,
    "blanks and commas": (n) => `{"a":[${"1 , ".repeat(n / 4)}1.0]}`,
    "a text of backslashes": (n) => `{"a":1.0,"b":"${"\\\\".repeat(n / 2)}"}`,
    "a text of quotes": (n) => `{"a":1.0,"b":"${'\\"'.repeat(n / 2)}"}`,
    "a text without end": (n) => `{"a":1.0,"b":"${'\\"'.repeat(n / 2)}`,
    texts: (n) => `{"a":1.0,"b":[${'"x",'.repeat(n / 4)}""]}`,
  })) {
    linear(`JSON: ${name}`, json.decode, shape, TEXT);
    linear(`Python's JSON: ${name}`, django, shape, TEXT);
    if (name === "many keys") linear(`a cache's JSON: ${name}`, (text: string) => cached.decode(text), shape, TEXT);
  }

  const pickle = djangoCacheCodec({ serializer: "pickle" });
  const times = (text: string, n: number) => text.repeat(Math.max(0, Math.floor(n / text.length)));
  for (const [name, shape] of Object.entries<(n: number) => string>({
    marks: (n) => times("(", n),
    "lists in lists": (n) => `${times("]", n / 2)}${times("a", n / 2)}`,
    "empty lists in one": (n) => `}X\x01\0\0\0a](${times("]", n)}es.`,
    "a memo of everything": (n) => `}${times("\x94", n)}.`,
    "the same text again and again": (n) => `}X\x01\0\0\0a](X\x64\0\0\0${"x".repeat(100)}\x94${times("h\0", n)}es.`,
    doubled: (n) => `}X\x01\0\0\0a](${times("2", n)}es.`,
    popped: (n) => `}${times("N0", n)}.`,
    keys: (n) =>
      `}(${Array.from({ length: n / 12 }, (_, i) => `X\x06\0\0\0${String(i).padStart(6, "0")}K\x01`).join("")}u.`,
    "the same key": (n) => `}(${times("X\x01\0\0\0aK\x01", n)}u.`,
    "a number of many bytes": (n) =>
      `}X\x01\0\0\0a\x8b${String.fromCharCode(n & 255, (n >> 8) & 255, (n >> 16) & 255, 0)}${"\x7f".repeat(n)}s.`,
    "decimal digits": (n) => `}X\x01\0\0\0aI${"9".repeat(n)}\ns.`,
    "lines without end": (n) => times("I", n),
    escapes: (n) => `}X\x01\0\0\0aV${times("\\u0041", n)}\ns.`,
    "half escapes": (n) => `}X\x01\0\0\0aV${times("\\", n)}\ns.`,
    surrogates: (n) =>
      `}X\x01\0\0\0aX${String.fromCharCode(n & 255, (n >> 8) & 255, (n >> 16) & 255, 0)}${"\xed\xa0\x80".repeat(n / 3)}${"x".repeat(n % 3)}s.`,
    "names of classes": (n) => times("cos\nsystem\n", n),
  })) {
    linear(
      `a pickle: ${name}`,
      (text: Buffer) => pickle.decode(text),
      (n) => Buffer.from(`\x80\x05${shape(n)}`, "latin1"),
      OBJECTS,
    );
  }

  const structured = structuredCodec();
  const clone = (value: (n: number) => unknown) => (n: number) =>
    structured.encode({ value: value(n) }, NOW) as Uint8Array;
  for (const [name, shape] of Object.entries({
    "a map": clone((n) => new Map(Array.from({ length: n / 20 }, (_, i) => [`k${i}`, i]))),
    "a set": clone((n) => new Set(Array.from({ length: n / 20 }, (_, i) => i))),
    "one object in many places": clone((n) => Array(n / 20).fill({ a: [1, 2, 3] })),
    "a long text as a key": clone((n) => new Map([["x".repeat(n), new Map([["x".repeat(n), 1]])]])),
    "a large number as a key": clone((n) => new Map([[2n ** BigInt(n / 100), 1]])),
    "a pattern": clone((n) => new RegExp("(a*)*".repeat(n / 100))),
  })) {
    linear(`a structured clone: ${name}`, structured.decode, shape, TEXT / 2);
  }

  const key = "abcdefghijklmnopqrstuvwxyz012345";
  const entries = [
    ownEntries,
    ...(["json", "pickle"] as const).map((serializer) => djangoCacheEntries({ codec: signed, format: { serializer } })),
  ];
  for (const [name, piece] of Object.entries({
    "=": "=",
    quotes: '"',
    "names and quotes": '{"a": "=',
    blanks: "null ",
  })) {
    linear(
      `entries of a cache: ${name}`,
      (entry: Buffer) => entries.map(({ read }) => read(key, entry)),
      (n) => Buffer.from(`{${piece.repeat(n / piece.length)}}`),
      TEXT,
    );
  }

  for (const size of [1, 1000]) {
    linear(
      `what a memcached sends, ${size} bytes at a time`,
      (chunk: Buffer) => {
        const read = replyReader(
          () => {},
          () => 2 * TEXT,
        );
        for (let at = 0; at < chunk.length; at += size) read(chunk.subarray(at, at + size));
      },
      (n) => Buffer.from(`${"EN\r\n".repeat(n / 8)}VA ${n / 2} f0 c1\r\n${"x".repeat(n / 2)}\r\n`),
      TEXT / 2,
    );
  }
});

/* What unfolds to more than a session may hold is given up at that size, however much more it is. */
describe("compression bombs cost no more than the largest session", () => {
  const MEGABYTE = 2 ** 20;
  const signed = signedCodec({}, [ANYONE], []);
  const bomb = (megabytes: number) => Buffer.alloc(megabytes * MEGABYTE, " ");
  for (const [name, decode, fold] of [
    [
      "session_data",
      (bytes: Buffer) => signed.decode(timestampSign(`.${bytes.toString("base64url")}`, NOW, ANYONE)),
      deflateSync,
    ],
    ["zlib in a cache", djangoCacheCodec({ serializer: "json", compressor: "zlib" }).decode, deflateSync],
    ["gzip in a cache", djangoCacheCodec({ serializer: "json", compressor: "gzip" }).decode, gzipSync],
  ] as const) {
    test(`${name}: 128 MiB take no longer than twice 8 MiB, and no more memory`, () => {
      const [small, large] = [fold(bomb(8)), fold(bomb(128))];
      const fastest = (bytes: Buffer) => Math.min(...Array.from({ length: 3 }, () => timed(() => decode(bytes))));
      assert.equal(decode(large), null);
      const before = process.memoryUsage().arrayBuffers;
      decode(large);
      assert.ok(process.memoryUsage().arrayBuffers - before < 16 * MEGABYTE);
      let ratio = Number.POSITIVE_INFINITY;
      for (let attempt = 0; ratio >= 2 && attempt < ATTEMPTS; attempt++)
        ratio = Math.min(ratio, fastest(large) / fastest(small));
      assert.ok(ratio < 2, `${ratio.toFixed(1)} times`);
    });
  }
});

describe("the measure itself", () => {
  test("tells a square from a line", () => {
    const square = (n: number) => {
      let found = 0;
      for (let a = 0; a < n; a++) for (let b = 0; b < n; b++) found += a ^ b;
      return found;
    };
    const line = (n: number) => {
      let found = 0;
      for (let a = 0; a < 1000 * n; a++) found += a ^ n;
      return found;
    };
    const same = (n: number) => n;
    assert.ok(Math.min(...Array.from({ length: 3 }, () => growth(square, same, 4000))) > LIMIT);
    assert.ok(Math.min(...Array.from({ length: 3 }, () => growth(line, same, 4000))) < LIMIT);
  });
});
