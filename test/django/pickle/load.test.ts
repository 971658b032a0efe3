import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { loadPickle } from "../../../src/django/pickle/load.ts";
import { parse, stringify } from "../../../src/django/python-json.ts";
import { canonical, vectors } from "../../support/vectors.ts";
import { CPYTHON, VALUES } from "./cpython.ts";

const bytes = (...parts: (string | number[] | Uint8Array)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from(part))));
const refused = (pickle: Uint8Array) => assert.throws(() => loadPickle(pickle), SyntaxError);

/** What the vectors without JSON say. */
const VECTORS: Readonly<Record<string, unknown>> = {
  non_string_keys: {
    $dict: [
      [1, "bool"],
      [2.5, "float"],
      [null, "none"],
    ],
  },
  datetime_naive: { d: { $datetime: "2023-11-14T22:13:20.123456" } },
  datetime_utc: { d: { $datetime: "2023-11-14T22:13:20+00:00" } },
  datetime_offset: { d: { $datetime: "2023-11-14T22:13:20+05:30" } },
  date: { d: { $date: "2023-11-14" } },
  time: { d: { $time: "01:02:03.000004" } },
  timedelta: { d: { $timedelta: "P1DT00H00M02.000003S" } },
  decimal: { d: { $decimal: "1.50" } },
  uuid: { d: { $uuid: "00000000-0000-0000-0000-000000000005" } },
  bytes: { d: { $bytes: "AP8=" }, e: { $bytes: "" } },
  bytearray: { d: { $bytearray: "YWI=" } },
  set: { d: { $set: [1] }, fs: { $frozenset: ["a"] } },
  complex: { c: { $complex: [1, 2] } },
};

/** Below protocol 4, Python itself forgets the fold. */
function unfolded(value: unknown): unknown {
  const text = (value as Record<string, unknown>).$datetime ?? (value as Record<string, unknown>).$time;
  if (typeof text !== "string") return value;
  return { [Object.keys(value as object)[0]!]: text.replace("[fold=1]", "") };
}

describe("a pickle, read", () => {
  for (const { name, protocol, data_json, pickle_b64 } of vectors("5.2").pickle) {
    const pickle = Buffer.from(pickle_b64, "base64");
    if (name === "recursive") {
      test(`a circular value in protocol ${protocol} is refused`, () => refused(pickle));
      continue;
    }
    test(`vector ${name} in protocol ${protocol}`, () => {
      const { value, origin } = loadPickle(pickle);
      if (Object.hasOwn(VECTORS, name)) assert.deepEqual(value, VECTORS[name]);
      // Its floats and the order of its keys are in the origin, which python-json understands.
      else assert.equal(stringify(value, origin), canonical(data_json!));
    });
  }

  test("there is a value for every plain expression", () => {
    assert.deepEqual(Object.keys(VALUES), Object.keys(CPYTHON.plain));
  });

  for (const [expression, pickles] of Object.entries(CPYTHON.plain)) {
    for (const [protocol, pickle] of Object.entries(pickles)) {
      if (pickle.startsWith("sha256:")) continue;
      test(`${expression} in protocol ${protocol}`, () => {
        const loaded = loadPickle(Buffer.from(pickle, "base64")).value;
        assert.deepEqual(loaded, { v: Number(protocol) < 4 ? unfolded(VALUES[expression]) : VALUES[expression] });
      });
    }
  }

  test("pytz's UTC, which Django before 4.0 uses, is UTC", () => {
    const pickle = bytes("\x80\x04cdatetime\ndatetime\nC\x0a\x07\xea\x0b\x14\x0c\0\0\0\0\0cpytz\n_UTC\n)R\x86R.");
    assert.deepEqual(loadPickle(pickle).value, { $datetime: "2026-11-20T12:00:00+00:00" });
  });

  test("what Python shared is not shared, so that changing one part changes no other", () => {
    const { value } = loadPickle(bytes("\x80\x04]\x94(]\x94h\x01e.")) as { value: unknown[][] };
    value[0]!.push(1);
    assert.deepEqual(value, [[1], []]);
  });

  test("__proto__ is a key like any other and changes no prototype", () => {
    const { value } = loadPickle(bytes("\x80\x04}\x8c\x09__proto__}\x8c\x05adminK\x01ss.")) as { value: any };
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
    assert.equal(value.admin, undefined);
    assert.deepEqual(Object.keys(value), ["__proto__"]);
  });

  test("of equal keys the last wins, and its float-ness with it", () => {
    const { value, origin } = loadPickle(bytes("\x80\x04}(\x8c\x01aF1.0\n\x8c\x01aK\x01u."));
    assert.equal(stringify(value, origin), '{"a":1}');
  });
});

