import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { SEED, sequences } from "./amount.ts";
import { checkRegister, type Operation } from "./register-checker.ts";

/** From the call to the end, in a line: `create a 0-1`. `?` for an unknown outcome, `!` for a refusal. */
function history(...lines: string[]): Operation[] {
  return lines.map((line) => {
    const [, kind, value, call, end, mark] = /^(\w+) (\S+) (\d+)-(\d+)([?!]?)$/.exec(line)!;
    return {
      kind: kind as Operation["kind"],
      value: value === "none" ? null : value!,
      outcome: mark === "?" ? "unknown" : mark === "!" ? "refused" : "ok",
      call: Number(call),
      end: Number(end),
    };
  });
}

const RIGHT: Record<string, Operation[]> = {
  "nothing happened": [],
  "one after the other": history(
    "create a 0-1",
    "read a 2-3",
    "write b 4-5",
    "read b 6-7",
    "delete none 8-9",
    "read none 10-11",
  ),
  "two writes at once, then either of them": history("create a 0-1", "write b 2-6", "write c 3-5", "read b 7-8"),
  "a read during a write sees the old value, or the new one": history(
    "create a 0-1",
    "write b 2-9",
    "read a 3-4",
    "read b 5-6",
  ),
  "a save that is refused during a logout": history("create a 0-1", "delete none 2-9", "write b 3-4!", "read none 5-6"),
  "a save during a logout, before it": history("create a 0-1", "delete none 2-9", "write b 3-4", "read b 5-6"),
  "nobody knows of a write, and it was done": history("create a 0-1", "write b 2-3?", "read a 4-5", "read b 8-9"),
  "nobody knows of a write, and it was not done": history("create a 0-1", "write b 2-3?", "read a 4-5"),
  "nobody knows of a logout": history("create a 0-1", "delete none 2-3?", "read a 4-5", "read none 6-7"),
  "two logouts": history("create a 0-1", "delete none 2-3", "delete none 4-5"),
};

const WRONG: Record<string, Operation[]> = {
  "an old value after a new one was read": history("create a 0-1", "write b 2-9", "read b 3-4", "read a 5-6"),
  "an acknowledged write that nobody sees": history("create a 0-1", "write b 2-3", "read a 4-5"),
  "a value that nobody wrote": history("create a 0-1", "read b 2-3"),
  "a session that comes back after its logout": history("create a 0-1", "delete none 2-3", "read a 4-5"),
  "a save after a logout": history("create a 0-1", "delete none 2-3", "write b 4-5"),
  "a save that was refused although nobody logged out": history("create a 0-1", "write b 2-3!", "read a 4-5"),
  "a live session that is not found": history("create a 0-1", "read none 2-3"),
  "a value that comes back": history("create a 0-1", "write b 2-3", "read b 4-5", "read a 6-7", "read b 8-9"),
  "an unknown write that is seen before it was asked for": history("create a 0-1", "read b 2-3", "write b 4-5?"),
  "an unknown logout that was one": history("create a 0-1", "delete none 2-3?", "read none 4-5", "read a 6-7"),
  "a session made twice": history("create a 0-1", "create b 2-3"),
};

describe("the register checker", () => {
  for (const [name, operations] of Object.entries(RIGHT)) {
    test(`takes: ${name}`, () => assert.equal(checkRegister(operations).is, "linearizable"));
  }
  for (const [name, operations] of Object.entries(WRONG)) {
    test(`finds: ${name}`, () => assert.equal(checkRegister(operations).is, "not linearizable"));
  }

  test("says where it could not go on", () => {
    const verdict = checkRegister(WRONG["an acknowledged write that nobody sees"]!);
    assert.ok(verdict.is === "not linearizable");
    assert.deepEqual(verdict.stuck, history("read a 4-5"));
  });

  test("gives up rather than take for ever", () => {
    const writes = Array.from({ length: 30 }, (_, n) => `write w${n} 2-100`);
    const verdict = checkRegister(history("create a 0-1", ...writes, "read x 101-102"), 1000);
    assert.equal(verdict.is, "undecided");
  });

  const operation = fc
    .record({
      kind: fc.constantFrom<Operation["kind"]>("create", "write", "write", "read", "read", "delete"),
      value: fc.constantFrom("a", "b"),
      isNone: fc.boolean(),
      outcome: fc.constantFrom<Operation["outcome"]>("ok", "ok", "ok", "refused", "unknown"),
      call: fc.nat({ max: 12 }),
      length: fc.nat({ max: 6 }),
    })
    .map(({ isNone, call, length, ...rest }): Operation => {
      const value = rest.kind === "delete" || (rest.kind === "read" && isNone) ? null : rest.value;
      const outcome = rest.outcome === "refused" && rest.kind !== "write" ? "ok" : rest.outcome;
      return { ...rest, value, outcome, call, end: call + length };
    });

  test("says of small histories what trying every order says", () => {
    const verdicts = { linearizable: 0, "not linearizable": 0, undecided: 0 };
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 6 }), (operations) => {
        const { is } = checkRegister(operations);
        verdicts[is]++;
        assert.equal(is === "linearizable", hasOrder(operations));
      }),
      { seed: SEED, numRuns: sequences(5000), includeErrorInReport: true },
    );
    assert.ok(verdicts.linearizable > 500 && verdicts["not linearizable"] > 500, JSON.stringify(verdicts));
  });
});

/** The definition itself: an order that keeps what was over before something else began, and makes sense. */
function hasOrder(left: readonly Operation[], state: string | null = null): boolean {
  if (left.every(({ outcome }) => outcome === "unknown")) return true;
  return left.some((next, index) => {
    const others = left.filter((_, other) => other !== index);
    if (others.some(({ outcome, end }) => outcome !== "unknown" && end < next.call)) return false;
    const isNever = next.outcome === "unknown" && hasOrder(others, state);
    if (isNever) return true;
    if (next.kind === "delete") return hasOrder(others, null);
    if (next.kind === "read") return (next.outcome === "unknown" || next.value === state) && hasOrder(others, state);
    if (next.kind === "create") return state === null && hasOrder(others, next.value);
    if (next.outcome === "refused") return state === null && hasOrder(others, state);
    return state !== null && hasOrder(others, next.value);
  });
}
