import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SessionError } from "../../src/core/errors.ts";
import { djangoCodec } from "../../src/django/codec.ts";

describe("the message of an error", () => {
  test("is one printable line, whatever stands in the data", () => {
    const codec = djangoCodec({ secretKey: "a secret key for tests, 32 characters at least" });
    for (const forged of ["\r\n2026-11-20 INFO forged", "\u001b[31mred", "\u2028", "\u0085", "\0", "\u007f"]) {
      assert.throws(
        () => codec.encode({ [`a${forged}`]: () => 1 }, new Date()),
        ({ message }: Error) => /^[ -~]+$/.test(message) && message.includes("\\u00") === !forged.includes("\u2028"),
      );
    }
  });

  test("keeps what people write", () => {
    assert.equal(new SessionError("ERR_CONFIG", "Größe „1“ — 日本").message, "Größe „1“ — 日本");
  });
});
