import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deadline } from "../../src/core/deadline.ts";

describe("a deadline", () => {
  const late = { code: "ERR_TIMEOUT", message: "no answer within 20 ms" };
  const never = () => new Promise<never>(() => {});

  test("fails what is not settled in time, each in its own, and what is settled not at all", async () => {
    const inTime = deadline(20, "answer");
    await assert.rejects(inTime(never()), late);
    const [first, second] = [inTime(never()), inTime(Promise.resolve("an answer"))];
    assert.equal(await second, "an answer");
    await assert.rejects(inTime(Promise.reject(new Error("a fault"))), /a fault/);
    await assert.rejects(first, late);
    await assert.rejects(inTime(never()), late);
  });

  test("is not missed because this process was busy, nor for ever kept by one that always is", async () => {
    const inTime = deadline(20, "answer");
    const busy = (ms: number) => {
      for (const end = performance.now() + ms; performance.now() < end; );
    };
    const answered = inTime(new Promise((resolve) => setTimeout(resolve, 5, "an answer")));
    busy(100);
    assert.equal(await answered, "an answer");
    let isOver = false;
    const hanging = assert.rejects(inTime(never()), late).then(() => {
      isOver = true;
    });
    for (let turn = 0; turn < 100 && !isOver; turn++) {
      busy(20);
      await new Promise(setImmediate);
    }
    await hanging;
  });
});
