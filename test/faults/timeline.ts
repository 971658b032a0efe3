import type { Exchange } from "./history.ts";

const SLICES = 60;

/** What was answered in one slice of the time, and how soon. */
export interface Slice {
  readonly served: number;
  /** "Log in first", "interrupted". */
  readonly turnedAway: number;
  readonly unavailable: number;
  readonly unanswered: number;
  /** Milliseconds; 0 where nothing was answered. */
  readonly median: number;
  readonly slowest: number;
}

export interface Timeline {
  /** Milliseconds of a slice. */
  readonly width: number;
  readonly slices: readonly Slice[];
}

/** By the time of the answer, or of giving up. */
export function timeline(history: readonly Exchange[]): Timeline {
  const total = Math.max(1, ...history.map(({ end }) => end));
  const width = total / SLICES;
  const groups = Array.from({ length: SLICES }, (): Exchange[] => []);
  for (const exchange of history) groups[Math.min(SLICES - 1, Math.floor(exchange.end / width))]!.push(exchange);
  return { width, slices: groups.map(slice) };
}

function slice(exchanges: readonly Exchange[]): Slice {
  const times = exchanges.map(({ start, end }) => Math.round(end - start)).sort((a, b) => a - b);
  const count = (matches: (status: number | null) => boolean) =>
    exchanges.filter(({ status }) => matches(status)).length;
  return {
    served: count((status) => status === 200),
    turnedAway: count((status) => status !== null && status >= 400 && status < 500),
    unavailable: count((status) => status !== null && status >= 500),
    unanswered: count((status) => status === null),
    median: times[times.length >> 1] ?? 0,
    slowest: times.at(-1) ?? 0,
  };
}
