import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { newBudget, spend } from "../../src/core/budget.ts";
import { until } from "../support/servers/server.ts";

const never = () => new Promise<never>(() => {});
const spent = { code: "ERR_SESSION_UNAVAILABLE", message: /within the 100 ms/ };

describe("a request's budget", () => {
  test("gives what was asked for, faults too", async () => {
    assert.equal(await spend(newBudget(), async () => 1), 1);
    const fault = new Error("fault");
    await assert.rejects(
      spend(newBudget(), async () => {
        throw fault;
      }),
      fault,
    );
    await assert.rejects(
      spend(newBudget(), () => {
        throw fault;
      }),
      fault,
    );
  });

  test("ends the waiting for what never answers", () => assert.rejects(spend(newBudget(100), never), spent));

  test("is one for all that a request asks", async () => {
    const budget = newBudget(100);
    await assert.rejects(spend(budget, never), spent);
    let isAsked = false;
    const ask = async () => {
      isAsked = true;
    };
    await assert.rejects(spend(budget, ask), spent);
    assert.ok(!isAsked);
  });

  test("of one request is not another's", async () => {
    await Promise.all([
      assert.rejects(spend(newBudget(50), never), { code: "ERR_SESSION_UNAVAILABLE" }),
      ...Array.from({ length: 20 }, () => spend(newBudget(1500), async () => {})),
    ]);
  });

  test("comes back while nothing is asked: a long response may save again after an outage", async () => {
    const budget = newBudget(100);
    await assert.rejects(spend(budget, never), spent);
    await until(() => spend(budget, async () => true), "the budget");
  });

  test("is not spent by what took no time", async () => {
    const budget = newBudget(100);
    for (let n = 0; n < 1000; n++) await spend(budget, async () => {});
    assert.ok(budget.leftMs > 0);
  });
});
