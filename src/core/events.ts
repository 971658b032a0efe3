import { channel } from "node:diagnostics_channel";

/**
 * What the library reports without failing a request, on `node:diagnostics_channel`. Sessions appear by fingerprint.
 *
 * @example
 * import { subscribe } from "node:diagnostics_channel";
 * subscribe("sojourn:conflict", (event) => log.warn(event));
 */
export interface SessionEvents {
  /** Parallel requests changed the same paths differently; the later one was kept. */
  "sojourn:conflict": { session: string; paths: string[][] };
  /** A session does not verify or cannot be read: wrong secret or clock, other format, missing pieces, tampered with. */
  "sojourn:corrupted": { session: string };
  /** A request carried several cookies of our name and more than one was a live session: none was used. */
  "sojourn:ambiguous": { sessions: string[] };
  /** A change came too late: its session had been deleted. `onInterrupted` says what became of the change. */
  "sojourn:interrupted": { session: string };
  /** The store does not answer, or too many of its records do not verify: requests for sessions are answered by 503. */
  "sojourn:unavailable": { reason: string };
  /** That is over. */
  "sojourn:available": Record<string, never>;
  /** The cache of a `cachedStore` failed, or held what cannot be read. The request was served by the database. */
  "sojourn:cache-failed": { session: string; operation: "load" | "create" | "update" | "delete"; error: string };
}

const channels = {
  "sojourn:conflict": channel("sojourn:conflict"),
  "sojourn:corrupted": channel("sojourn:corrupted"),
  "sojourn:ambiguous": channel("sojourn:ambiguous"),
  "sojourn:interrupted": channel("sojourn:interrupted"),
  "sojourn:unavailable": channel("sojourn:unavailable"),
  "sojourn:available": channel("sojourn:available"),
  "sojourn:cache-failed": channel("sojourn:cache-failed"),
};

export function report<Name extends keyof SessionEvents>(name: Name, event: () => SessionEvents[Name]): void {
  if (channels[name].hasSubscribers) channels[name].publish(event());
}
