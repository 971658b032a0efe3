import type { Payload, SessionStore } from "../core/contracts.ts";

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
  /** The clock. For tests. */
  readonly now?: (() => Date) | undefined;
}
