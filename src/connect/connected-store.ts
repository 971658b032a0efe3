import type { Payload, SessionStore } from "../core/contracts.ts";
import { SessionError } from "../core/errors.ts";

/** A store with a connection of its own. */
export interface ConnectedStore extends SessionStore {
  /** Creates what the store needs, Django's table for example; `false` if all was there. Safe to repeat. */
  migrate(): Promise<boolean>;
  /** Lets the connection go. */
  close(): Promise<void>;
}

export interface ConnectOptions {
  /**
   * What stands before the session key in the name of a cache entry or a file. Default: `"session:"` in Redis and
   * memcached, `"sessionid"` for files, as Django names them. Databases have a table instead.
   */
  readonly prefix?: string | undefined;
  /** Files only, and only where Django shares them: as `FileStoreOptions.expiryOf`. */
  readonly expiryOf?: ((payload: Payload, modifiedAt: Date) => Date | null) | undefined;
  /** memcached only, and only where Python shares it: as `MemcachedStoreOptions.flags`. */
  readonly flags?: number | undefined;
  /**
   * Milliseconds that making a connection may take, and waiting for one that is free. Default 1000. Nothing to a store
   * without connections: files, SQLite and memory.
   */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * Milliseconds that one operation may wait for its answer, of a server, of a disk, or of the other processes that write
   * to a SQLite file. Default 500. Creating the table and cleaning up have a minute.
   */
  readonly operationTimeoutMs?: number | undefined;
  /** The clock. For tests. */
  readonly now?: (() => Date) | undefined;
}

/** What `connect` has made of them: the time-outs are given, and right. */
export interface ConnectSettings extends ConnectOptions {
  readonly connectTimeoutMs: number;
  readonly operationTimeoutMs: number;
}

/** Half a second for an answer leaves a request the time for three, or for a connection and one. */
const TIMEOUTS = { connectTimeoutMs: 1000, operationTimeoutMs: 500 };

const MAX_TIMEOUT_MS = 60_000;

/** Fills in the defaults. Throws `ERR_CONFIG` for a time-out that is none. */
export function connectSettings(options: ConnectOptions): ConnectSettings {
  const { connectTimeoutMs = TIMEOUTS.connectTimeoutMs, operationTimeoutMs = TIMEOUTS.operationTimeoutMs } = options;
  for (const [name, value] of Object.entries({ connectTimeoutMs, operationTimeoutMs })) {
    if (Number.isInteger(value) && value >= 1 && value <= MAX_TIMEOUT_MS) continue;
    throw new SessionError("ERR_CONFIG", `connect: ${name} must be an integer between 1 and ${MAX_TIMEOUT_MS}.`);
  }
  return { ...options, connectTimeoutMs, operationTimeoutMs };
}
