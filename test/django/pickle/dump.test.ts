import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { dumpPickle } from "../../../src/django/pickle/dump.ts";
import { loadPickle } from "../../../src/django/pickle/load.ts";
import { parse, stringify } from "../../../src/django/python-json.ts";
import { vectors } from "../../support/vectors.ts";
import { CPYTHON, VALUES } from "./cpython.ts";

type Data = Record<string, any>;

/** A pickle's value changed, and written again. */
function rewritten(pickle: Uint8Array, change: (data: Data) => void): { data: Data; pickle: Buffer } {
  const { value, origin } = loadPickle(pickle);
  change(value as Data);
  const written = dumpPickle(value as Data, 5, origin);
  return { data: loadPickle(written).value as Data, pickle: written };
}

const cpython = (expression: string, protocol: "4" | "5" = "5") =>
  Buffer.from(CPYTHON.plain[expression]![protocol], "base64");

/** Where CPython's bytes are others, and why that cannot or need not be changed. */
const OTHER_BYTES: Readonly<Record<string, string>> = {
  '{"a": 1, 1: "x", "b": 2.0, 2.0: 3.0}': "keys that are no texts come together, where the first of them stood",
  'datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)': "the method is named without getattr",
  "UUID(int=5, is_safe=SafeUUID.safe)": "is_safe says how it was made, and is not kept",
};

