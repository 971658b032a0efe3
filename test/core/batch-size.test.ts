import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertBatchSize } from "../../src/core/batch-size.ts";

describe("a batch size", () => {
  for (const size of [undefined, 1, 1000, Number.MAX_SAFE_INTEGER]) {
    test(`may be ${size}`, () => assertBatchSize(size));
  }

  for (const size of [0, -1, 0.5, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, null, "10"] as number[]) {
    test(`is refused as ${JSON.stringify(size)} (${size})`, () => {
      assert.throws(() => assertBatchSize(size), {
        code: "ERR_CONFIG",
        message: /batchSize must be a positive integer/,
      });
    });
  }
});
