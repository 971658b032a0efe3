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
