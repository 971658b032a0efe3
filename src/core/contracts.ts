import type { Budget } from "./budget.ts";

/** The contracts between the floors: what an engine, a store and a codec promise. Unhappy cases first. */

/** A session's data, decoded. */
export type SessionData = Record<string, unknown>;

/**
 * A session's data, encoded: text for signed and JSON formats, bytes for binary ones. Opaque to stores. One whose
 * backend knows only bytes gives text back as its bytes in UTF-8.
 */
export type Payload = string | Uint8Array;

/** What a store keeps under a session key. */
export interface SessionRecord {
  readonly payload: Payload;
  /** The instant from which the record no longer exists for a reader. Computed by the core, never by a store. */
  readonly expiresAt: Date;
}

/** What a store answers to `load`. */
export interface LoadedRecord {
  readonly payload: Payload;
  /** Only where it costs no second trip. */
  readonly expiresAt?: Date | undefined;
}

export interface DeleteExpiredProgress {
  readonly deleted: number;
  /** How many were expired when the clean-up began. */
  readonly total: number;
}

export interface DeleteExpiredOptions {
  /** Records removed in one step, so that live traffic gets its turn in between. Default 100 to 1000, by store. */
  readonly batchSize?: number | undefined;
  /** Called after each batch. */
  readonly onProgress?: ((progress: DeleteExpiredProgress) => void) | undefined;
  /** Stops between two batches; what was deleted stays deleted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Keeps records under session keys. Five methods, all required; keys are compared byte by byte.
 *
 * A store knows nothing of cookies, codecs or ages. What its caller can foresee (missing, taken, changed) is a value;
 * what it cannot (a fault of the backend) is thrown as it came, and the engine makes it `ERR_SESSION_UNAVAILABLE`.
 */
export interface SessionStore {
  /** `null` if there is no record or it has expired. Creates nothing, moves no expiry. */
  load(key: string): Promise<LoadedRecord | null>;
  /** `false`, and nothing written, if the key is taken. */
  create(key: string, record: SessionRecord): Promise<boolean>;
  /**
   * `false`, and nothing written, if the record is gone or expired, or if `expected` is given and the payload stored
   * is not byte for byte `expected`. Never inserts: a deleted session must not come back (Django #21608,
   * CVE-2025-46336). Test and write are one atomic step of the backend.
   */
  update(key: string, record: SessionRecord, expected?: Payload): Promise<boolean>;
  /**
   * `false`, and nothing removed, if there is no record, or if `expected` is given and the payload stored is not
   * byte for byte `expected`. Deleting twice is no fault.
   */
  delete(key: string, expected?: Payload): Promise<boolean>;
  /** Removes expired records in batches and says how many; `0` where the backend expires them by itself. */
  deleteExpired(options?: DeleteExpiredOptions): Promise<number>;
}

/** What a codec answers to `decode`. */
export interface Decoded {
  /** Fresh objects that belong to the caller. */
  readonly data: SessionData;
  /**
   * What the text said beyond what JavaScript values can say (`1.0`, the order of keys like "10"). Opaque: handed
   * back to `encode`, so that values nobody touched come out byte for byte.
   */
  readonly origin?: unknown;
  /** When the payload was written, where the format records it. */
  readonly savedAt?: Date | undefined;
}

/** Data to payload and back: serializes, compresses, signs or encrypts. Synchronous, and one format only. */
export interface SessionCodec {
  /**
   * Throws `ERR_SESSION_VALUE`, naming the path, for a value that the format cannot carry, and
   * `ERR_SESSION_TOO_LARGE` for more than the format allows.
   *
   * @param now the time of writing, where the format records one
   * @param origin what `decode` gave with the data that this data came from
   */
  encode(data: SessionData, now: Date, origin?: unknown): Payload;
  /**
   * `null` for anything that does not verify or cannot be read, in bounded time and memory. Never throws. A codec that
   * writes text reads it from its bytes too, see `Payload`.
   */
  decode(payload: Payload): Decoded | null;
  /** Present where nobody can read a payload without the secret key. */
  readonly isEncrypted?: true;
  /** Throws `ERR_SESSION_VALUE` if the format cannot carry `value`. @param path how the value is named in the error */
  assertValue(value: unknown, path: string): void;
}

/** A session as the engine last saw it: enough to change it later without overwriting what others wrote since. */
export interface StoredSession {
  /** The cookie's value. */
  readonly token: string;
  /** The payload that was loaded or written is the version that the next write expects. */
  readonly payload: Payload;
  readonly origin: unknown;
}

export interface LoadedSession extends StoredSession {
  readonly data: SessionData;
  /** When it was written, where nothing but the token says when the session ends: the core then sees to it. */
  readonly savedAt?: Date | undefined;
}

/** The time of a save, and what expiry follows from it. */
export interface Saving {
  readonly now: Date;
  expiresAt(data: SessionData): Date;
  /** The time that it may take. Default that of a request of its own. */
  readonly budget?: Budget | undefined;
}

/**
 * Says what to store when someone else changed the session since it was loaded. Answers by changing `mine` in place,
 * and may be called again when that comes too late as well.
 *
 * @param theirs `null`: the session is gone. Throws `ERR_SESSION_INTERRUPTED`, or leaves in `mine` what may be stored
 *   under a new token
 */
export type Reconcile = (mine: SessionData, base: SessionData, theirs: SessionData | null) => void | Promise<void>;

/**
 * A cookie's value to session data and back: the seam between the life of a session and the place where it is kept.
 * A fault of the backend is `ERR_SESSION_UNAVAILABLE`, and then nothing is known of the session.
 */
export interface SessionEngine {
  /**
   * Present where the token is the session itself, kept by the browser alone: how many cookies it may fill. Nothing can
   * then be done to the session but with a response.
   */
  readonly maxCookies?: number | undefined;
  /** Present where the token is the session itself, and only who has the secret key can read it. */
  readonly isEncrypted?: true | undefined;
  /** Whether the engine could have issued this value. What is not a token never reaches a store. */
  isToken(value: string): boolean;
  /** `"missing"`: none, or expired. `"corrupted"`: there is one, but it does not verify. */
  load(token: string, budget?: Budget): Promise<LoadedSession | "missing" | "corrupted">;
  /** Stores `data` under a new token. Throws what the codec's `encode` does; then nothing is stored. */
  create(data: SessionData, saving: Saving): Promise<StoredSession>;
  /** A session that is gone is never created again under its token: `reconcile` says what then. */
  update(stored: StoredSession, data: SessionData, saving: Saving, reconcile: Reconcile): Promise<StoredSession>;
  /** Moves the session to a new token; the old one is dead afterwards. Throws as `update` does. */
  cycle(stored: StoredSession, data: SessionData, saving: Saving, reconcile: Reconcile): Promise<StoredSession>;
  /** Also where the session has moved to a new token meanwhile. Deleting twice is no fault. */
  delete(token: string, budget?: Budget): Promise<void>;
  deleteExpired(options?: DeleteExpiredOptions): Promise<number>;
  /** The codec's: throws `ERR_SESSION_VALUE` for what cannot be stored. */
  assertValue(value: unknown, path: string): void;
  /**
   * Present where another program reads the sessions that does not know an instant of `setExpiry` as ISO text: what to
   * keep instead. Throws `ERR_SESSION_VALUE` if there is nothing.
   */
  readonly storedInstant?: ((iso: string) => unknown) | undefined;
}
