import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fingerprint, isSessionKey, newSessionKey } from "../../src/core/key.ts";

describe("session keys", () => {
  test("are Django's: 32 characters of a-z0-9", () => {
    for (let n = 0; n < 1000; n++) assert.match(newSessionKey(), /^[a-z0-9]{32}$/);
  });

  test("are never drawn twice, and each character is as likely as the others", () => {
    const keys = new Set<string>();
    const counts = new Map<string, number>();
    for (let n = 0; n < 100_000; n++) {
      const key = newSessionKey();
      keys.add(key);
      for (const char of key) counts.set(char, (counts.get(char) ?? 0) + 1);
    }
    assert.equal(keys.size, 100_000);
    assert.equal(counts.size, 36);
    const expected = (100_000 * 32) / 36;
    // Six standard deviations: 2.2 * sqrt(expected).
    for (const count of counts.values()) assert.ok(Math.abs(count - expected) < 6 * Math.sqrt(expected));
  });

  test("do not depend on Math.random", (t) => {
    t.mock.method(Math, "random", () => 0);
    assert.notEqual(newSessionKey(), newSessionKey());
  });

  for (const key of ["abcdefgh", "0".repeat(40), newSessionKey()]) {
    test(`${key.length} characters of the alphabet may be asked for`, () => assert.ok(isSessionKey(key)));
  }

  for (const key of [
    "",
    " ",
    "0",
    "null",
    "abcdefg",
    "a".repeat(41),
    "ABCDEFGH",
    "abcdefgh\n",
    "abcdefgh ",
    "../../../etc/passwd",
    "abcdefg'--",
    "abcdefgh\0",
    "ábcdefgh",
    "abcdefgh%00",
    "[object Object]",
    "a b c d e f g h",
    "abcdefgh\r\nflush_all",
  ]) {
    test(`${JSON.stringify(key)} reaches no store`, () => assert.equal(isSessionKey(key), false));
  }

  test("are shown by a fingerprint that gives nothing away", () => {
    const key = newSessionKey();
    assert.match(fingerprint(key), /^[0-9a-f]{12}$/);
    assert.equal(fingerprint("abc"), "ba7816bf8f01");
  });
});
