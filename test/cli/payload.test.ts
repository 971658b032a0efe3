import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readPayload } from "../../src/cli/payload.ts";
import { canonical, vectors } from "../support/vectors.ts";

/** Real Django's keys are shorter than ours must be; what reads a payload does not mind. */
const named = (keys: readonly string[]) => keys.map((key) => ({ key, name: "the key" }));

describe("reading a payload to explain it", () => {
  for (const v of vectors("5.2").session_decode) {
    test(`"${v.label}" verifies if Django 5.2 reads it, with the same data`, () => {
      const reading = readPayload(v.text, named([v.key, ...v.fallbacks]));
      // Django's `{}` stands for "unreadable" too, and it returns what is no dict.
      const expected = v.error === undefined && /^\{./.test(v.result_json!) ? canonical(v.result_json!) : "{}";
      if (expected !== "{}" && expected.startsWith("{")) assert.equal(reading.verified && reading.json, expected);
      else assert.equal(!reading.verified || reading.json === "{}", true);
    });
  }

  for (const v of vectors("5.2").session_encode) {
    test(`${v.name} of ${v.engine} by Django 5.2: time and data are told`, () => {
      const reading = readPayload(v.encoded, named(["another key", v.key]), { salt: v.salt });
      if (!reading.verified) {
        // Django signs a list or null as well, which is no session.
        assert.match(reading.reason, /is signed, but holds a (list|single value), not a dict/);
        assert.equal(v.data_json.startsWith("{"), false);
        return;
      }
      assert.deepEqual([reading.signedBy, reading.signedAt], [1, new Date(Math.trunc(v.time) * 1000)]);
      assert.equal(reading.json, canonical(v.data_json));
    });
  }

  for (const v of vectors("2.2").legacy_encode) {
    test(`${v.name} of Django 2.2 is recognized as too old, and its signature is judged`, () => {
      const reading = readPayload(v.encoded, named([v.key]));
      assert.equal(reading.verified, false);
      if (reading.verified) return;
      assert.match(reading.reason, /Django before 3\.1.* SHA-1 signature is good/);
      assert.equal(
        /but it holds a (list|single value), not a dict$/.test(reading.reason),
        !v.data_json.startsWith("{"),
      );
    });
  }
});