describe("what is no plain data", () => {
  for (const [expression, pickles] of Object.entries(CPYTHON.refused)) {
    for (const [protocol, pickle] of Object.entries(pickles)) {
      test(`${expression} in protocol ${protocol} is refused`, () => refused(Buffer.from(pickle, "base64")));
    }
  }

  for (const [name, pickle] of Object.entries({
    "os.system, called": "cos\nsystem\n(S'true'\ntR.",
    "os.system, called by INST": "(S'true'\nios\nsystem\n.",
    "os.system, called by OBJ": "(cos\nsystem\nVtrue\no.",
    "os.system, named only": "\x80\x04\x8c\x02os\x8c\x06system\x93.",
    "os.system, dropped before anyone sees it": "\x80\x04\x8c\x02os\x8c\x06system\x930}.",
    "builtins.eval": "\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.",
    "__builtin__.getattr of anything else": "c__builtin__\ngetattr\n(cdatetime\ndatetime\nV__class__\ntR.",
    "__builtin__.getattr of another method": "c__builtin__\ngetattr\n(czoneinfo\nZoneInfo\nV__new__\ntR0N.",
    "a name with the name of an allowed one inside": "\x80\x04\x8c\x0fdatetime datetim\x8c\x01e\x93.",
    "an inherited name": "\x80\x04\x8c\x00\x8c\x0bconstructor\x93.",
    "copyreg._reconstructor of an object":
      "ccopyreg\n_reconstructor\n(c__builtin__\nobject\nc__builtin__\nobject\nNtR.",
    "a class that is not called": "\x80\x04cdatetime\ndate\n.",
    "a call with more than there are parameters": "\x80\x04cdecimal\nDecimal\n(\x8c\x011NNNtR.",
    "a zone without a name":
      "\x80\x04cdatetime\ntime\nC\x06\0\0\0\0\0\0czoneinfo\nZoneInfo._unpickle\nNK\x01\x86R\x86R.",
    "a call of what is no class": "\x80\x04\x8c\x01a)R.",
    "a call without a tuple": "\x80\x04cdecimal\nDecimal\n\x8c\x011R.",
    "a state for what has none": "\x80\x04}}b.",
    "a state for a date": "\x80\x04cdatetime\ndate\nC\x04\x07\xea\x01\x01\x85R}b.",
    "NEWOBJ of a date": "\x80\x04cdatetime\ndate\n)\x81.",
    "a UUID without its number": "\x80\x04cuuid\nUUID\n)\x81.",
    "a UUID of 129 bits": "\x80\x04cuuid\nUUID\n)\x81}Vint\n\x8a\x11\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01sb.",
    "a negative UUID": "\x80\x04cuuid\nUUID\n)\x81}Vint\nJ\xff\xff\xff\xffsb.",
    "a Decimal that Python would refuse": "\x80\x04cdecimal\nDecimal\n\x8c\x051e999\x85R.",
    "the 30th of February": "\x80\x04cdatetime\ndate\nC\x04\x07\xea\x02\x1e\x85R.",
    "the month 0": "\x80\x04cdatetime\ndate\nC\x04\x07\xea\0\x01\x85R.",
    "the month 13": "\x80\x04cdatetime\ndate\nC\x04\x07\xea\x0d\x01\x85R.",
    "the hour 24": "\x80\x04cdatetime\ntime\nC\x06\x18\0\0\0\0\0\x85R.",
    "a million microseconds": "\x80\x04cdatetime\ntime\nC\x06\0\0\0\x0f\x42\x40\x85R.",
    "a date of five bytes": "\x80\x04cdatetime\ndate\nC\x05\x07\xea\x02\x01\x01\x85R.",
    "a timedelta that is not normal": "\x80\x04cdatetime\ntimedelta\nK\0J\xff\xff\xff\xffK\0\x87R.",
    "a time zone of 24 hours":
      "\x80\x04cdatetime\ntime\nC\x06\0\0\0\0\0\0cdatetime\ntimezone\ncdatetime\ntimedelta\nK\x01K\0K\0\x87R\x85R\x86R.",
    "bytes that are none": "c_codecs\nencode\n(V\\u0100\nVlatin1\ntR.",
    "bytes in another encoding": "c_codecs\nencode\n(Va\nVrot13\ntR.",
    "a complex number of integers": "\x80\x04c__builtin__\ncomplex\nK\x01K\x01\x86R.",
    "a list as a key": "\x80\x04}]K\x01s.",
    "a dict in a set": "\x80\x04\x8f(}\x90.",
    "a list in a tuple in a set": "\x80\x04\x8f(]\x85\x90.",
    "a bytearray as a key": "\x80\x05}\x96\0\0\0\0\0\0\0\0K\x01s.",
    "persistent ids": "P1\n.",
    "an extension": "\x82\x01.",
    "buffers out of band": "\x80\x05\x97.",
    "protocol 6": "\x80\x06N.",
    nothing: "",
    "no end": "\x80\x04N",
    "nothing before the end": "\x80\x04.",
    "two values": "\x80\x04NN.",
    "a value and a mark": "\x80\x04N(.",
    "something after the end": "\x80\x04N.N",
    "an opcode that there is not": "\xff.",
    "more than there is to pop": "\x80\x040.",
    "a tuple across a mark": "\x80\x04N(N\x86.",
    "items without a mark": "\x80\x04]e.",
    "items for what is no list": "\x80\x04}(Ne.",
    "an odd number of keys and values": "\x80\x04}(Nu.",
    "a memo that was not written": "\x80\x04h\0.",
    "a text that is cut off": "\x80\x04\x8c\x09abc.",
    "a text longer than memory": "\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
    "a frame longer than the pickle": "\x80\x04\x95\xff\0\0\0\0\0\0\0N.",
    "a text that is not UTF-8": "\x80\x04\x8c\x02\xc3\x28.",
    "an overlong text": "\x80\x04\x8c\x02\xc0\x80.",
    "a broken escape": "V\\u12\n.",
    "an escape beyond Unicode": "V\\U00110000\n.",
    "a line without end": "I1",
    "an int that is none": "I1x\n.",
    "a hexadecimal int": "I0x1f\n.",
    "an empty int": "I\n.",
    "a float that is none": "F1_0\n.",
    "an int of 4301 digits in decimal": `L${"1".repeat(4301)}L\n.`,
  })) {
    test(`${name} is refused`, () => refused(bytes(pickle)));
  }
});

