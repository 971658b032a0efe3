import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deflateSync } from "node:zlib";
import {
  base62,
  dumps,
  fromBase62,
  loads,
  saltedHmac,
  signer,
  timestampSign,
  timestampUnsign,
} from "../../src/django/signing.ts";
import { canonical, vectors } from "../support/vectors.ts";

const django = vectors("5.2");
const now = new Date(django.now * 1000);

describe("Django's signing", () => {
  for (const [number, text] of django.base62) {
    test(`${number} is ${text} in base 62`, () => {
      assert.equal(base62(number), text);
      assert.equal(fromBase62(text), number);
    });
  }

  for (const [index, v] of django.salted_hmac.entries()) {
    test(`salted_hmac vector ${index}`, () => {
      assert.equal(saltedHmac(v.key_salt, v.secret, "sha1")(v.value, "hex"), v.sha1);
      assert.equal(saltedHmac(v.key_salt, v.secret, "sha256")(v.value, "hex"), v.sha256);
    });
  }

  for (const version of ["5.2", "2.2"] as const) {
    for (const [index, v] of vectors(version).signers.entries()) {
      test(`Signer and TimestampSigner of Django ${version}, vector ${index}`, () => {
        const algorithm = version === "2.2" ? "sha1" : "sha256";
        const plain = signer(v.key, v.salt, algorithm);
        assert.equal(`${v.value}:${plain.signature(v.value)}`, v.signer);
        const stamping = signer(v.key, v.ts_salt, algorithm);
        assert.equal(timestampSign(v.value, now, stamping), v.timestamp_signer);
        assert.deepEqual(timestampUnsign(v.timestamp_signer, [stamping]), { value: v.value, signedAt: now });
      });
    }
  }

  for (const [index, v] of django.signing_dumps.entries()) {
    test(`signing.dumps vector ${index}`, () => {
      const mine = signer(v.key, v.salt);
      const json = canonical(v.data_json);
      const written = dumps(json, new Date(v.time * 1000), mine, v.compress);
      assert.equal(loads(v.signed, [mine]), json);
      assert.equal(loads(written, [mine]), json);
      if (!v.signed.startsWith(".")) assert.equal(written, v.signed);
    });
  }

  for (const v of django.session_encode) {
    test(`session of ${v.engine}: ${v.name}, key of ${v.key.length}, at ${v.time}`, () => {
      const mine = signer(v.key, v.salt);
      const json = canonical(v.data_json);
      assert.equal(loads(v.encoded, [mine]), json);
      const written = dumps(json, new Date(v.time * 1000), mine, true);
      assert.equal(loads(written, [mine]), json);
      assert.equal(written.startsWith("."), v.compressed && json.length >= 128, "compressed where it is worth it");
      if (!v.compressed) assert.equal(written, v.encoded);
    });
  }

  for (const [index, v] of django.auth_hash.entries()) {
    test(`the hash that Django keeps of a user's password in the session, vector ${index}`, () => {
      assert.equal(saltedHmac(v.key_salt, v.secret, "sha256")(v.password, "hex"), v.hash);
    });
  }

  test("a value is signed for one salt and one key only", () => {
    const text = dumps("{}", now, signer("key one, long enough", "salt"), true);
    assert.equal(loads(text, [signer("key one, long enough", "other")]), null);
    assert.equal(loads(text, [signer("key two, long enough", "salt")]), null);
  });

  test("a fallback key verifies, in any place of the list", () => {
    const old = signer("old", "s");
    const text = dumps('{"a":1}', now, old, true);
    assert.equal(loads(text, [signer("new", "s"), signer("newer", "s"), old]), '{"a":1}');
  });

  test("every truncation and every changed character is refused", () => {
    const mine = signer("k", "s");
    const text = dumps('{"uid":"123","name":"Ada"}', now, mine, true);
    for (let index = 0; index < text.length; index++) {
      assert.equal(loads(text.slice(0, index), [mine]), null);
      const changed = text[index] === "A" ? "B" : "A";
      assert.equal(loads(text.slice(0, index) + changed + text.slice(index + 1), [mine]), null);
    }
  });

  test("a signed decompression bomb is refused within bounds", () => {
    const mine = signer("k", "s");
    const bomb = deflateSync(Buffer.alloc(256 * 1024 * 1024));
    const text = timestampSign(`.${bomb.toString("base64url")}`, now, mine);
    const before = process.memoryUsage().arrayBuffers;
    assert.equal(loads(text, [mine]), null);
    assert.ok(process.memoryUsage().arrayBuffers - before < 32 * 1024 * 1024);
  });
});
