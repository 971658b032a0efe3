import assert from "node:assert/strict";
import { test } from "node:test";
import { newSessionKey } from "../../src/core/key.ts";

const KEYS = 1_000_000;
const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";
const LENGTH = 32;

/** Of 35 degrees of freedom, each position of sound keys goes beyond this once in a thousand million runs. */
const MAX_CHI_SQUARE = 110;

test(`of ${KEYS} session keys no two are the same, and at each place each character is as likely`, () => {
  const seen = new Set<string>();
  const counts = Array.from({ length: LENGTH }, () => new Uint32Array(128));
  for (let n = 0; n < KEYS; n++) {
    const key = newSessionKey();
    // Half of a key, 82 bits, says as much about all of it, and takes less memory.
    seen.add(key.slice(0, LENGTH / 2));
    assert.equal(key.length, LENGTH);
    for (let at = 0; at < LENGTH; at++) counts[at]![key.charCodeAt(at)]!++;
  }
  assert.equal(seen.size, KEYS);
  const expected = KEYS / ALPHABET.length;
  for (const [at, count] of counts.entries()) {
    const known = [...ALPHABET].map((char) => count[char.charCodeAt(0)]!);
    assert.equal(
      known.reduce((sum, each) => sum + each),
      KEYS,
      `another character at ${at}`,
    );
    const chiSquare = known.reduce((sum, each) => sum + (each - expected) ** 2 / expected, 0);
    assert.ok(chiSquare < MAX_CHI_SQUARE, `${chiSquare.toFixed(1)} at ${at}`);
  }
});