describe("a pickle, written", () => {
  for (const { name, protocol, pickle_b64 } of vectors("5.2").pickle) {
    if (protocol < 4 || name === "recursive" || name.startsWith("top_")) continue;
    const pickle = Buffer.from(pickle_b64, "base64");
    test(`vector ${name} comes back ${name === "memo" ? "the same" : "byte for byte"} in protocol ${protocol}`, () => {
      const { value, origin } = loadPickle(pickle);
      const written = dumpPickle(value as Data, protocol as 4 | 5, origin);
      if (name !== "memo") assert.deepEqual(written, pickle);
      // One list in two places: it becomes two.
      else assert.deepEqual(loadPickle(written), { value, origin });
    });
  }

  for (const expression of Object.keys(CPYTHON.plain)) {
    for (const protocol of ["4", "5"] as const) {
      const pickle = CPYTHON.plain[expression]![protocol];
      if (pickle.startsWith("sha256:")) {
        test(`${expression} is written in protocol ${protocol} as by CPython`, () => {
          const written = dumpPickle({ v: VALUES[expression] }, Number(protocol) as 4 | 5);
          assert.equal(`sha256:${createHash("sha256").update(written).digest("hex")}`, pickle);
        });
        continue;
      }
      test(`${expression} comes back in protocol ${protocol}, as it was read`, () => {
        const { value, origin } = loadPickle(Buffer.from(pickle, "base64"));
        const written = dumpPickle(value as Data, Number(protocol) as 4 | 5, origin);
        if (!Object.hasOwn(OTHER_BYTES, expression)) assert.equal(written.toString("base64"), pickle);
        const again = loadPickle(written);
        assert.deepEqual(again, { value, origin });
      });
    }
  }

  test("Django's example is written byte for byte", () => {
    const data = { a: "b", n: 42, f: 1.5, t: true, x: null, l: [1, "é"] };
    assert.equal(
      dumpPickle(data, 5).toString("hex"),
      "80059539000000000000007d94288c0161948c0162948c016e944b2a8c016694473ff80000000000008c017494888c0178944e8c016c945d94284b018c02c3a99465752e",
    );
    assert.equal(dumpPickle({}, 5).toString("hex"), "80057d942e");
    assert.equal(dumpPickle({}, 4).toString("hex"), "80047d942e");
    assert.equal(dumpPickle({ a: "b" }, 5).toString("hex"), "8005950c000000000000007d948c0161948c016294732e");
  });

  test("an untouched float stays a float, and a new number is an int where it is one", () => {
    const { pickle } = rewritten(cpython('{"b": 1, "10": 2.0, "9": [3.0]}'), ({ v }) => {
      v.b = 5;
      v["9"].push(4);
    });
    const { value, origin } = loadPickle(pickle);
    assert.equal(stringify(value, origin), '{"v":{"b":5,"10":2.0,"9":[3.0,4]}}');
  });

  test("a number that was changed is no longer the float that was read", () => {
    const { value, origin } = loadPickle(cpython('{"b": 1, "10": 2.0, "9": [3.0]}')) as {
      value: Data;
      origin: unknown;
    };
    value.v["10"] = 7;
    const again = loadPickle(dumpPickle(value, 5, origin));
    assert.equal(stringify(again.value, again.origin), '{"v":{"b":1,"10":7,"9":[3.0]}}');
  });

  test("where a tuple or an OrderedDict was read, an array or object is written as one, also a changed one", () => {
    const expected = cpython('OrderedDict([("b", 1), ("a", (1,))])');
    const { pickle } = rewritten(expected, ({ v }) => v.a.push(2));
    assert.notDeepEqual(pickle, expected);
    const restored = rewritten(pickle, ({ v }) => v.a.pop());
    assert.deepEqual(restored.pickle, expected);
  });

  test("where a tuple was read and something else stands, that is written", () => {
    const { data } = rewritten(
      cpython('((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [()], ([1], {"a": (5,)}))'),
      (data) => {
        data.v = { a: "b" };
      },
    );
    assert.deepEqual(data, { v: { a: "b" } });
  });

  test("keys keep Python's order, and new keys come last", () => {
    const { value, origin } = loadPickle(cpython('{"b": 1, "10": 2.0, "9": [3.0]}')) as {
      value: Data;
      origin: unknown;
    };
    delete value.v["10"];
    value.v.a = 1;
    value.v["1"] = 2;
    const again = loadPickle(dumpPickle(value, 5, origin));
    assert.equal(stringify(again.value, again.origin), '{"v":{"b":1,"9":[3.0],"1":2,"a":1}}');
  });

  test("what python-json has read is written with its floats and its order, and the other way round", () => {
    const text = '{"b":1.0,"10":{"x":-0.0,"1":1e+16},"2":10000000000000000000000,"n":NaN,"z":-0}';
    const { value, origin } = parse(text);
    const loaded = loadPickle(dumpPickle(value as Data, 5, origin));
    // JSON's "-0" is Python's int 0.
    assert.equal(stringify(loaded.value, loaded.origin), text.replace(/-0}$/, "0}"));
  });

  test("an origin of other data changes no value", () => {
    const origins = Object.keys(VALUES).map((expression) => {
      const pickle = CPYTHON.plain[expression]![5];
      return pickle.startsWith("sha256:") ? undefined : loadPickle(Buffer.from(pickle, "base64")).origin;
    });
    for (const v of [
      1,
      -0,
      "x",
      null,
      [1],
      [[1], 2],
      { b: [1], $dict: [[1, 2]] },
      { $set: [1] },
      { $date: "2026-11-20" },
    ]) {
      const { value } = loadPickle(dumpPickle({ v }, 5));
      for (const origin of origins) assert.deepEqual(loadPickle(dumpPickle({ v }, 5, origin)).value, value);
    }
  });

  test("a new value of Python's is written as its object says", () => {
    const data = {
      seen: { $datetime: new Date(1_700_000_000_000).toISOString() },
      naive: { $datetime: "2026-11-20T12:00:00.5" },
      local: { $datetime: "2026-11-20T12:00:00-03:30" },
      wait: { $timedelta: "PT90M" },
      back: { $timedelta: "-P1D" },
      point: { $tuple: [1, { $tuple: [] }] },
      ids: { $set: ["a", ["b", 1]] },
      id: { $uuid: "12345678-ABCD-5678-9234-567812345678" },
      counts: { $dict: [[1, "one"]], two: 2 },
    };
    assert.deepEqual(loadPickle(dumpPickle(data, 5)).value, {
      ...data,
      seen: { $datetime: "2023-11-14T22:13:20+00:00" },
      naive: { $datetime: "2026-11-20T12:00:00.500000" },
      wait: { $timedelta: "P0DT01H30M00S" },
      back: { $timedelta: "-P1DT00H00M00S" },
      point: [1, []],
      id: { $uuid: "12345678-abcd-5678-9234-567812345678" },
    });
  });
});

