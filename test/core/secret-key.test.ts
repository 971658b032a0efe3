import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import { allSecretKeys, assertSecretKey } from "../../src/core/secret-key.ts";

/** Of 32 characters, five of them different. */
const SHORTEST = "abcde".padEnd(32, "abcde");
const OTHER = "a former secret key of a project, long enough";

describe("secret keys", () => {
  test("are the one that protects, then the former ones in their order", () => {
    assert.deepEqual(allSecretKeys({ secretKey: SHORTEST }), [SHORTEST]);
    const secretKeyFallbacks = [OTHER, OTHER.toUpperCase()];
    assert.deepEqual(allSecretKeys({ secretKey: SHORTEST, secretKeyFallbacks }), [SHORTEST, ...secretKeyFallbacks]);
  });

  for (const [what, key] of [
    ["none", undefined],
    ["empty", ""],
    ["one character too short", SHORTEST.slice(0, -1)],
    ["of four characters, repeated", "abcd".repeat(20)],
    ["no text", Array.from(SHORTEST)],
    ["bytes", Buffer.from(SHORTEST)],
  ] as [string, string][]) {
    test(`are refused by their option's name, and not shown: ${what}`, () => {
      const refused = (name: string) => (error: unknown) => {
        assert.equal((error as { code: string }).code, "ERR_CONFIG");
        assert.ok((error as Error).message.startsWith(`${name} must be a string of at least 32 characters`));
        assert.ok(!key || !inspect(error, { depth: 10 }).includes(String(key)), "it shows the key");
        return true;
      };
      assert.throws(() => assertSecretKey(key, "SECRET_KEY"), refused("SECRET_KEY"));
      assert.throws(() => allSecretKeys({ secretKey: key }), refused("secretKey"));
      const fallbacks = { secretKey: SHORTEST, secretKeyFallbacks: [OTHER, key] };
      assert.throws(() => allSecretKeys(fallbacks), refused("secretKeyFallbacks[1]"));
    });
  }

  // One text would be a list of keys of one character each.
  for (const secretKeyFallbacks of [OTHER, null, { 0: OTHER }] as never[]) {
    test(`have their former ones in a list, not as ${inspect(secretKeyFallbacks).replace(OTHER, "…")}`, () => {
      assert.throws(() => allSecretKeys({ secretKey: SHORTEST, secretKeyFallbacks }), {
        code: "ERR_CONFIG",
        message: "secretKeyFallbacks must be a list of keys.",
      });
    });
  }
});
