/** Looks at what is waited for this often within the time that it has. */
const SWEEPS = 5;

interface Waiting {
  readonly since: number;
  fail(): void;
}

/**
 * Makes promises that fail with the code `ERR_TIMEOUT` unless they are settled within so many milliseconds, or a fifth
 * more.
 *
 * One timer sweeps them all, for a timer each costs more than all else that is done for a statement. Time is counted in
 * sweeps, and a sweep that comes late counts once: answers that lie there while this process is busy are not late.
 *
 * @param what the promise is of, for the message
 */
export function deadline(ms: number, what: string): <T>(promise: Promise<T>) => Promise<T> {
  const waiting = new Set<Waiting>();
  let sweeps = 0;
  let timer: NodeJS.Timeout | undefined;

  function sweep(): void {
    sweeps++;
    for (const each of waiting) {
      // In the order in which they began.
      if (sweeps - each.since <= SWEEPS) break;
      waiting.delete(each);
      each.fail();
    }
    if (waiting.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  return <T>(promise: Promise<T>) =>
    new Promise<T>((resolve, reject) => {
      const each = {
        since: sweeps,
        fail: () => reject(Object.assign(new Error(`no ${what} within ${ms} ms`), { code: "ERR_TIMEOUT" })),
      };
      waiting.add(each);
      // The connection keeps the process alive while something is waited for; the timer must not afterwards.
      timer ??= setInterval(sweep, ms / SWEEPS).unref();
      promise.then(
        (value) => {
          waiting.delete(each);
          resolve(value);
        },
        (error) => {
          waiting.delete(each);
          reject(error);
        },
      );
    });
}
