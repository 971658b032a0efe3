import { SessionError } from "./errors.ts";

/** Milliseconds that a request may wait for its session unless told otherwise: a second to connect, half a second to ask. */
export const REQUEST_TIMEOUT_MS = 1500;

/**
 * The time that one request may spend on its session. What a slow handler does in between is not counted, and while
 * nothing is asked it comes back: a response that streams for hours may save again after an outage.
 */
export interface Budget {
  readonly wholeMs: number;
  leftMs: number;
  /** When it was drawn on last, by the monotonic clock: the wall clock jumps. */
  usedAt: number;
}

export function newBudget(ms: number = REQUEST_TIMEOUT_MS): Budget {
  return { wholeMs: ms, leftMs: ms, usedAt: 0 };
}

const TICK_MS = 25;

interface Waiting {
  readonly budget: Budget;
  readonly since: number;
  fail(): void;
}

/*
 * One timer for all that is waited for: a timer each costs more than all else that is done for an operation. Time is
 * counted in its ticks, and a tick that comes late counts once: answers that lie there while this process is busy are
 * not late. Not `deadline`, whose time is the same for all that it watches: here each has what its request has left.
 */
const waiting = new Set<Waiting>();
let ticks = 0;
let timer: NodeJS.Timeout | undefined;

function tick(): void {
  ticks++;
  for (const each of waiting) {
    if ((ticks - each.since) * TICK_MS < each.budget.leftMs) continue;
    each.fail();
  }
  if (waiting.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}

/**
 * Does `work` within what is left of a budget, and takes the time from it. Throws `ERR_SESSION_UNAVAILABLE` when it is
 * spent; what was begun is then left alone, and its outcome is unknown.
 */
export function spend<T>(budget: Budget, work: () => Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    budget.leftMs = Math.min(budget.wholeMs, budget.leftMs + performance.now() - budget.usedAt);
    if (budget.leftMs < TICK_MS) throw spent(budget);
    const since = ticks;
    const each: Waiting = { budget, since, fail: () => settle(() => reject(spent(budget))) };
    function settle(how: () => void): void {
      if (!waiting.delete(each)) return;
      if (waiting.size === 0) timer?.unref();
      budget.leftMs -= (ticks - since) * TICK_MS;
      budget.usedAt = performance.now();
      how();
    }
    const promise = work();
    waiting.add(each);
    timer ??= setInterval(tick, TICK_MS);
    // The timer keeps the process alive for as long as there is something to wait for.
    if (waiting.size === 1) timer.ref();
    promise.then(
      (value) => settle(() => resolve(value)),
      (error) => settle(() => reject(error)),
    );
  });
}

function spent(budget: Budget): SessionError {
  return new SessionError(
    "ERR_SESSION_UNAVAILABLE",
    `The session store did not answer within the ${budget.wholeMs} ms that a request has for its session.`,
  );
}
