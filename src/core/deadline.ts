/** Looks at what is waited for this often within the time that it has. */
const SWEEPS = 4;

/** How many times the time at most, in a process that is always busy. */
const MAX_PATIENCE = 10;

interface Waiting {
  readonly since: { readonly counted: number; readonly all: number };
  fail(): void;
}

/**
 * Makes promises that fail with the code `ERR_TIMEOUT` unless they are settled within so many milliseconds, or a quarter
 * more. They keep the process alive until then.
 *
 * One timer sweeps them all, for a timer each costs more than all else that is done for a statement. Time is counted in
 * sweeps, and one that comes late does not count: this process was busy then, so that answers may lie there, or the
 * questions may not even have been sent.
 *
 * @param what the promise is of, for the message
 */
export function deadline(ms: number, what: string): <T>(promise: Promise<T>) => Promise<T> {
  const part = ms / SWEEPS;
  const waiting = new Set<Waiting>();
  let [counted, all] = [0, 0];
  let due = 0;
  let timer: NodeJS.Timeout | undefined;

  function schedule(): NodeJS.Timeout {
    due = performance.now() + part;
    return setTimeout(sweep, part);
  }

  function sweep(): void {
    all++;
    if (performance.now() < due + part) counted++;
    for (const each of waiting) {
      // In the order in which they began.
      if (counted - each.since.counted < SWEEPS && all - each.since.all < SWEEPS * MAX_PATIENCE) break;
      waiting.delete(each);
      each.fail();
    }
    timer = waiting.size > 0 ? schedule() : undefined;
  }

  /** From which sweep on a promise's time is counted. */
  function begin(): Waiting["since"] {
    // The time until the next sweep is not the whole of one.
    if (timer) return { counted: counted + 1, all };
    timer = schedule();
    return { counted, all };
  }

  return <T>(promise: Promise<T>) =>
    new Promise<T>((resolve, reject) => {
      const each = {
        since: begin(),
        fail: () => reject(Object.assign(new Error(`no ${what} within ${ms} ms`), { code: "ERR_TIMEOUT" })),
      };
      if (waiting.size === 0) timer!.ref();
      waiting.add(each);
      const end = () => {
        waiting.delete(each);
        if (waiting.size === 0) timer?.unref();
      };
      promise.then(
        (value) => {
          end();
          resolve(value);
        },
        (error) => {
          end();
          reject(error);
        },
      );
    });
}
