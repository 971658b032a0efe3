import type { SessionStore } from "../../src/core/contracts.ts";
import { through } from "./caches.ts";

/*
 * Runs programs in every order of their atomic steps that can make a difference: a depth-first search that begins anew
 * for each order. Orders that differ only in steps that do not touch each other are one (Godefroid's sleep sets, 1996).
 */

/** A step that waits for its turn. */
interface Step {
  /** What it touches. */
  readonly on: string;
  readonly reads: boolean;
  readonly run: () => void;
}

/** Which of several steps came next, in an order; steps have the same number in all orders that begin alike. */
interface Choice {
  current: number;
  readonly tried: Set<number>;
  /** Those with which the same orders would come again. */
  readonly asleep: ReadonlySet<number>;
  readonly steps: ReadonlyMap<number, Step>;
}

/** Where steps wait for their turn. */
export interface Gate {
  /** A store of which each operation is a step. */
  steps(on: string, store: SessionStore): SessionStore;
  /** A step that nobody waits for. */
  later(on: string, run: () => void): void;
}

/**
 * @param begin starts the programs of one run
 * @param check is called after every step; in the end, steps wait no longer
 * @returns the number of orders
 */
export async function inEveryOrder<World>(
  begin: (gate: Gate) => Promise<World>,
  check: (world: World, isEnd: boolean) => Promise<void>,
): Promise<number> {
  const choices: Choice[] = [];
  let orders = 0;
  do {
    if (await runOnce(begin, check, choices)) orders++;
  } while (backtrack(choices));
  return orders;
}

/** `false` if this order turned out to be one that was seen before. */
async function runOnce<World>(
  begin: (gate: Gate) => Promise<World>,
  check: (world: World, isEnd: boolean) => Promise<void>,
  choices: Choice[],
): Promise<boolean> {
  const waiting = new Map<number, Step>();
  const seen = choices.length;
  let isEnd = false;
  let steps = 0;
  const world = await begin({
    steps: (on, store) =>
      through(store, async (operation, run) => {
        const wait = (resolve: () => void) => waiting.set(steps++, { on, reads: operation === "load", run: resolve });
        if (!isEnd) await new Promise<void>(wait);
        return run();
      }),
    later: (on, run) => waiting.set(steps++, { on, reads: false, run }),
  });
  for (let depth = 0; ; depth++) {
    // Everyone goes as far as they can without a step.
    await new Promise(setImmediate);
    isEnd = waiting.size === 0;
    // The steps before were checked in an earlier run.
    if (depth >= seen) await check(world, isEnd);
    if (isEnd) return true;
    if (depth === choices.length) {
      const choice = nextChoice(new Map(waiting), choices.at(-1));
      if (!choice) return false;
      choices.push(choice);
    }
    const { current } = choices[depth]!;
    const step = waiting.get(current)!;
    waiting.delete(current);
    step.run();
  }
}

function nextChoice(steps: ReadonlyMap<number, Step>, last: Choice | undefined): Choice | undefined {
  const asleep = new Set<number>();
  if (last) {
    const done = last.steps.get(last.current)!;
    for (const other of [...last.asleep, ...last.tried]) {
      const step = last.steps.get(other)!;
      if (step.on !== done.on || (step.reads && done.reads)) asleep.add(other);
    }
  }
  const current = [...steps.keys()].find((step) => !asleep.has(step));
  return current === undefined ? undefined : { current, tried: new Set(), asleep, steps };
}

function backtrack(choices: Choice[]): boolean {
  for (let choice = choices.at(-1); choice; choice = choices.at(-1)) {
    choice.tried.add(choice.current);
    const { tried, asleep } = choice;
    const next = [...choice.steps.keys()].find((step) => !tried.has(step) && !asleep.has(step));
    if (next !== undefined) {
      choice.current = next;
      return true;
    }
    choices.pop();
  }
  return false;
}
