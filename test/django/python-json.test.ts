import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parse, stringify } from "../../src/django/python-json.ts";
import { vectors } from "../support/vectors.ts";

const django = vectors("5.2");

describe("JSON as Python writes it", () => {
  for (const { name, text } of django.json_serializer) {
    test(`vector ${name} comes back byte for byte`, () => {
      const { value, origin } = parse(text);
      assert.equal(stringify(value, origin), text);
    });
  }

  for (const [hex, repr] of django.float_repr) {
    test(`the float ${hex} is read and written as ${repr}`, () => {
      const { value, origin } = parse(repr);
      assert.equal(value, Number(repr));
      assert.equal(stringify(value, origin), repr);
    });
  }

  for (const [number, text] of [
    [0, "0"],
    [-0, "-0.0"],
    [1, "1"],
    [-7, "-7"],
    [Number.MAX_SAFE_INTEGER, "9007199254740991"],
    [2 ** 53, "9007199254740992.0"],
    [1e15 + 0.5, "1000000000000000.5"],
    [1e16, "1e+16"],
    [1.5e300, "1.5e+300"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [1.25e-7, "1.25e-07"],
    [5e-324, "5e-324"],
    [1.7976931348623157e308, "1.7976931348623157e+308"],
    [Number.NaN, "NaN"],
    [Number.NEGATIVE_INFINITY, "-Infinity"],
  ] as const) {
    test(`JavaScript's ${Object.is(number, -0) ? "-0" : number} is written as ${text}`, () => {
      assert.equal(stringify(number), text);
      assert.ok(Object.is(parse(text).value, number));
    });
  }

  test("integers beyond 2^53 are BigInts", () => {
    assert.deepEqual(parse('{"a":9007199254740993,"b":-10000000000000000000000}').value, {
      a: 9007199254740993n,
      b: -10000000000000000000000n,
    });
    assert.equal(stringify({ a: 5n }), '{"a":5}');
  });

  test("an origin is kept only where the value is still the one that was read", () => {
    const { value, origin } = parse('{"a":1.0,"b":2.0,"c":[3.0,{"d":4.0}]}') as { value: any; origin: unknown };
    value.b = 5;
    value.c[1].e = 6;
    assert.equal(stringify(value, origin), '{"a":1.0,"b":5,"c":[3.0,{"d":4.0,"e":6}]}');
  });

  test("integer-like keys keep Python's order, and new keys come last", () => {
    const { value, origin } = parse('{"b":1,"10":2,"2":3,"n":{"9":0,"1":0}}') as { value: any; origin: unknown };
    delete value["10"];
    value.z = 4;
    assert.equal(stringify(value, origin), '{"b":1,"2":3,"n":{"9":0,"1":0},"z":4}');
  });

  test("__proto__ is a key like any other and changes no prototype", () => {
    for (const text of ['{"__proto__":{"admin":true}}', '{"__proto__":{"admin":1.0}}']) {
      const { value, origin } = parse(text) as { value: any; origin: unknown };
      assert.equal(Object.getPrototypeOf(value), Object.prototype);
      assert.equal(value.admin, undefined);
      assert.equal(stringify(value, origin), text);
    }
  });

  test("duplicate keys: the last wins, in both parsers", () => {
    assert.deepEqual(parse('{"a":1,"a":2}').value, { a: 2 });
    const { value, origin } = parse('{"a":1.0,"a":2}');
    assert.equal(stringify(value, origin), '{"a":2}');
  });

  for (const text of [
    "",
    " ",
    "{",
    "[1,]",
    '{"a":1,}',
    "{a:1}",
    "01",
    "1.",
    ".5",
    "+1",
    "-",
    "nan",
    "-NaN",
    "'a'",
    '"\n"',
    '"\\x"',
    '"unterminated',
    "[1 2]",
    "1 2",
    '\ufeff{"a":1}',
    `1${"0".repeat(4300)}`,
    `${"[".repeat(1002)}${"]".repeat(1002)}`,
    `${"[".repeat(100_000)}`,
    `${'{"a":'.repeat(5000)}1.0${"}".repeat(5000)}`,
  ]) {
    test(`${JSON.stringify(text.length > 30 ? `${text.slice(0, 30)}…` : text)} is refused, as by Python`, () => {
      assert.throws(() => parse(text), SyntaxError);
    });
  }

  test("data nested as deeply as Python writes them are read and written", () => {
    const text = `${"[".repeat(990)}1.0${"]".repeat(990)}`;
    const { value, origin } = parse(text);
    assert.equal(stringify(value, origin), text);
  });

  for (const [name, value, described] of [
    ["undefined", undefined, "undefined"],
    ["a function", () => {}, "a function"],
    ["a symbol", Symbol("x"), "a symbol"],
    ["a Map", new Map(), "an instance of Map"],
    ["a Date", new Date(0), "an instance of Date"],
    ["a class instance", new (class Cart {})(), "an instance of Cart"],
  ] as const) {
    test(`${name} is refused, and the error names its path`, () => {
      assert.throws(() => stringify({ user: { tags: [1, value] } }), {
        code: "ERR_SESSION_VALUE",
        message: new RegExp(`^user\\.tags\\[1\\] is ${described}`),
      });
    });
  }

  test("a cycle is refused", () => {
    const cart: unknown[] = [];
    cart.push(cart);
    assert.throws(() => stringify(cart, undefined, "cart"), {
      code: "ERR_SESSION_VALUE",
      message: /^cart(\[0\])* is circular/,
    });
  });

  test("holes in arrays are refused rather than lost", () => {
    // biome-ignore lint/suspicious/noSparseArray: the point of the test
    assert.throws(() => stringify([1, , 2], undefined, "list"), { message: /^list\[1\] is undefined/ });
  });

  test("what JSON.parse reads in one go and what the slow parser reads are the same", () => {
    const texts = ['{"a":[1,"x\\u00e9\\"\\\\",true,null,{}],"b":""}', "[]", '"\\ud800"', '{"a":{"b":[[],{}]}}'];
    for (const text of texts) {
      // The blank before a float sends the whole text through the slow parser.
      const slow = parse(`[${text}, 1.5]`).value as unknown[];
      assert.deepEqual(slow[0], JSON.parse(text));
    }
  });
});
