/*
 * What becomes of a driver's calls: all go through but one, which has a fate.
 */

/** Of a call. What answers garbage has been done, as when a connection got out of step. */
export type Fate =
  | { readonly name: string; readonly kind: "throws" | "hangs"; readonly isDone: boolean }
  | { readonly name: string; readonly kind: "answers"; readonly garbage: unknown };

export const FATES: readonly Fate[] = [
  { name: "throws before it is done", kind: "throws", isDone: false },
  { name: "throws after it was done", kind: "throws", isDone: true },
  { name: "hangs before it is done", kind: "hangs", isDone: false },
  { name: "hangs after it was done", kind: "hangs", isDone: true },
  { name: "answers null", kind: "answers", garbage: null },
  { name: "answers nothing", kind: "answers", garbage: undefined },
  { name: "answers a text", kind: "answers", garbage: "garbage" },
  { name: "answers an empty object", kind: "answers", garbage: {} },
];

/** Passes one call of a driver on, or lets its fate befall it. @param fault the driver's error, with all that it tells */
export type Pass = <T>(name: string, run: () => Promise<T>, fault: () => Error) => Promise<T>;

export interface Calls {
  readonly pass: Pass;
  /** The call that had the fate; `undefined` if there were not so many. */
  readonly fated: () => string | undefined;
  /** Runs what is to have it. Before and after, all is well. */
  during<T>(operation: () => Promise<T>): Promise<T>;
}

/** @param at the number of the call that has the fate, from 1 */
export function calls(at: number, fate: Fate): Calls {
  let isOn = false;
  let count = 0;
  let fated: string | undefined;

  async function pass<T>(name: string, run: () => Promise<T>, fault: () => Error): Promise<T> {
    if (!isOn || ++count !== at) return run();
    fated = name;
    if (fate.kind === "answers" || fate.isDone) await run();
    switch (fate.kind) {
      case "throws":
        throw fault();
      case "hangs":
        return new Promise(() => {});
      case "answers":
        return fate.garbage as T;
    }
  }

  return {
    pass,
    fated: () => fated,
    async during(operation) {
      isOn = true;
      try {
        return await operation();
      } finally {
        isOn = false;
      }
    },
  };
}
