/** The time of a suite: it stands still until a case moves it. */
export interface Clock {
  readonly now: () => Date;
  /**
   * Milliseconds that the store can tell apart, 1 or more: a record is surely there one tick before its expiry. More
   * than 1 only where a server measures the time and goes on doing so while the clock stands still.
   */
  readonly tick: number;
  /** The instant this many milliseconds from now. */
  in(ms: number): Date;
  advance(ms: number): Promise<void>;
}

/** Makes the records at a server this many milliseconds older. */
export type AgeRecords = (ms: number) => Promise<void>;

/** A case may take this long between two looks at a server, whose time does not stand still. */
const SERVER_TICK_MS = 10_000;

/** Begins at a whole second, so that stores which write whole seconds in another form are met at that too. */
export function stoppedClock(): Clock & { follow(age: AgeRecords): Clock } {
  let time = Date.UTC(2026, 10, 20, 12, 0, 0);
  const clock = {
    now: () => new Date(time),
    tick: 1,
    in: (ms: number) => new Date(time + ms),
    async advance(ms: number) {
      time += ms;
    },
  };
  return {
    ...clock,
    follow: (age) => ({
      ...clock,
      tick: SERVER_TICK_MS,
      async advance(ms) {
        time += ms;
        await age(ms);
      },
    }),
  };
}
