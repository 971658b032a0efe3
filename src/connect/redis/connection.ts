import type { RedisCommand } from "../../stores/redis/client.ts";
import type { ConnectSettings } from "../connected-store.ts";

/** A driver's connection, which mends itself. */
export interface RedisConnection {
  readonly command: RedisCommand;
  /** Resolves with the first connection, or with the first failure: the server need not be there. */
  readonly tried: Promise<void>;
  /** The last failure, until there is a connection again. */
  failure(): Error | undefined;
  /** Told when an operation found no connection, no answer, or a primary that no longer is one. */
  doubt(): void;
  close(): unknown;
}

/** Milliseconds after which a client that has not connected, greeting and login included, is stuck. */
export function establishingMs({ connectTimeoutMs }: ConnectSettings): number {
  return 2 * connectTimeoutMs;
}

/** Milliseconds before attempt number `attempt`. Jitter, so that many processes do not return in step. */
export function retryDelay(attempt: number): number {
  return Math.min(25 * 2 ** attempt, 400) + Math.random() * 100;
}

/**
 * Whether that command can have that answer: bytes or null, "OK" or null, and 0 or 1 for the scripts and `del`.
 *
 * A reply carries no name. After one too few or too many, each that follows goes to the wrong command: somebody gets
 * another's session. So a connection of which one reply makes no sense is given up, and with it the replies that have
 * come in its wake.
 */
export function isAnswerTo([command]: readonly unknown[], answer: unknown): boolean {
  if (command === "get") return answer === null || answer instanceof Uint8Array;
  if (command === "set") return answer === null || answer === "OK";
  return answer === 0 || answer === 1;
}

export function outOfStep(): Error {
  return new Error("the answers were out of step with the questions");
}
