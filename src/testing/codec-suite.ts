import assert from "node:assert/strict";
import type { Payload, SessionCodec, SessionData } from "../core/contracts.ts";
import { SessionError } from "../core/errors.ts";
import { anyData, mutated, pseudoRandom, STORABLE, UNSTORABLE } from "./codec-values.ts";
import type { TestFunction } from "./store-suite.ts";

export interface CodecSuiteOptions {
  /** Whether a payload carries a proof of its origin, so that no change to it can go unnoticed. Default `true`. */
  readonly signed?: boolean;
  /** Values that this format cannot carry, by name; functions and symbols are always among them. */
  readonly unstorable?: Readonly<Record<string, unknown>>;
  /** Payloads from other writers of the format, with what JavaScript values cannot say, such as `1.0`. */
  readonly foreign?: readonly Payload[];
}

const NOW = new Date("2026-11-20T12:00:00Z");
/** More than any session may take, and than any format may unfold to. */
const TOO_MUCH = 64 * 1024 * 1024;
const MUTATIONS = 10_000;

/**
 * Tests a codec for every sentence of the `SessionCodec` contract, with values that JSON can say.
 *
 * @example
 * import { test } from "node:test";
 * import { codecSuite } from "sojourn/testing";
 *
 * codecSuite(test, myCodec({ key }));
 */
