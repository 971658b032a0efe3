import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { djangoCodec, djangoCookieCodec } from "../../src/django/codec.ts";
import { parse } from "../../src/django/python-json.ts";
import { loads, signer } from "../../src/django/signing.ts";
import { canonical, vectors } from "../support/vectors.ts";

const secretKey = "a secret key for tests, 32 characters at least";
const SALT = "django.contrib.sessions.backends.signed_cookies";
const codec = djangoCookieCodec({ secretKey });
/** A session is a dict; `dumps` would sign anything. */
const cookies = vectors("5.2").session_encode.filter(
  ({ engine, data_json }) => engine === "signed_cookies" && data_json.startsWith("{"),
);

describe("the cookie of Django's signed_cookies engine", () => {
  test("is signed under the salt that Django signs it with", () => {
    assert.ok(cookies.length >= 10);
    for (const { salt } of cookies) assert.equal(salt, SALT);
  });

  // The vectors' keys are shorter than we allow: read with theirs, written with ours.
  for (const v of cookies) {
    test(`${v.name}: says what Django's says, in the same bytes, at the same time`, () => {
      const now = new Date(v.time * 1000);
      const json = canonical(v.data_json);
      assert.equal(loads(v.encoded, [signer(v.key, SALT)]), json);
      const { value, origin } = parse(json) as { value: Record<string, unknown>; origin: unknown };
      const token = codec.encode(value, now, origin) as string;
      assert.equal(loads(token, [signer(secretKey, SALT)]), json);
      const unsigned = (text: string) => text.slice(0, text.lastIndexOf(":"));
      if (!v.compressed) assert.equal(unsigned(token), unsigned(v.encoded));
      const decoded = codec.decode(token)!;
      assert.equal(codec.encode(decoded.data, now, decoded.origin), token);
      assert.deepEqual(decoded.savedAt, now);
    });
  }

  test("is not what Django keeps in a table or file, under the same secret key", () => {
    const inTable = djangoCodec({ secretKey });
    assert.equal(codec.decode(inTable.encode({ a: 1 }, new Date())), null);
    assert.equal(inTable.decode(codec.encode({ a: 1 }, new Date())), null);
  });

  test("needs no quotes in a cookie", () => {
    for (const { encoded } of cookies) assert.match(encoded, /^[\w.:-]+$/);
  });
});