describe("bounds", () => {
  const MIB = 1024 * 1024;
  const uint32 = (n: number) => [n & 0xff, (n >> 8) & 0xff, (n >> 16) & 0xff, n >>> 24];

  test("4 MiB are read, and not one byte more", () => {
    const size = 4 * MIB - 8;
    const pickle = bytes([0x80, 4, 0x58], uint32(size), Buffer.alloc(size, "x"), ".");
    assert.equal(pickle.length, 4 * MIB);
    assert.equal((loadPickle(pickle).value as string).length, size);
    refused(bytes([0x80, 4, 0x58], uint32(size + 1), Buffer.alloc(size + 1, "x"), "."));
  });

  test("1001 levels are read, and not one more", () => {
    const nested = (levels: number) => bytes("\x80\x04", "]".repeat(levels), "a".repeat(levels - 1), ".");
    assert.equal(JSON.stringify(loadPickle(nested(1001)).value), "[".repeat(1001) + "]".repeat(1001));
    refused(nested(1002));
    refused(nested(MIB));
  });

  test("levels count as JavaScript's, also where one of Python's takes two or three", () => {
    const inLists = (levels: number, inner: string) =>
      bytes("\x80\x04", "]".repeat(levels), inner, "a".repeat(levels), ".");
    for (const [inner, levels] of [
      ["\x8f", 2],
      ["(\x91", 2],
      ["}NNs", 3],
      ["cdecimal\nDecimal\n\x8c\x011\x85R", 1],
    ] as const) {
      loadPickle(inLists(1001 - levels, inner));
      refused(inLists(1002 - levels, inner));
    }
  });

  test("a few bytes that say billions of values are refused at once", () => {
    const level = (n: number) => bytes("]\x94(", Array(50).fill([0x68, n]).flat(), "e");
    const laughs = Array.from({ length: 30 }, (_, n) => level(n));
    refused(bytes("\x80\x04]\x94", ...laughs, "."));
  });

  test("a few bytes that say gigabytes of text are refused at once", () => {
    const text = bytes("X", uint32(MIB), Buffer.alloc(MIB, "x"), "\x94");
    refused(bytes("\x80\x04]\x94(", text, Array(1000).fill([0x68, 1]).flat(), "e."));
    const big = bytes("\x8b", uint32(MIB), Buffer.alloc(MIB, 1), "\x94");
    refused(bytes("\x80\x04]\x94(", big, Array(1000).fill([0x68, 1]).flat(), "e."));
    const key = bytes("}", text, "Ns\x94");
    refused(bytes("\x80\x04]\x94(", key, Array(1000).fill([0x68, 2]).flat(), "e."));
  });

  test("a text that is handed to a class again and again is refused at once", () => {
    const text = bytes("X", uint32(MIB), Buffer.alloc(MIB, "x"), "\x94");
    const call = [..."h\x01h\0h\x02\x86R0"].map((char) => char.charCodeAt(0));
    const head = bytes("\x80\x04", text, "c_codecs\nencode\n\x94Vlatin1\n\x94000");
    // In the order of the memo: the text, the function, the encoding.
    assert.ok(loadPickle(bytes(head, call, "N.")).value === null);
    refused(bytes(head, ...Array(100_000).fill(call), "N."));
  });

  test("a long list of arguments is refused, however often it is handed over", () => {
    const args = bytes("(", "N".repeat(100_000), "t\x94");
    refused(bytes("\x80\x04", args, "cdecimal\nDecimal\n\x94", "h\x01h\0R0".repeat(100_000), "00N."));
  });

  for (const [name, fill] of Object.entries({ lists: "]", dicts: "}", marks: "(", "empty texts": "\x8c\0" })) {
    test(`4 MiB of ${name} are refused`, () => refused(bytes("\x80\x04", fill.repeat(2 * MIB), ".")));
  }

  test("two million objects are made, and not one more, whether they are kept or not", () => {
    assert.equal(loadPickle(bytes("\x80\x04", "]0".repeat(2_000_000), "N.")).value, null);
    refused(bytes("\x80\x04", "]0".repeat(2_000_001), "N."));
  });

  test("a memo index of 32 bits takes no memory", () => {
    assert.equal(loadPickle(bytes("\x80\x04Nr\xff\xff\xff\xff0j\xff\xff\xff\xff.")).value, null);
  });

  test("what python-json reads as BigInt is one here too", () => {
    assert.equal(loadPickle(bytes("L9007199254740993L\n.")).value, parse("9007199254740993").value);
  });
});
