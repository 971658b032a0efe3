import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SessionData } from "../../src/core/contracts.ts";
import { resolveSettings } from "../../src/core/settings.ts";
import { djangoCodec, legacyDjangoCodec } from "../../src/django/codec.ts";
import { djangoExpiry } from "../../src/django/expiry.ts";
import { pickleSerializer } from "../../src/django/pickle-serializer.ts";
import { JSON_SERIALIZER } from "../../src/django/serializers.ts";
import { ANYONE, dumps } from "../../src/django/signing.ts";

const secretKey = "a secret key for tests, 32 characters at least";
const signedAt = new Date("2026-11-20T12:00:00Z");
const modifiedAt = new Date("2026-11-20T13:00:00Z");
const settings = resolveSettings({ cookieAge: 3600 });
const after = (from: Date, seconds: number) => new Date(from.getTime() + seconds * 1000);

const PICKLE = pickleSerializer();

const FORMATS = [
  { serializer: JSON_SERIALIZER, readLegacy: false },
  { serializer: PICKLE, readLegacy: false },
  { serializer: JSON_SERIALIZER, readLegacy: true },
  { serializer: PICKLE, readLegacy: true },
] as const;

describe("when a session file expires, by its payload", () => {
  for (const format of FORMATS) {
    const name = `${format.serializer === JSON_SERIALIZER ? "JSON" : "pickles"}${format.readLegacy ? ", the format before 3.1 too" : ""}`;
    const codec = djangoCodec({ secretKey, ...format });
    const expiryOf = djangoExpiry(settings, format);
    const expiry = (data: SessionData) => expiryOf(codec.encode(data, signedAt), modifiedAt);

    test(`${name}: the cookie's age after it was signed, not after the file was touched`, () => {
      assert.deepEqual(expiry({ a: 1 }), after(signedAt, 3600));
      assert.deepEqual(expiry({ a: "x".repeat(1000) }), after(signedAt, 3600));
    });

    test(`${name}: as its own age or instant says`, () => {
      assert.deepEqual(expiry({ _session_expiry: 60 }), after(signedAt, 60));
      assert.deepEqual(expiry({ _session_expiry: 0 }), after(signedAt, 3600));
      assert.deepEqual(expiry({ _session_expiry: "2026-12-24T18:00:00+01:00" }), new Date("2026-12-24T17:00:00Z"));
      assert.deepEqual(
        expiry({ _session_expiry: { $datetime: "2026-12-24T18:00:00+01:00" } }),
        new Date("2026-12-24T17:00:00Z"),
      );
    });

    test(`${name}: not known where it cannot be read`, () => {
      assert.equal(expiry({ _session_expiry: "soon" }), null);
      for (const text of ["", "x", "a:b", "a:b:c", ".a:b:c", "e30:é:c", "x".repeat(7_000_000)]) {
        assert.equal(expiryOf(text, modifiedAt), null, text.slice(0, 9));
      }
      for (const other of FORMATS.filter(({ serializer }) => serializer !== format.serializer)) {
        assert.equal(expiryOf(djangoCodec({ secretKey, ...other }).encode({ a: 1 }, signedAt), modifiedAt), null);
      }
      for (const noDict of ["[1]", "\x80\x04]."]) {
        assert.equal(expiryOf(dumps(Buffer.from(noDict, "latin1"), signedAt, ANYONE, true), modifiedAt), null);
      }
    });

    test(`${name}: from bytes as from text, whoever signed it`, () => {
      const payload = djangoCodec({ secretKey: "another secret key, 32 characters at least", ...format });
      const bytes = Buffer.from(payload.encode({ _session_expiry: 60 }, signedAt));
      assert.deepEqual(expiryOf(bytes, modifiedAt), after(signedAt, 60));
    });

    test(`${name}: of the format before 3.1, which had no time, by the file's${format.readLegacy ? "" : "; unless it is not read"}`, () => {
      const legacy = legacyDjangoCodec({ secretKey, serializer: format.serializer });
      for (const [data, seconds] of [
        [{ a: 1 }, 3600],
        [{ _session_expiry: 60 }, 60],
      ] as const) {
        const expected = format.readLegacy ? after(modifiedAt, seconds) : null;
        assert.deepEqual(expiryOf(legacy.encode(data, signedAt), modifiedAt), expected);
      }
    });
  }

  test("a time of signing that is none is not known", () => {
    const payload = djangoCodec({ secretKey }).encode({ a: 1 }, signedAt) as string;
    const [body, , signature] = payload.split(":");
    assert.equal(djangoExpiry(settings)(`${body}:${"z".repeat(300)}:${signature}`, modifiedAt), null);
  });
});