describe("what Python could not load is refused, and the error names its path and no value", () => {
  const secret = "s3cret";
  for (const [name, value, path] of [
    ["undefined", undefined, "v"],
    ["a hole", Array(1), "v[0]"],
    ["a Date", { a: [new Date()] }, "v.a[0]"],
    ["a Map", new Map(), "v"],
    ["a Set", new Set(), "v"],
    ["bytes", new Uint8Array(1), "v"],
    ["a function", () => {}, "v"],
    ["a wrong datetime", { $datetime: secret }, "v.$datetime"],
    ["a datetime of the wrong type", { $datetime: new Date() }, "v.$datetime"],
    ["a datetime that is a date", { $datetime: "2026-11-20" }, "v.$datetime"],
    ["the 29th of February 2026", { $date: "2026-02-29" }, "v.$date"],
    ["the year 0", { $date: "0000-01-01" }, "v.$date"],
    ["a date with a time", { $date: "2026-11-20T00:00:00" }, "v.$date"],
    ["the hour 24", { $time: "24:00:00" }, "v.$time"],
    ["a time with seven digits", { $time: "12:00:00.1234567" }, "v.$time"],
    ["an offset of 24 hours", { $time: "12:00:00+24:00" }, "v.$time"],
    ["a zone that is a path", { $time: "12:00:00[../etc]" }, "v.$time"],
    ["an unknown suffix", { $time: "12:00:00+00:00[u-ca=hebrew]" }, "v.$time"],
    ["a name of a zone with a newline", { $time: "12:00:00+00:00[tzname=a\nb]" }, "v.$time"],
    ["a name of a zone with a bracket", { $time: "12:00:00+00:00[tzname=a]b]" }, "v.$time"],
    ["a duration of nothing", { $timedelta: "P" }, "v.$timedelta"],
    ["a duration of months", { $timedelta: "P1M" }, "v.$timedelta"],
    ["a duration of a billion days", { $timedelta: "P999999999DT24H" }, "v.$timedelta"],
    ["a decimal that is none", { $decimal: `1${secret}` }, "v.$decimal"],
    ["a signaling NaN", { $decimal: "sNaN" }, "v.$decimal"],
    ["a UUID that is none", { $uuid: secret }, "v.$uuid"],
    ["bytes that are no base64", { $bytes: "a" }, "v.$bytes"],
    ["bytes in base64url", { $bytearray: "_-==" }, "v.$bytearray"],
    ["a set that is no list", { $set: secret }, "v.$set"],
    ["a tuple that is no list", { $tuple: { length: 1 } }, "v.$tuple"],
    ["a complex number of one part", { $complex: [1] }, "v.$complex"],
    ["a complex number of texts", { $complex: ["1", "2"] }, "v.$complex"],
    ["pairs that are none", { $dict: [[1]] }, "v.$dict"],
    ["a dict in a set", { $set: [{ a: 1 }] }, "v.$set[0]"],
    ["a set in a set", { $set: [{ $set: [] }] }, "v.$set[0].$set"],
    ["a dict in a tuple in a set", { $frozenset: [[{}]] }, "v.$frozenset[0][0]"],
    ["a dict of pairs as a key", { $dict: [[{ $dict: [] }, 1]] }, "v.$dict[0][0]"],
    ["a bytearray as a key", { $dict: [[{ $bytearray: "" }, 1]] }, "v.$dict[0][0].$bytearray"],
    ["a reserved key beside others", { $set: [], a: 1 }, "v.$set"],
    ["two reserved keys", { $dict: [], $date: "2026-11-20" }, "v.$date"],
  ] as const) {
    test(name, () => {
      assert.throws(
        () => dumpPickle({ v: value }, 5),
        (error: Error & { code: string }) => {
          assert.equal(error.code, "ERR_SESSION_VALUE");
          assert.ok(error.message.startsWith(`${path} `), error.message);
          assert.ok(!error.message.includes(secret));
          return true;
        },
      );
    });
  }

  test("a reserved key of the session itself", () => {
    assert.throws(() => dumpPickle({ $date: "2026-11-20" }, 5), { code: "ERR_SESSION_VALUE", message: /^\$date / });
  });

  test("a cycle, and more than 1001 levels", () => {
    const cart: unknown[] = [];
    cart.push(cart);
    assert.throws(() => dumpPickle({ cart }, 5), { code: "ERR_SESSION_VALUE", message: /^cart(\[0\])* is circular/ });
    const nested = (levels: number, inner: unknown) => {
      let value = inner;
      for (let level = 0; level < levels; level++) value = [value];
      return { value };
    };
    for (const [inner, levels] of [
      [[], 1],
      [{ $set: [] }, 2],
      [{ $tuple: [] }, 2],
      [{ $dict: [[1, 2]] }, 3],
      [{ $date: "2026-11-20" }, 1],
    ] as const) {
      // What is written is read.
      loadPickle(dumpPickle(nested(1000 - levels, inner), 5));
      assert.throws(() => dumpPickle(nested(1001 - levels, inner), 5), { code: "ERR_SESSION_VALUE" });
    }
  });

  test("a million values, also of one array that stands in many places", () => {
    let shared: unknown[] = [];
    for (let level = 0; level < 20; level++) shared = [shared, shared];
    assert.throws(() => dumpPickle({ shared }, 5), { code: "ERR_SESSION_TOO_LARGE" });
    const text = "x".repeat(1_000_000);
    assert.throws(() => dumpPickle({ texts: Array(5).fill(text) }, 5), { code: "ERR_SESSION_TOO_LARGE" });
  });
});