export function codecSuite(test: TestFunction, codec: SessionCodec, options: CodecSuiteOptions = {}): void {
  const { signed = true, unstorable = {}, foreign = [] } = options;
  const rule = (name: string, body: () => void) => test(name, async () => body());
  const read = (payload: Payload): SessionData => {
    const decoded = codec.decode(payload);
    assert.ok(decoded, "its own payload does not decode");
    return decoded.data;
  };

  for (const [name, data] of Object.entries(STORABLE)) {
    rule(`what is encoded is decoded: ${name}`, () => assertSameData(read(codec.encode(data, NOW)), data));
  }

  rule("what is encoded is decoded: 1,000 random objects", () => {
    const random = pseudoRandom(1);
    for (let n = 0; n < 1000; n++) {
      const data = anyData(random);
      assertSameData(read(codec.encode(data, NOW)), data);
    }
  });

  rule("a key named __proto__ is a key like any other, at every depth", () => {
    const data = JSON.parse('{"__proto__":{"admin":true},"a":{"__proto__":[1]},"b":[{"__proto__":null}]}');
    const decoded = read(codec.encode(data, NOW));
    assert.deepEqual(Object.keys(decoded), ["__proto__", "a", "b"]);
    assert.deepEqual({ ...(own(decoded, "__proto__") as object) }, { admin: true });
    assert.deepEqual(own(decoded.a as object, "__proto__"), [1]);
    assert.equal(own((decoded.b as object[])[0]!, "__proto__"), null);
    assert.equal(decoded.admin, undefined);
    assert.equal(({} as { admin?: boolean }).admin, undefined);
  });

  rule("keys keep their order", () => {
    const data = { b: 1, a: { z: 1, y: 2, x: 3 }, _: 2, B: 3, é: 4 };
    const decoded = read(codec.encode(data, NOW));
    assert.deepEqual(Object.keys(decoded), Object.keys(data));
    assert.deepEqual(Object.keys(decoded.a as object), ["z", "y", "x"]);
  });

  rule("what was decoded and not changed is encoded to the same bytes, at the same time of writing", () => {
    for (const data of [...Object.values(STORABLE), { "10": 1, b: 2, "9": { "1": 1.5, "0": 2 } }]) {
      const payload = codec.encode(data, NOW);
      const first = codec.decode(payload)!;
      const again = codec.encode(first.data, NOW, first.origin);
      // Encrypted, the same bytes never come twice, and V8's format tells how an array was made: then it is what they say.
      if (isSamePayload(codec.encode(structuredClone(data), NOW), payload)) assert.ok(isSamePayload(again, payload));
      assert.deepEqual(codec.decode(again), first);
    }
  });

  rule("text is read from its bytes too", () => {
    for (const data of Object.values(STORABLE)) {
      const payload = codec.encode(data, NOW);
      if (typeof payload === "string") assertSameData(read(Buffer.from(payload)), data);
    }
  });

  rule("the time of writing comes back, to the second, where the format records it", () => {
    for (const time of [NOW, new Date(NOW.getTime() - 90_061_001), new Date(0)]) {
      const { savedAt } = codec.decode(codec.encode({ a: 1 }, time))!;
      if (savedAt) assert.equal(Math.floor(savedAt.getTime() / 1000), Math.floor(time.getTime() / 1000));
    }
  });

  rule("what others wrote and was not changed says the same when it is encoded again", () => {
    for (const payload of foreign) {
      const first = codec.decode(payload);
      assert.ok(first, "a foreign payload does not decode");
      const again = codec.decode(codec.encode(first.data, NOW, first.origin));
      // Together with the origin, which is where such things are kept.
      assert.deepEqual([again?.data, again?.origin], [first.data, first.origin]);
    }
  });

  rule("encode leaves the data as they are", () => {
    const data = deepFrozen({ a: { b: [1, { c: null }] } });
    assertSameData(read(codec.encode(data, NOW)), data);
  });

  rule("decoded objects belong to the caller: changing them changes no other", () => {
    const payload = codec.encode({ a: { b: [1] } }, NOW);
    (read(payload).a as { b: unknown[] }).b.push(2);
    assertSameData(read(payload), { a: { b: [1] } });
  });

  for (const [name, value] of Object.entries({ ...UNSTORABLE, ...unstorable })) {
    rule(`${name} is refused with ERR_SESSION_VALUE, which names the path`, () => {
      assert.throws(() => codec.encode({ cart: [{ item: value }] }, NOW), namesPath(/cart.*0.*item/));
      assert.throws(() => codec.assertValue(value, "cart"), namesPath(/cart/));
      assert.throws(() => codec.assertValue({ item: [value] }, "cart"), namesPath(/cart.*item.*0/));
    });
  }

  rule("assertValue accepts what encode carries", () => {
    for (const data of Object.values(STORABLE)) {
      codec.assertValue(data, "data");
      for (const [key, value] of Object.entries(data)) codec.assertValue(value, key);
    }
  });

  rule("data nested 100,000 levels deep are carried, or refused with a SessionError", () => {
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level++) deep = level % 2 ? [deep] : { a: deep };
    try {
      codec.encode({ deep }, NOW);
    } catch (error) {
      assert.ok(error instanceof SessionError, String(error));
    }
  });

  rule("too much is refused with ERR_SESSION_TOO_LARGE", () => {
    assert.throws(() => codec.encode({ text: "x".repeat(TOO_MUCH) }, NOW), { code: "ERR_SESSION_TOO_LARGE" });
  });

  rule("hostile payloads are null", () => {
    const random = pseudoRandom(2);
    const texts = ["", " ", ":", "::", ":::", ".", ".:.:.", "null", "{}", "[]", "\0", "é", "\ud83d", "=".repeat(99)];
    for (const text of texts) assertNoForgery(text);
    assert.equal(codec.decode("x".repeat(TOO_MUCH)), null);
    assert.equal(codec.decode(new Uint8Array(TOO_MUCH)), null);
    for (let n = 0; n < 1000; n++) {
      const bytes = Uint8Array.from({ length: Math.floor(random() * 64) }, () => Math.floor(random() * 256));
      assertNoForgery(bytes);
      assertNoForgery(Buffer.from(bytes).toString("latin1"));
    }
  });

  rule(`none of ${MUTATIONS.toLocaleString("en")} changed payloads throws or yields other data`, () => {
    const random = pseudoRandom(3);
    const samples = Array.from({ length: 20 }, () => ({ ...anyData(random), text: "compressible ".repeat(20) }));
    const payloads = samples.map((data) => codec.encode(data, NOW));
    for (let n = 0; n < MUTATIONS; n++) {
      const payload = payloads[n % payloads.length]!;
      const changed = mutated(payload, random);
      const decoded = codec.decode(changed);
      // Base64 has texts that say the same bytes; signed, these are the owner's.
      if (signed && decoded !== null) assertSameData(decoded.data, samples[n % samples.length]!);
    }
  });

  function assertNoForgery(payload: Payload): void {
    const decoded = codec.decode(payload);
    if (signed) assert.equal(decoded, null);
  }
}

/** Equal values, whatever the prototypes of dicts. */
function assertSameData(actual: SessionData, expected: SessionData): void {
  assert.deepEqual(plain(actual), plain(expected));
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.assign(
    Object.create(null),
    Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)])),
  );
}

function own(object: object, key: string): unknown {
  return Object.getOwnPropertyDescriptor(object, key)?.value;
}

function deepFrozen<T extends object>(value: T): T {
  for (const item of Object.values(value)) if (typeof item === "object" && item !== null) deepFrozen(item);
  return Object.freeze(value);
}

function isSamePayload(a: Payload, b: Payload): boolean {
  return Buffer.from(a).equals(Buffer.from(b));
}

function namesPath(path: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof SessionError, String(error));
    assert.equal(error.code, "ERR_SESSION_VALUE");
    assert.match(error.message, path);
    return true;
  };
}
