import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { djangoCodec, legacyDjangoCodec } from "../../src/django/codec.ts";
import { parse } from "../../src/django/python-json.ts";
import { loads, saltedHmac, signer } from "../../src/django/signing.ts";
import { canonical, vectors } from "../support/vectors.ts";

const secretKey = "a secret key for tests, 32 characters at least";
const codec = djangoCodec({ secretKey });
const now = new Date(1_700_000_000_000);

describe("Django's session payload", () => {
  for (const version of ["5.2", "3.2"] as const) {
    for (const v of vectors(version).session_decode) {
      test(`Django ${version} decodes "${v.label}" as we do, or fails on it`, () => {
        const signers = [v.key, ...v.fallbacks].map((key) => signer(key, "django.contrib.sessions.SessionStore"));
        const json = loads(v.text, signers);
        let read: string | null = null;
        try {
          read = json === null ? null : canonical(json);
        } catch {
          // Not JSON.
        }
        // Django's `{}` stands for "unreadable" too, unless the text really says so.
        const expected = v.error !== undefined || v.result_json === "{}" ? null : canonical(v.result_json!);
        assert.equal(read, expected);
      });
    }
  }

  test("what is written is read, with the same types", () => {
    const data = {
      s: "é\u2028\ud83d\ude00",
      n: 1.5,
      i: -7,
      b: true,
      z: null,
      l: [1, [2]],
      o: { "": {} },
      big: 2n ** 70n,
    };
    assert.deepEqual({ ...codec.decode(codec.encode(data, now))!.data }, data);
  });

  test("values that nobody touched come back byte for byte", () => {
    const text = '{"b":1.0,"10":{"x":-0.0,"1":1e+16},"2":10000000000000000000000,"n":NaN}';
    const payload = codec.encode(parse(text).value as Record<string, unknown>, now, parse(text).origin);
    const { data, origin } = codec.decode(payload)!;
    assert.equal(codec.encode(data, now, origin), payload);
    assert.equal(loads(payload as string, [signer(secretKey, "django.contrib.sessions.SessionStore")]), text);
  });

  test("decoded data have no prototype, so that no key means more than itself", () => {
    const { data } = codec.decode(codec.encode({ a: 1 }, now))!;
    assert.equal(Object.getPrototypeOf(data), null);
    assert.equal(data.constructor, undefined);
  });

  for (const [name, json] of Object.entries({ list: "[1]", null: "null", text: '"x"', number: "1" })) {
    test(`a signed ${name} is no session`, () => {
      const payload = codec.encode(parse(json).value as Record<string, unknown>, now);
      assert.equal(codec.decode(payload), null);
    });
  }

  for (const payload of ["", ":", "::", "a:b:c", "\u0000", "é:é:é", "x".repeat(10_000_000), new Uint8Array(3)]) {
    test(`${payload.length} hostile bytes are no session`, () => assert.equal(codec.decode(payload), null));
  }

  test("a session over 4 MiB is refused with its size, before anything is written", () => {
    assert.throws(() => codec.encode({ a: "x".repeat(4 * 1024 * 1024) }, now), {
      code: "ERR_SESSION_TOO_LARGE",
      message: /4194312 bytes/,
    });
  });

  for (const key of [undefined, "", "short", "a".repeat(64), 42 as never]) {
    test(`the secret key ${JSON.stringify(key)} is refused at construction, and not shown`, () => {
      assert.throws(
        () => djangoCodec({ secretKey: key as string }),
        (error: Error & { code: string }) =>
          error.code === "ERR_CONFIG" &&
          error.message.startsWith("secretKey must") &&
          !(key && error.message.includes(key)),
      );
      assert.throws(() => djangoCodec({ secretKey, secretKeyFallbacks: [key as string] }), {
        message: /^secretKeyFallbacks\[0\]/,
      });
    });
  }

  test("fallback keys read, and only the secret key writes", () => {
    const old = djangoCodec({ secretKey: "the former secret key, long enough for all" });
    const both = djangoCodec({ secretKey, secretKeyFallbacks: ["the former secret key, long enough for all"] });
    assert.deepEqual({ ...both.decode(old.encode({ a: 1 }, now))!.data }, { a: 1 });
    assert.equal(old.decode(both.encode({ a: 1 }, now)), null);
  });
});

describe("the payload of Django before 3.1", () => {
  for (const version of ["2.2", "3.2", "5.2"] as const) {
    for (const v of vectors(version).legacy_encode) {
      test(`vector ${v.name} of Django ${version}`, () => {
        const json = canonical(v.data_json);
        const hash = saltedHmac(`django.contrib.sessions${v.class}`, v.key, "sha1")(json, "hex");
        assert.equal(Buffer.from(`${hash}:${json}`).toString("base64"), v.encoded);
      });
    }
  }

  const legacy = legacyDjangoCodec({ secretKey });

  test("is written and read", () => {
    const text = '{"a":1.0,"é":2}';
    const { value, origin } = parse(text) as { value: Record<string, unknown>; origin: unknown };
    const decoded = legacy.decode(legacy.encode(value, now, origin))!;
    assert.deepEqual({ ...decoded.data }, value);
    assert.equal(legacy.encode(decoded.data, now, decoded.origin), legacy.encode(value, now, origin));
  });

  test("is never read by the codec of today's format, nor the other way round", () => {
    assert.equal(codec.decode(legacy.encode({ a: 1 }, now)), null);
    assert.equal(legacy.decode(codec.encode({ a: 1 }, now)), null);
  });

  test("does not verify after any change", () => {
    const payload = legacy.encode({ uid: "123" }, now) as string;
    for (let index = 0; index < payload.length; index++) {
      const changed = payload[index] === "A" ? "B" : "A";
      assert.equal(legacy.decode(payload.slice(0, index) + changed + payload.slice(index + 1)), null);
    }
  });
});
