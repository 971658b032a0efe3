import assert from "node:assert/strict";
import { createCipheriv, hkdfSync } from "node:crypto";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import { encryptedCodec } from "../../src/codecs/encrypted.ts";
import { djangoCookieCodec } from "../../src/django/codec.ts";
import { codecSuite } from "../../src/testing/index.ts";
import { UNSTORABLE_AS_JSON } from "./unstorable.ts";

const secretKey = "a secret key for tests, 32 characters at least";
const former = "the former secret key, long enough for all";
const now = new Date("2026-11-20T12:00:00.123Z");
const codec = encryptedCodec({ secretKey });

describe("the encrypted codec", () => {
  codecSuite(test, codec, { unstorable: UNSTORABLE_AS_JSON });

  const write = (data: Record<string, unknown> = { uid: "123" }) => codec.encode(data, now) as string;
  const bytesOf = (token: string) => Buffer.from(token, "base64url");

  test("writes base64url, which needs no quotes in a cookie, and shows nothing of the data", () => {
    const token = write({ uid: "alice-in-wonderland" });
    assert.match(token, /^[\w-]+$/);
    assert.ok(!bytesOf(token).includes("alice"));
  });

  test("never writes the same twice, though the data and the time are the same", () => {
    const nonces = Array.from({ length: 1000 }, () => bytesOf(write()).toString("hex", 1, 13));
    assert.equal(new Set(nonces).size, 1000);
  });

  test("tells the time of writing to the millisecond", () => {
    assert.deepEqual(codec.decode(write())?.savedAt, now);
  });

  test("writes as many bytes for secrets that repeat the visitor's text as for others: it does not compress", () => {
    const length = (guess: string) => write({ secret: "token=s3cr3t-value", text: guess.repeat(20) }).length;
    assert.equal(length("token=s3cr3t-value"), length("token=x9zq7k-wrong"));
  });

  test("is not read after any bit was flipped", () => {
    const bytes = bytesOf(write());
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      assert.equal(codec.decode(changed.toString("base64url")), null, `bit ${bit}`);
    }
  });

  test("is not read when cut off anywhere: a tag of four bytes is no tag (CVE-2025-47275)", () => {
    const bytes = bytesOf(write());
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(codec.decode(bytes.subarray(0, length).toString("base64url")), null, `${length} bytes`);
      assert.equal(codec.decode(bytes.subarray(length + 1).toString("base64url")), null, `from byte ${length + 1}`);
    }
  });

  test("is read only as it was written, not in other texts that say the same bytes", () => {
    // Of a length that leaves unused bits in the last character.
    const token = [write({ a: "" }), write({ a: "x" }), write({ a: "xx" })].find(({ length }) => length % 4 !== 0)!;
    const last = token.at(-1)!;
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const twin = token.slice(0, -1) + alphabet[alphabet.indexOf(last) ^ 1];
    assert.deepEqual(bytesOf(twin), bytesOf(token), "the test found no twin");
    for (const text of [twin, `${token}=`, `${token}\n`, ` ${token}`, `${token.slice(0, 9)}.${token.slice(9)}`]) {
      assert.equal(codec.decode(text), null, inspect(text));
    }
  });

  test("is good for the cookie it was written for only", () => {
    const admin = encryptedCodec({ secretKey, cookieName: "adminsessionid" });
    assert.equal(admin.decode(write()), null);
    assert.equal(codec.decode(admin.encode({ uid: "1" }, now)), null);
    assert.ok(encryptedCodec({ secretKey, cookieName: "sessionid" }).decode(write()));
  });

  test("is not read with another key, nor as what the same key signed", () => {
    assert.equal(encryptedCodec({ secretKey: former }).decode(write()), null);
    assert.equal(codec.decode(djangoCookieCodec({ secretKey }).encode({ uid: "1" }, now)), null);
    assert.equal(djangoCookieCodec({ secretKey }).decode(write()), null);
  });

  test("is read with fallback keys, in any place of the list, and written with the secret key only", () => {
    const rotated = encryptedCodec({ secretKey, secretKeyFallbacks: [`${former}, older`, former] });
    const old = encryptedCodec({ secretKey: former });
    assert.deepEqual({ ...rotated.decode(old.encode({ a: 1 }, now))?.data }, { a: 1 });
    assert.ok(codec.decode(rotated.encode({ a: 1 }, now)));
    assert.equal(old.decode(rotated.encode({ a: 1 }, now)), null);
  });

  // The format, written down once more: a change of it must be a new version.
  test("is version 1, nonce, ciphertext of time and JSON, tag; with HKDF's key and the purpose authenticated", () => {
    const purpose = "sojourn/session/v1/sessionid";
    const key = Buffer.from(hkdfSync("sha256", secretKey, "", purpose, 32));
    const seal = (plain: Buffer, version = 1, aad = Buffer.concat([Buffer.of(version), Buffer.from(purpose)])) => {
      const nonce = Buffer.alloc(12, 7);
      const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 }).setAAD(aad);
      const parts = [Buffer.of(version), nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()];
      return Buffer.concat(parts).toString("base64url");
    };
    const plain = (json: string) =>
      Buffer.concat([Buffer.from("000001946f1a2b3c", "hex").subarray(2), Buffer.from(json)]);
    const decoded = codec.decode(seal(plain('{"a":1}')))!;
    assert.deepEqual({ ...decoded.data }, { a: 1 });
    assert.equal(decoded.savedAt?.getTime(), 0x01946f1a2b3c);
    assert.equal(codec.decode(seal(plain('{"a":1}'), 2)), null);
    assert.equal(codec.decode(seal(plain('{"a":1}'), 1, Buffer.of(1))), null);
    for (const json of ["", "[1]", "null", '"x"', "{", "\ufeff{}"]) assert.equal(codec.decode(seal(plain(json))), null);
    assert.equal(codec.decode(seal(Buffer.alloc(3))), null);
  });

  for (const key of [undefined, "", "short", "a".repeat(64), 42]) {
    test(`the secret key ${JSON.stringify(key)} is refused at construction, and not shown`, () => {
      const wrong = { code: "ERR_CONFIG", message: /^secretKey must be a string of at least 32/ };
      assert.throws(() => encryptedCodec({ secretKey: key as string }), wrong);
      const fallback = { secretKey, secretKeyFallbacks: [key as string] };
      assert.throws(() => encryptedCodec(fallback), { code: "ERR_CONFIG", message: /^secretKeyFallbacks\[0\]/ });
    });
  }

  test("no secret is in what can be inspected", () => {
    assert.ok(!inspect(codec, { depth: 10, showHidden: true }).includes(secretKey));
  });
});
