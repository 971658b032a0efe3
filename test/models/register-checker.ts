/**
 * What was seen of one operation on a register: a place that holds nothing (`null`) or a value.
 *
 * | kind | may take effect | becomes |
 * |---|---|---|
 * | create | where nothing is, or was | `value` |
 * | write | where something is; refused: where nothing is | `value`; refused: as it was |
 * | read | where `value` is | as it was |
 * | delete | everywhere | nothing |
 */
export interface Operation {
  readonly kind: "create" | "write" | "read" | "delete";
  readonly value: string | null;
  /** `"unknown"`: whoever asked was never told whether it was done. It may take effect at any later time, or never. */
  readonly outcome: "ok" | "refused" | "unknown";
  /** When it was asked for, and answered, by one clock for all. */
  readonly call: number;
  readonly end: number;
}

export type Verdict =
  | { readonly is: "linearizable" | "undecided" }
  /** @property stuck operations of which none could come next where the search came furthest */
  | { readonly is: "not linearizable"; readonly stuck: readonly Operation[] };

/**
 * Whether the operations can have taken effect one after the other, each between its call and its end: Wing and Gong's
 * search (1993), which remembers what it has seen (Lowe 2017, as Porcupine does).
 *
 * @param maxStates after so many different states nobody knows
 */
export function checkRegister(history: readonly Operation[], maxStates = 200_000): Verdict {
  const operations = history
    .filter(({ kind, outcome }) => kind !== "read" || outcome !== "unknown")
    .toSorted((a, b) => a.call - b.call);
  const isDue = operations.map(({ outcome }) => outcome !== "unknown");
  const seen = new Set<string>();
  const open: Step[] = [{ done: new Set(), state: null }];
  let furthest = open[0]!;
  for (let step = open.pop(); step; step = open.pop()) {
    takeWhatChangesNothing(operations, step);
    if (isDue.every((due, index) => !due || step.done.has(index))) return { is: "linearizable" };
    const name = nameOf(step);
    if (seen.has(name)) continue;
    if (seen.add(name).size > maxStates) return { is: "undecided" };
    if (step.done.size >= furthest.done.size) furthest = step;
    for (const index of possible(operations, step.done)) {
      const state = effect(step.state, operations[index]!);
      if (state !== undefined) open.push({ done: new Set(step.done).add(index), state });
    }
  }
  return { is: "not linearizable", stuck: possible(operations, furthest.done).map((index) => operations[index]!) };
}

/** What is done so far, by index, and what the register holds then. */
interface Step {
  readonly done: Set<number>;
  readonly state: string | null;
}

/** Those that can come next: called before any other that is not done has ended. */
function possible(operations: readonly Operation[], done: ReadonlySet<number>): number[] {
  const left: number[] = [];
  let firstEnd = Number.POSITIVE_INFINITY;
  for (const [index, { call, end, outcome }] of operations.entries()) {
    if (call > firstEnd) break;
    if (done.has(index)) continue;
    left.push(index);
    if (outcome !== "unknown") firstEnd = Math.min(firstEnd, end);
  }
  return left.filter((index) => operations[index]!.call <= firstEnd);
}

/** The state afterwards; `undefined` if it cannot take effect here. */
function effect(state: string | null, { kind, value, outcome }: Operation): string | null | undefined {
  if (kind === "delete") return null;
  if (kind === "read") return state === value ? state : undefined;
  const needsNothing = kind === "create" || outcome === "refused";
  if (needsNothing !== (state === null)) return undefined;
  return outcome === "refused" ? state : value;
}

/** Reads and refusals, at once: they could come at no better time. A delete of nothing could, after a create. */
function takeWhatChangesNothing(operations: readonly Operation[], { done, state }: Step): void {
  for (let before = -1; before < done.size; ) {
    before = done.size;
    for (const index of possible(operations, done)) {
      const operation = operations[index]!;
      const changesNothing = operation.kind === "read" || operation.outcome === "refused";
      if (changesNothing && effect(state, operation) === state) done.add(index);
    }
  }
}

/** The operations before the first that is not done are left out: states would have long names. */
function nameOf({ done, state }: Step): string {
  let first = 0;
  while (done.has(first)) first++;
  const rest = [...done].filter((index) => index > first).sort((a, b) => a - b);
  return `${first} ${rest} ${state}`;
}
