import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SessionData } from "../../src/core/contracts.ts";
import { djangoCodec, djangoCookieCodec, legacyDjangoCodec } from "../../src/django/codec.ts";
import { dumpPickle } from "../../src/django/pickle/dump.ts";
import { pickleSerializer } from "../../src/django/pickle-serializer.ts";
import { dumps, loads, signer } from "../../src/django/signing.ts";
import { codecSuite } from "../../src/testing/index.ts";
import { CPYTHON } from "./pickle/cpython.ts";

const secretKey = "a secret key for tests, 32 characters at least";
const former = "the former secret key, long enough for all";
const SALT = "django.contrib.sessions.SessionStore";
const COOKIE_SALT = "django.contrib.sessions.backends.signed_cookies";
const now = new Date(1_700_000_000_000);

const json = djangoCodec({ secretKey });
const pickle = djangoCodec({ secretKey, serializer: pickleSerializer() });
const legacyJson = legacyDjangoCodec({ secretKey });
const legacyPickle = legacyDjangoCodec({ secretKey, serializer: pickleSerializer() });

/** What CPython wrote, in every protocol, signed as Django signs it. */
const foreign = Object.values(CPYTHON.plain)
  .flatMap((pickles) => Object.values(pickles))
  .filter((text) => !text.startsWith("sha256:"))
  .map((text) => dumps(Buffer.from(text, "base64"), now, signer(secretKey, SALT), true));

const unstorable = { undefined: undefined, "a Date": now, "a Map": new Map(), "a Set": new Set() };

describe("Django's codec with PickleSerializer", () => {
  codecSuite(test, pickle, { unstorable, foreign });
});

describe("Django's codec for cookies with PickleSerializer", () => {
  codecSuite(test, djangoCookieCodec({ secretKey, serializer: pickleSerializer() }), { unstorable });
});

describe("Django's codec that reads the format before 3.1 too", () => {
  codecSuite(test, djangoCodec({ secretKey, readLegacy: true }), { foreign: [legacyJson.encode({ a: 1 }, now)] });
});

describe("the codec of Django before 3.1 with PickleSerializer", () => {
  codecSuite(test, legacyPickle, { unstorable });
});

describe("PickleSerializer", () => {
  const data = { a: "b", d: { $decimal: "1.50" }, t: { $datetime: "2026-11-20T12:00:00.000001+00:00" }, n: 2n ** 70n };
  const signed = (codec: typeof json, of: SessionData) =>
    Buffer.from(loads(codec.encode(of, now) as string, [signer(secretKey, SALT)])!, "latin1");

  test("a pickle of protocol 5 stands where the JSON would", () => {
    assert.deepEqual(signed(pickle, data), dumpPickle(data, 5));
    assert.deepEqual({ ...pickle.decode(pickle.encode(data, now))!.data }, data);
  });

  test("it is compressed where that helps, as JSON is", () => {
    const long = { text: "é".repeat(500) };
    assert.match(pickle.encode(long, now) as string, /^\.eJ/);
    assert.deepEqual({ ...pickle.decode(pickle.encode(long, now))!.data }, long);
  });

  test("neither serializer reads the other's sessions", () => {
    assert.equal(pickle.decode(json.encode({ a: 1 }, now)), null);
    assert.equal(json.decode(pickle.encode({ a: 1 }, now)), null);
    assert.equal(legacyPickle.decode(legacyJson.encode({ a: 1 }, now)), null);
    assert.equal(legacyJson.decode(legacyPickle.encode({ a: 1 }, now)), null);
  });

  test("a pickle that names a class, or is no dict, is no session, however well it is signed", () => {
    for (const bytes of ["cos\nsystem\n(S'true'\ntR.", "\x80\x04]."]) {
      const payload = dumps(Buffer.from(bytes, "latin1"), now, signer(secretKey, SALT), true);
      assert.equal(pickle.decode(payload), null);
    }
  });

  test("4 MiB are the most", () => {
    const text = (length: number) => ({ text: "x".repeat(length) });
    const most = 4 * 1024 * 1024 - dumpPickle(text(100_000), 5).length + 100_000;
    assert.ok(pickle.decode(pickle.encode(text(most), now)));
    assert.throws(() => pickle.encode(text(most + 1), now), { code: "ERR_SESSION_TOO_LARGE" });
  });

  test("any other serializer is refused", () => {
    for (const make of [djangoCodec, djangoCookieCodec, legacyDjangoCodec]) {
      assert.throws(() => make({ secretKey, serializer: "yaml" as never }), {
        code: "ERR_CONFIG",
        message: /^serializer must be a serializer/,
      });
    }
  });
});

