import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { loadPickle } from "../../../src/django/pickle/load.ts";
import { CPYTHON } from "./cpython.ts";

const MIB = 1024 * 1024;

function why(pickle: Uint8Array | string): string {
  try {
    loadPickle(typeof pickle === "string" ? Buffer.from(pickle, "latin1") : pickle);
  } catch (error) {
    assert.ok(error instanceof SyntaxError);
    return `The pickle ${error.message}`;
  }
  return "The pickle is good";
}

describe("why a pickle is refused", () => {
  for (const [pickle, reason] of [
    ["cos\nsystem\n(S'true'\ntR.", "names os.system, which is not plain data"],
    ["(Vtrue\nios\nsystem\n.", "names os.system, which is not plain data"],
    ["\x80\x04\x8c\x0bcollections\x8c\x0bdefaultdict\x93.", "names collections.defaultdict, which is not plain data"],
    ["\x80\x04\x8c\x01a\x8c\x09Outer.One\x93.", "names a.Outer.One, which is not plain data"],
    ["c__builtin__\neval\n.", "names __builtin__.eval, which is not plain data"],
    ["\x80\x04cdatetime\ndate\n.", "holds the class datetime.date itself"],
    ["\x80\x04cdatetime\ndate\nC\x04\x07\xea\x02\x1e\x85R.", "holds a datetime.date that Python does not write"],
    ["\x80\x04cdatetime\ndate\nC\x04\x07\xea\x01\x01\x85R}b.", "holds a datetime.date that Python does not write"],
    ["\x80\x04c__builtin__\ncomplex\nK\x01K\x01\x86R.", "holds a builtins.complex that Python does not write"],
    ["\x80\x04}]K\x01s.", "has a key, or an element of a set, that Python does not take as one"],
    ["\x80\x06N.", "is of protocol 6, and at most 5 is read"],
    ["P1\n.", "has the opcode 80, which plain data do not need"],
    ["\x80\x04\x8c\x09abc.", "is cut off"],
    ["\x80\x04\x95\xff\0\0\0\0\0\0\0N.", "is cut off"],
    ["\x80\x04N", "is cut off"],
    ["I1", "is cut off"],
    ["\x80\x04N.N", "is followed by something else"],
    ["\x80\x04NN.", "is damaged, or not one of plain data"],
    [`\x80\x04${"]".repeat(2000)}${"a".repeat(1999)}.`, "is circular, or nested too deep"],
    ["\x80\x04]\x94h\0a.", "is circular, or nested too deep"],
    [`\x80\x04${"]0".repeat(2_000_001)}N.`, "holds too much"],
  ] as const) {
    test(`it ${reason}`, () => assert.equal(why(pickle), `The pickle ${reason}`));
  }

  test("it is too large", () => {
    assert.equal(
      why(Buffer.alloc(4 * MIB + 1)),
      `The pickle is too large: ${4 * MIB + 1} bytes, where at most ${4 * MIB} are read`,
    );
  });

  test("a name is said in printable ASCII, and cut short", () => {
    assert.equal(why("ca\x1b[2J\xe9\nb c\n."), "The pickle names a?[2J?.b?c, which is not plain data");
    const [long, longer] = ["x".repeat(100), "x".repeat(3 * MIB)];
    assert.equal(why(`c${longer}\ny\n.`), `The pickle names ${long}..., which is not plain data`);
    const text = Buffer.concat([Buffer.from("\x80\x04\x8c\x06\u2028\u202e\x93", "utf8"), Buffer.from(".")]);
    assert.match(why(text), /^The pickle [ -~]+$/);
  });

  for (const [expression, pickles] of Object.entries(CPYTHON.refused)) {
    test(`${expression}: in every protocol a sentence in ASCII, which names a class where that is the reason`, () => {
      for (const pickle of Object.values(pickles)) {
        assert.match(why(Buffer.from(pickle, "base64")), /^The pickle [ -~]{5,200}$/);
        assert.doesNotMatch(why(Buffer.from(pickle, "base64")), /damaged/);
      }
    });
  }
});
