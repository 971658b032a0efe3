import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { jsonCodec } from "../../src/codecs/json.ts";
import { codecSuite } from "../../src/testing/index.ts";
import { UNSTORABLE_AS_JSON } from "./unstorable.ts";

const now = new Date("2026-11-20T12:00:00Z");
const codec = jsonCodec();

describe("the JSON codec", () => {
  codecSuite(test, codec, {
    signed: false,
    unstorable: UNSTORABLE_AS_JSON,
    foreign: [' {"b": 1, "10": [1.0, 1e3, "\\u00e9"]} ', Buffer.from('{"é":"\u{1f600}"}')],
  });

  test("writes what JSON.stringify writes", () => {
    assert.equal(codec.encode({ a: [1, { b: "é" }], c: null }, now), '{"a":[1,{"b":"é"}],"c":null}');
  });

  for (const text of ["[1]", "null", '"x"', "1", "", "{", '{"a":1}x', "\ufeff{}"]) {
    test(`${JSON.stringify(text)} is no session`, () => assert.equal(codec.decode(text), null));
  }

  test("bytes that are not UTF-8 are no session, rather than one with other letters", () => {
    assert.equal(codec.decode(Buffer.from('{"name":"\xe9"}', "latin1")), null);
  });

  test("an array with a hole is refused: JSON would fill it with null", () => {
    // biome-ignore lint/suspicious/noSparseArray: the hole is the case
    assert.throws(() => codec.encode({ list: [1, , 3] }, now), { code: "ERR_SESSION_VALUE", message: /^list\[1\]/ });
  });

  test("cycles are refused with their path, and nesting over 1,000 levels in both directions", () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    assert.throws(() => codec.encode({ cycle }, now), {
      code: "ERR_SESSION_VALUE",
      message: /^cycle\.self\.self.* circular/,
    });
    const nested = (levels: number) => `{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
    assert.ok(codec.decode(nested(1000)));
    assert.ok(codec.encode(JSON.parse(nested(1000)), now));
    assert.equal(codec.decode(nested(1001)), null);
    assert.throws(() => codec.encode(JSON.parse(nested(1001)), now), { code: "ERR_SESSION_VALUE" });
  });

  test("a session over 4 MiB is refused with its size", () => {
    assert.throws(() => codec.encode({ a: "x".repeat(4 * 1024 * 1024) }, now), {
      code: "ERR_SESSION_TOO_LARGE",
      message: /4194312 characters/,
    });
  });
});
