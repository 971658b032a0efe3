import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import { merge } from "../../src/core/merge.ts";
import { copy, equal, newData, put } from "../../src/core/values.ts";

function dict(entries: Record<string, unknown>): Record<string, unknown> {
  const data = newData();
  for (const [key, value] of Object.entries(entries)) put(data, key, value);
  return data;
}

/** Values, and a change inside each of them. */
const CHANGES: Record<string, () => [unknown, (value: any) => void]> = {
  "a list": () => [[1, [2]], (list) => list[1].push(3)],
  "a dict": () => [{ a: { b: 1 } }, (value) => Object.assign(value.a, { c: 1 })],
  "a dict without prototype": () => [dict({ a: dict({ b: 1 }) }), (value) => Object.assign(value.a, { b: 2 })],
  "a Date": () => [new Date(0), (date) => date.setTime(1)],
  "a Map": () => [new Map([["a", 1]]), (map) => map.set("a", 2)],
  "a Map's new key": () => [new Map([["a", 1]]), (map) => map.set("b", 1)],
  "a list in a Map": () => [new Map([["a", [1]]]), (map) => map.get("a").push(2)],
  "a dict without prototype in a Map": () => [
    new Map([["a", dict({ b: 1 })]]),
    (map) => Object.assign(map.get("a"), { b: 2 }),
  ],
  "a Map with an object for a key": () => [
    new Map([[{ a: 1 }, 1]]),
    (map) => Object.assign([...map.keys()][0], { a: 2 }),
  ],
  "a Set": () => [new Set([1]), (set) => set.add(2)],
  "a dict in a Set": () => [new Set([{ a: 1 }]), (set) => Object.assign([...set][0], { a: 2 })],
  "a Uint8Array": () => [Uint8Array.of(1, 2), (bytes) => bytes.fill(9)],
  "a part of a Uint8Array": () => [Uint8Array.of(1, 2, 3).subarray(1), (bytes) => bytes.fill(9)],
  "a Float64Array": () => [Float64Array.of(0.5), (floats) => floats.fill(1)],
  "a Buffer": () => [Buffer.from("bytes"), (buffer) => buffer.fill(0)],
  "a DataView": () => [new DataView(new ArrayBuffer(2)), (view) => view.setInt8(0, 1)],
  "an ArrayBuffer": () => [new ArrayBuffer(2), (buffer) => new Uint8Array(buffer).fill(1)],
};

describe("a copy", () => {
  for (const [name, make] of Object.entries(CHANGES)) {
    test(`of ${name} says the same, and no longer when the original is changed inside`, () => {
      const [value, change] = make();
      const data = { value };
      const copied = copy(data);
      assert.deepEqual(copied, data);
      assert.ok(equal(copied, data));
      const before = inspect(copied, { depth: 9 });
      change(value);
      assert.ok(!equal(copied, data));
      assert.equal(inspect(copied, { depth: 9 }), before);
    });
  }

  test("of a small Buffer does not hold on to the large memory it is a view of", () => {
    const copied = copy(Buffer.from(new ArrayBuffer(100_000)).subarray(0, 8));
    assert.ok(copied.buffer.byteLength < 100_000);
    assert.ok(Buffer.isBuffer(copied));
  });

  test("leaves alone what cannot be copied, for the codec to refuse it with its path", () => {
    const data = {
      promise: Promise.resolve(),
      cart: { add() {} },
      map: new Map([["f", () => {}]]),
      weak: new WeakMap(),
    };
    assert.deepEqual(copy(data), data);
  });

  for (const make of [
    (inner: unknown) => [inner],
    (inner: unknown) => ({ inner }),
    (inner: unknown) => new Map([["inner", inner]]),
    (inner: unknown) => new Set([inner]),
  ]) {
    test(`of ${inspect(make(1))} nested without end is refused`, () => {
      let value: unknown = 1;
      for (let level = 0; level < 1100; level++) value = make(value);
      assert.throws(() => copy(value), { code: "ERR_SESSION_VALUE", message: /circular or nested deeper/ });
    });
  }
});

describe("a merge", () => {
  const map = (...entries: [string, unknown][]) => new Map(entries);

  test("takes a Map, Set, Date or typed array that others changed whole", () => {
    const base = { map: map(["a", 1]), set: new Set([1]), date: new Date(0), bytes: Uint8Array.of(1) };
    const theirs = { map: map(["a", 2]), set: new Set([2]), date: new Date(1), bytes: Uint8Array.of(2) };
    const mine = copy(base);
    assert.deepEqual(merge(base, mine, theirs), []);
    assert.deepEqual(mine, theirs);
  });

  test("keeps mine where both changed it, and says so: there is no merging inside", () => {
    const mine = { map: map(["a", 1], ["mine", 1]) };
    assert.deepEqual(merge({ map: map(["a", 1]) }, mine, { map: map(["a", 1], ["theirs", 1]) }), [["map"]]);
    assert.deepEqual(mine.map, map(["a", 1], ["mine", 1]));
  });

  test("is no conflict where both changed it in the same way", () => {
    const mine = { map: map(["a", 2]) };
    assert.deepEqual(merge({ map: map(["a", 1]) }, mine, { map: map(["a", 2]) }), []);
  });
});
