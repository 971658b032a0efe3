import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { serialize } from "node:v8";
import { structuredCodec } from "../../src/codecs/structured.ts";
import type { Payload } from "../../src/core/contracts.ts";
import { createSessions } from "../../src/core/sessions.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { codecSuite } from "../../src/testing/index.ts";

const now = new Date("2026-11-20T12:00:00Z");
const codec = structuredCodec();
const again = <T>(value: T): T => codec.decode(codec.encode({ value }, now))!.data.value as T;

const circularMap = new Map<string, unknown>();
circularMap.set("self", circularMap);

describe("the structured codec", () => {
  codecSuite(test, codec, {
    signed: false,
    unstorable: {
      "an instance of a class": new (class Cart {})(),
      "an Error": new Error("x"),
      "a boxed number": Object(1),
      "a promise": Promise.resolve(),
      "a WeakMap": new WeakMap(),
      "a Proxy": new Proxy({}, {}),
      "shared memory": new SharedArrayBuffer(1),
      "a view of shared memory": new Uint8Array(new SharedArrayBuffer(1)),
      "a map that holds itself": circularMap,
    },
  });

  const KEPT: Record<string, unknown> = {
    undefined: undefined,
    "a BigInt": -(2n ** 100n),
    "NaN, infinities and minus zero": [Number.NaN, Number.NEGATIVE_INFINITY, -0],
    "a Date": new Date(1.7e12),
    "a RegExp": /a\/b/giu,
    "a Map": new Map<unknown, unknown>([
      ["a", { b: [1] }],
      [1, new Map([[true, null]])],
      [{ object: "key" }, new Set([1])],
    ]),
    "a Set": new Set([1, "1", 1n, { a: new Date(0) }]),
    "a Buffer": Buffer.from("bytes"),
    "a Uint8Array": Uint8Array.of(0, 255),
    "a Float64Array, after a text that leaves it unaligned": ["x", Float64Array.of(0.1, -0)],
    "a BigInt64Array": BigInt64Array.of(-1n),
    "a DataView": new DataView(Uint8Array.of(1, 2, 3).buffer, 1, 1),
    "an ArrayBuffer": Uint8Array.of(1, 2, 3).buffer,
    // biome-ignore lint/suspicious/noSparseArray: the hole is the case
    "an array with a hole": [1, , 3],
  };
  for (const [name, value] of Object.entries(KEPT)) {
    test(`keeps ${name}`, () => {
      codec.assertValue(value, "value");
      const read = again(value);
      assert.deepEqual(read, value);
      assert.equal(Object.prototype.toString.call(read), Object.prototype.toString.call(value));
    });
  }

  test("keeps an object that stands in two places one object", () => {
    const shared = { n: 1 };
    const read = again({ a: shared, b: [shared], c: new Map([["d", shared]]) });
    assert.equal(read.a, read.b[0]);
    assert.equal(read.a, read.c.get("d"));
  });

  test("looks into an object that stands in many places once: 2^60 paths take no time", () => {
    let value: unknown = 1;
    for (let level = 0; level < 60; level++) value = [value, value];
    codec.assertValue(value, "value");
  });

  test("names the path into maps and sets", () => {
    const wrong = (value: unknown, message: RegExp) =>
      assert.throws(() => codec.assertValue(value, "cart"), { code: "ERR_SESSION_VALUE", message });
    wrong(new Map([["item", { run() {} }]]), /^cart\{item\}\.run is a function/);
    wrong(new Map([[Symbol("s"), 1]]), /^cart\{key\} is a symbol/);
    wrong([new Set([() => {}])], /^cart\[0\]\{\} is a function/);
  });

  test("typed arrays belong to the caller: changing them changes neither the payload nor another reading", () => {
    const payload = codec.encode({ bytes: Uint8Array.of(1, 2), floats: Float64Array.of(1) }, now) as Uint8Array;
    const before = Buffer.from(payload);
    const { bytes, floats } = codec.decode(payload)!.data as { bytes: Uint8Array; floats: Float64Array };
    bytes.fill(9);
    floats.fill(9);
    assert.ok(before.equals(payload));
    assert.deepEqual(codec.decode(payload)!.data.bytes, Uint8Array.of(1, 2));
  });

  test("a small Buffer takes nothing along of the memory it is a view of", () => {
    const pool = Buffer.from("a neighbour's secret, and mine");
    const payload = codec.encode({ mine: pool.subarray(-4) }, now) as Uint8Array;
    assert.ok(!Buffer.from(payload).includes("neighbour"));
  });

  test("reads only what has its own header, and a dict in it", () => {
    const header = Buffer.from("sojourn1");
    const taken = (payload: Payload) => codec.decode(payload) !== null;
    assert.ok(taken(Buffer.concat([header, serialize({ a: 1 })])));
    assert.ok(!taken(serialize({ a: 1 })));
    assert.ok(!taken(Buffer.concat([Buffer.from("sojourn2"), serialize({ a: 1 })])));
    assert.ok(!taken("sojourn1"));
    assert.ok(!taken(header));
    for (const value of [[1], null, "x", new Map(), new Date()]) {
      assert.ok(!taken(Buffer.concat([header, serialize(value)])));
    }
  });

  test("nesting over 1,000 levels is refused in both directions", () => {
    const nested = (levels: number) => {
      let value: Record<string, unknown> = {};
      for (let level = 1; level < levels; level++) value = { value };
      return value;
    };
    assert.ok(codec.decode(codec.encode(nested(1000), now)));
    assert.throws(() => codec.encode(nested(1001), now), { code: "ERR_SESSION_VALUE", message: /deeper than 1000/ });
    assert.equal(codec.decode(Buffer.concat([Buffer.from("sojourn1"), serialize(nested(1001))])), null);
  });
});

