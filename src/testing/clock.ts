/** The time of a suite: it stands still until a case moves it. */
export interface Clock {
  readonly now: () => Date;
  /** The instant this many milliseconds from now. */
  in(ms: number): Date;
  advance(ms: number): void;
}

/** Begins at a whole second, so that stores which write whole seconds in another form are met at that too. */
export function stoppedClock(): Clock {
  let time = Date.UTC(2026, 10, 20, 12, 0, 0);
  return {
    now: () => new Date(time),
    in: (ms) => new Date(time + ms),
    advance(ms) {
      time += ms;
    },
  };
}
