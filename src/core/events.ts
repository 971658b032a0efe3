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
  /** A stored session does not verify or cannot be read: wrong secret, other format, or tampered with. */
  "sojourn:corrupted": { session: string };
  /** A request carried several cookies of our name and more than one was a live session: none was used. */
  "sojourn:ambiguous": { sessions: string[] };
}

const channels = {
  "sojourn:conflict": channel("sojourn:conflict"),
  "sojourn:corrupted": channel("sojourn:corrupted"),
  "sojourn:ambiguous": channel("sojourn:ambiguous"),
};

export function report<Name extends keyof SessionEvents>(name: Name, event: () => SessionEvents[Name]): void {
  if (channels[name].hasSubscribers) channels[name].publish(event());
}