describe("a session of structured values", () => {
  const sessions = createSessions<Record<string, any>>(storeEngine(memoryStore(), codec));

  async function request(cookie: string | undefined, handler: (session: any) => unknown) {
    const open = sessions.open(cookie);
    const result = await handler(await open.session());
    const { setCookie } = await open.commit(200);
    return { result, saved: setCookie.length > 0, cookie: setCookie[0]?.split(";")[0] ?? cookie };
  }

  const CHANGES: Record<string, [() => unknown, (value: any) => unknown]> = {
    "a Map": [() => new Map([["a", 1]]), (map) => map.set("a", 2)],
    "a list in a Map": [() => new Map([["a", [1]]]), (map) => map.get("a").push(2)],
    "a Set": [() => new Set([1]), (set) => set.delete(1)],
    "a Date": [() => new Date(0), (date) => date.setTime(1)],
    "a typed array": [() => Uint16Array.of(1), (array) => array.fill(2)],
    "a Buffer": [() => Buffer.from("a"), (buffer) => buffer.fill("b")],
    "a BigInt in a list": [() => [1n], (list) => list.push(2n)],
  };
  for (const [name, [make, change]] of Object.entries(CHANGES)) {
    test(`saves ${name} that was changed in place, and only then`, async () => {
      const { cookie } = await request(undefined, (session) => session.set("value", make()));
      assert.equal((await request(cookie, (session) => session.get("value"))).saved, false);
      const { saved } = await request(cookie, (session) => change(session.get("value")));
      assert.equal(saved, true);
      const expected = make();
      change(expected);
      assert.deepEqual((await request(cookie, (session) => session.get("value"))).result, expected);
    });
  }

  test("two requests' changes are both kept; of one Map that both changed, the later", async () => {
    const { cookie } = await request(undefined, (session) =>
      session.update({ a: new Set(), b: new Set(), c: new Set() }),
    );
    const [one, two] = [sessions.open(cookie), sessions.open(cookie)];
    const [first, second] = [await one.session(), await two.session()];
    for (const key of ["a", "c"]) first.get(key).add("one");
    for (const key of ["b", "c"]) second.get(key).add("two");
    await one.commit(200);
    await two.commit(200);
    const { result } = await request(cookie, (session) => ({ ...session.data }));
    assert.deepEqual(result, { a: new Set(["one"]), b: new Set(["two"]), c: new Set(["two"]) });
  });

  test("what was put in by hand and cannot be stored is refused with its path", async () => {
    const session = await sessions.open(undefined).session();
    session.data.cart = [new Map([["run", () => {}]])];
    await assert.rejects(session.save(), { code: "ERR_SESSION_VALUE", message: /^cart\[0\]\{run\} is a function/ });
  });
});
