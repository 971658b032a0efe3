import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { merge } from "../../src/core/merge.ts";
import { copy, equal } from "../../src/core/values.ts";

function merged(base: object, mine: object, theirs: object) {
  const result = copy(mine);
  const conflicts = merge(copy(base), result, copy(theirs));
  return { result, conflicts };
}

describe("three-way merge", () => {
  for (const [name, base, mine, theirs, expected, conflicts] of [
    ["different new keys are both kept", {}, { a: 1 }, { b: 2 }, { a: 1, b: 2 }, []],
    ["a key they changed is taken", { a: 1 }, { a: 1 }, { a: 2 }, { a: 2 }, []],
    ["a key I changed is kept", { a: 1 }, { a: 2 }, { a: 1 }, { a: 2 }, []],
    ["a key they deleted is gone", { a: 1, b: 1 }, { a: 1, b: 2 }, { b: 1 }, { b: 2 }, []],
    ["a key I deleted is gone", { a: 1, b: 1 }, { b: 1 }, { a: 1, b: 2 }, { b: 2 }, []],
    ["the same change twice is no conflict", { a: 1 }, { a: 2 }, { a: 2 }, { a: 2 }, []],
    ["both deleted is no conflict", { a: 1 }, {}, {}, {}, []],
    ["both changed: mine, and the path is told", { a: 1 }, { a: 2 }, { a: 3 }, { a: 2 }, [["a"]]],
    ["I changed what they deleted: mine", { a: 1 }, { a: 2 }, {}, { a: 2 }, [["a"]]],
    ["I deleted what they changed: deleted", { a: 1 }, {}, { a: 2 }, {}, [["a"]]],
    [
      "nested paths are both kept",
      { u: { x: 1, y: 1 } },
      { u: { x: 2, y: 1 } },
      { u: { x: 1, y: 2 } },
      { u: { x: 2, y: 2 } },
      [],
    ],
    ["new dicts under one key are merged", {}, { u: { x: 1 } }, { u: { y: 2 } }, { u: { x: 1, y: 2 } }, []],
    [
      "a nested conflict has its whole path",
      { u: { x: 1 } },
      { u: { x: 2 } },
      { u: { x: 3 } },
      { u: { x: 2 } },
      [["u", "x"]],
    ],
    ["arrays are taken whole", { l: [1] }, { l: [1, 2] }, { l: [1, 3] }, { l: [1, 2] }, [["l"]]],
    [
      "an array they changed is taken",
      { l: [1], n: 0 },
      { l: [1], n: 1 },
      { l: [1, 3], n: 0 },
      { l: [1, 3], n: 1 },
      [],
    ],
    ["a dict against a scalar: mine", { a: 1 }, { a: { x: 1 } }, { a: 2 }, { a: { x: 1 } }, [["a"]]],
  ] as [string, object, object, object, object, string[][]][]) {
    test(name, () => assert.deepEqual(merged(base, mine, theirs), { result: expected, conflicts }));
  }

  test("__proto__ is merged as a key, and no prototype changes", () => {
    const theirs = JSON.parse('{"__proto__":{"admin":true},"u":{"__proto__":{"admin":true}}}');
    const { result } = merged(JSON.parse('{"u":{}}'), { u: { a: 1 }, x: 1 }, theirs) as { result: any };
    assert.deepEqual(Object.keys(result).sort(), ["__proto__", "u", "x"]);
    assert.equal(Object.getPrototypeOf(result), Object.prototype);
    assert.equal(result.u.admin, undefined);
    assert.equal(({} as any).admin, undefined);
  });

  test("inherited names are no keys", () => {
    const { result, conflicts } = merged({}, { constructor: 1 }, { toString: 2 });
    assert.deepEqual({ ...result }, { constructor: 1, toString: 2 });
    assert.deepEqual(conflicts, []);
  });

  const value = fc.letrec((tie) => ({
    dict: fc.dictionary(fc.constantFrom("a", "b", "c", "__proto__"), tie("any"), { maxKeys: 3 }),
    any: fc.oneof(
      { depthSize: "small" },
      fc.integer({ max: 3, min: 0 }),
      fc.array(fc.integer(), { maxLength: 2 }),
      tie("dict"),
    ),
  })).dict as fc.Arbitrary<Record<string, unknown>>;

  test("who changed nothing gets theirs; where they changed nothing, mine stays", () => {
    fc.assert(
      fc.property(value, value, (base, other) => {
        assert.ok(equal(merged(base, base, other).result, other));
        assert.ok(equal(merged(base, other, base).result, other));
      }),
      { numRuns: 1000, seed: 1 },
    );
  });

  test("without conflict it does not matter who comes second", () => {
    fc.assert(
      fc.property(value, value, value, (base, mine, theirs) => {
        const one = merged(base, mine, theirs);
        if (one.conflicts.length === 0) assert.ok(equal(one.result, merged(base, theirs, mine).result));
      }),
      { numRuns: 1000, seed: 1 },
    );
  });

  test("every top-level key is one side's, or merged from both", () => {
    fc.assert(
      fc.property(value, value, value, (base, mine, theirs) => {
        const { result } = merged(base, mine, theirs) as { result: Record<string, unknown> };
        for (const key of Object.keys(result)) assert.ok(Object.hasOwn(mine, key) || Object.hasOwn(theirs, key));
      }),
      { numRuns: 1000, seed: 1 },
    );
  });
});