describe("readLegacy", () => {
  const both = djangoCodec({ secretKey, readLegacy: true });
  const bothPickle = djangoCodec({ secretKey, readLegacy: true, serializer: pickleSerializer() });
  const data = { a: 1, text: "é" };

  test("reads both formats, of its own serializer", () => {
    for (const [codec, legacy, today] of [
      [both, legacyJson, json],
      [bothPickle, legacyPickle, pickle],
    ] as const) {
      assert.deepEqual({ ...codec.decode(legacy.encode(data, now))?.data }, data);
      assert.deepEqual({ ...codec.decode(today.encode(data, now))?.data }, data);
      assert.deepEqual(codec.decode(today.encode(data, now))?.savedAt, now);
      assert.equal(codec.decode(legacy.encode(data, now))?.savedAt, undefined);
    }
    assert.equal(both.decode(legacyPickle.encode(data, now)), null);
    assert.equal(bothPickle.decode(legacyJson.encode(data, now)), null);
  });

  test("writes today's format only", () => {
    assert.equal(both.encode(data, now), json.encode(data, now));
    assert.equal(bothPickle.encode(data, now), pickle.encode(data, now));
  });

  test("is needed: without it nothing falls back", () => {
    assert.equal(json.decode(legacyJson.encode(data, now)), null);
    assert.equal(djangoCodec({ secretKey, readLegacy: false }).decode(legacyJson.encode(data, now)), null);
    assert.equal(pickle.decode(legacyPickle.encode(data, now)), null);
  });

  test("gives back what nobody touched: floats and the order of keys", () => {
    const text = '{"b":1.0,"10":2}';
    const first = both.decode(legacyJson.encode(JSON.parse(text), now, json.decode(signedJson(text))?.origin))!;
    assert.equal(loads(both.encode(first.data, now, first.origin) as string, [signer(secretKey, SALT)]), text);
  });

  test("verifies by the fallback keys too, and by no other", () => {
    const old = legacyDjangoCodec({ secretKey: former }).encode(data, now);
    assert.equal(both.decode(old), null);
    const withFallback = djangoCodec({ secretKey, secretKeyFallbacks: [former], readLegacy: true });
    assert.deepEqual({ ...withFallback.decode(old)?.data }, data);
  });

  test("knows a store class of another name: then there was no dot before it", () => {
    const old = legacyDjangoCodec({ secretKey, salt: "django.contrib.sessionsMyStore" }).encode(data, now);
    const mine = djangoCodec({ secretKey, salt: "django.contrib.sessions.MyStore", readLegacy: true });
    assert.deepEqual({ ...mine.decode(old)?.data }, data);
    assert.equal(both.decode(old), null);
  });

  test("takes cookies that were signed with SHA-1, which had today's form already", () => {
    const old = dumps('{"a":1}', now, signer(secretKey, COOKIE_SALT, "sha1"), true);
    assert.deepEqual({ ...djangoCookieCodec({ secretKey, readLegacy: true }).decode(old)?.data }, { a: 1 });
    assert.equal(djangoCookieCodec({ secretKey }).decode(old), null);
    assert.equal(both.decode(old), null);
  });

  test("does not verify after any change", () => {
    const payload = legacyJson.encode({ uid: "123" }, now) as string;
    for (let index = 0; index < payload.length; index++) {
      const changed = payload[index] === "A" ? "B" : "A";
      assert.equal(both.decode(payload.slice(0, index) + changed + payload.slice(index + 1)), null);
    }
    for (let length = 0; length < payload.length - 4; length++)
      assert.equal(both.decode(payload.slice(0, length)), null);
  });

  test("takes nothing but a colon after the signature, which does not cover it", () => {
    const bytes = Buffer.from(legacyJson.encode(data, now) as string, "base64");
    bytes[40] = 0x3b;
    assert.equal(both.decode(bytes.toString("base64")), null);
  });

  function signedJson(text: string): string {
    return dumps(text, now, signer(secretKey, SALT), true);
  }
});
