import type { Budget } from "./budget.ts";
import type { LoadedSession, Reconcile, Saving, SessionData, SessionEngine, StoredSession } from "./contracts.ts";
import { SessionError } from "./errors.ts";
import { report } from "./events.ts";
import {
  EXPIRY_KEY,
  type Expiry,
  expiresAtBrowserClose,
  expiryAge,
  expiryDate,
  STARTED_KEY,
  startOf,
  storedExpiry,
} from "./expiry.ts";
import { fingerprint } from "./key.ts";
import { keepChanges, merge } from "./merge.ts";
import type { SessionSettings } from "./settings.ts";
import { tokenCookies } from "./token-cookies.ts";
import { copy, equal, newData, put, replace } from "./values.ts";

const TEST_COOKIE_NAME = "testcookie";
const TEST_COOKIE_VALUE = "worked";

/** Thrown to ourselves. */
const DROPPED = Symbol("dropped");

function interrupted(): SessionError {
  return new SessionError(
    "ERR_SESSION_INTERRUPTED",
    "The session was deleted before the request completed. The user may have logged out in a concurrent request.",
  );
}

type Key<Data> = keyof Data & string;

/**
 * A person's data, loaded: a dict with Django's verbs. Data verbs are synchronous; what reaches the store (`flush`,
 * `cycleKey`, `save`) returns a promise. Changes are saved when the response begins, nested ones too.
 *
 * Leading underscores in keys are Django's (`_auth_user_id`, `_session_expiry`).
 *
 * @example
 * const session = await sessions.get(request);
 * session.set("uid", "123");
 * session.get("uid"); // "123"
 */
export class Session<Data extends object = Record<string, unknown>> {
  readonly #engine: SessionEngine;
  readonly #settings: SessionSettings;
  /** Tokens that the request presented: `flush` ends them all, whether they could be read or not. */
  readonly #presented: readonly string[];
  readonly #budget: Budget;
  readonly #data: SessionData;
  #stored: StoredSession | null;
  /** `#data` as stored, copied before the first change or before nested values are handed out; `null` until then. */
  #base: SessionData | null = null;
  #unsaved = false;
  #saved = false;
  #modified = false;
  #accessed = false;
  #closed = false;
  /** Why it is nobody's session. */
  #unavailable: SessionError | null = null;
  /** Whether its changes are lost since it was deleted meanwhile, as `onInterrupted: "drop"` wants. */
  #dropped = false;
  /** When the life began whose length is limited, in seconds since 1970. */
  #startedAt: number | undefined;
  #transaction = false;
  /** The end of the queue of operations on the store: they run one after another. */
  #tail: Promise<unknown> = Promise.resolve();
  #running = 0;
  /** The error of an operation that ended badly since the response began: one that the handler did not await. */
  #failure: unknown;

  /** @internal Sessions come from `sessions.get()`. */
  constructor(
    engine: SessionEngine,
    settings: SessionSettings,
    loaded: LoadedSession | null,
    presented: readonly string[],
    budget: Budget,
  ) {
    this.#engine = engine;
    this.#settings = settings;
    this.#stored = loaded;
    this.#data = loaded?.data ?? newData();
    this.#presented = presented;
    this.#budget = budget;
    this.#startedAt = startOf(this.#data);
  }

  // --- Reading ------------------------------------------------------------------------------------------------------

  /** The session key: the cookie's value, and a secret. `null` until the session is first saved and after `flush`. */
  get key(): string | null {
    return this.#stored?.token ?? null;
  }

  /** Whether the handler has used the data: the response then varies by cookie. */
  get accessed(): boolean {
    return this.#accessed;
  }

  /**
   * Whether the store could not be asked, and this is nobody's session, for reading only: see `sessions.get`. Changing it
   * throws `ERR_SESSION_UNAVAILABLE`.
   */
  get unavailable(): boolean {
    return this.#unavailable !== null;
  }

  /** Whether the session was changed in this request. Set it to `true` to have the session saved, and so renewed. */
  get modified(): boolean {
    return this.#modified || this.#changedInPlace();
  }

  set modified(value: boolean) {
    this.#assertOpen();
    this.#modified = value;
    this.#unsaved = value;
  }

  /** Whether there is neither a stored session nor any data. */
  get isEmpty(): boolean {
    return this.#stored === null && Object.keys(this.#data).length === 0;
  }

  /** How many keys the session holds. */
  get size(): number {
    return Object.keys(this.#read()).length;
  }

  /** The data itself, a plain object without prototype. Change it in place as you like: saving notices, at any depth. */
  get data(): Partial<Data> {
    return this.#handOut() as Partial<Data>;
  }

  /** The value of `key`, or `fallback` (default `undefined`) if the session has none. */
  get<K extends Key<Data>>(key: K): Data[K] | undefined;
  get<K extends Key<Data>, F>(key: K, fallback: F): Data[K] | F;
  get(key: string, fallback?: unknown): unknown {
    const data = this.#read();
    if (!Object.hasOwn(data, key)) return fallback;
    const value = data[key];
    if (typeof value === "object" && value !== null) this.#handOut();
    return value;
  }

  has(key: Key<Data>): boolean {
    return Object.hasOwn(this.#read(), key);
  }

  keys(): IterableIterator<Key<Data>> {
    return (Object.keys(this.#read()) as Key<Data>[]).values();
  }

  values(): IterableIterator<Data[Key<Data>]> {
    return (Object.values(this.#handOut()) as Data[Key<Data>][]).values();
  }

  entries(): IterableIterator<[Key<Data>, Data[Key<Data>]]> {
    return (Object.entries(this.#handOut()) as [Key<Data>, Data[Key<Data>]][]).values();
  }

  [Symbol.iterator](): IterableIterator<[Key<Data>, Data[Key<Data>]]> {
    return this.entries();
  }

  /** A copy of the data; never the key. */
  toJSON(): Partial<Data> {
    return copy(this.#read()) as Partial<Data>;
  }

  // --- Changing -----------------------------------------------------------------------------------------------------

  /** Throws `ERR_SESSION_VALUE`, naming the path, for a value that the session's format cannot carry. */
  set<K extends Key<Data>>(key: K, value: Data[K]): this {
    this.#assertStorable(key, value);
    this.#put(key, value);
    return this;
  }

  /** Removes `key`; `false` if there was none. */
  delete(key: Key<Data>): boolean {
    if (!this.has(key)) return false;
    return delete this.#change()[key];
  }

  /** Removes `key` and returns its value, or `fallback` if there was none. */
  pop<K extends Key<Data>>(key: K): Data[K] | undefined;
  pop<K extends Key<Data>, F>(key: K, fallback: F): Data[K] | F;
  pop(key: string, fallback?: unknown): unknown {
    const data = this.#read();
    if (!Object.hasOwn(data, key)) return fallback;
    const value = data[key];
    delete this.#change()[key];
    return value;
  }

  /** The value of `key`, after setting it to `value` if there was none. */
  setDefault<K extends Key<Data>>(key: K, value: Data[K]): Data[K] {
    if (!this.has(key)) this.set(key, value);
    return this.get(key) as Data[K];
  }

  /** Sets all keys of `values`, or none if one cannot be stored. */
  update(values: Partial<Data>): void {
    const entries = Object.entries(values);
    for (const [key, value] of entries) this.#assertStorable(key, value);
    this.#change();
    for (const [key, value] of entries) this.#put(key, value);
  }

  /** Removes all data, but not the session: that is `flush`. */
  clear(): void {
    replace(this.#change(), {});
  }

  // --- Expiry -------------------------------------------------------------------------------------------------------

  /**
   * When this session ends. A number: that many seconds after each save. A `Date` or a duration such as
   * `{ hours: 1 }`: at that instant. `0`: with the browser. `null`: by the global setting again. `Infinity`: never.
   *
   * `0` is about the cookie: the stored session still lives for the global age (Django's meaning).
   *
   * Throws `ERR_SESSION_VALUE` for anything else; and for an instant if the sessions are shared with a Django before 4.1
   * that keeps JSON, where it could not read it.
   */
  setExpiry(expiry: Expiry): void {
    const value = storedExpiry(expiry, this.#settings.now(), this.#settings, this.#engine.storedInstant);
    if (value !== undefined) put(this.#change(), EXPIRY_KEY, value);
    else if (Object.hasOwn(this.#read(), EXPIRY_KEY)) delete this.#change()[EXPIRY_KEY];
  }

  /** Seconds until the session ends, counted from `modification` (default: now). */
  expiryAge(modification: Date = this.#settings.now()): number {
    return expiryAge(this.#read(), modification, this.#settings);
  }

  /** The instant at which the session ends if it is saved at `modification` (default: now). */
  expiryDate(modification: Date = this.#settings.now()): Date {
    return expiryDate(this.#read(), modification, this.#settings);
  }

  /** Whether the cookie ends with the browser. */
  expiresAtBrowserClose(): boolean {
    return expiresAtBrowserClose(this.#read(), this.#settings);
  }

  // --- The test cookie ----------------------------------------------------------------------------------------------

  /** Sets a key that only comes back if the browser accepts cookies. */
  setTestCookie(): void {
    put(this.#change(), TEST_COOKIE_NAME, TEST_COOKIE_VALUE);
  }

  testCookieWorked(): boolean {
    return this.get(TEST_COOKIE_NAME as Key<Data>) === TEST_COOKIE_VALUE;
  }

  deleteTestCookie(): void {
    this.delete(TEST_COOKIE_NAME as Key<Data>);
  }

  // --- What reaches the store ---------------------------------------------------------------------------------------

  /**
   * Logs out: deletes the stored session at once, and the cookie with the response. Requests still running with this
   * session cannot bring it back.
   */
  flush(): Promise<void> {
    return this.#exclusively(async () => {
      this.#accessed = true;
      const tokens = this.#stored ? [this.#stored.token] : this.#presented;
      // A logout that failed has changed nothing: its cookie must not go.
      for (const token of tokens) await this.#engine.delete(token, this.#budget);
      replace(this.#change(), {});
      this.#stored = null;
      this.#base = null;
      this.#startedAt = undefined;
      this.#dropped = false;
    });
  }

  /**
   * Moves the session to a new key and keeps its data: call it at login and at every other change of rights, against
   * session fixation. The old key is dead when it resolves.
   */
  cycleKey(): Promise<void> {
    return this.#exclusively(async () => {
      this.#change();
      await this.#write((saving) =>
        this.#stored
          ? this.#engine.cycle(this.#stored, this.#data, saving, this.#reconcile)
          : this.#engine.create(this.#data, saving),
      );
    });
  }

  /** Saves now instead of with the response. Resolves when the store has acknowledged. */
  save(): Promise<void> {
    return this.#exclusively(async () => {
      this.#accessed = true;
      await this.#save(this.#reconcile);
    });
  }

  // --- For the lifecycle --------------------------------------------------------------------------------------------

  /** @internal Whether there is something that the store does not have. */
  get unsaved(): boolean {
    return this.#unsaved || this.#changedInPlace();
  }

  /** @internal Whether the store has acknowledged a write in this request. */
  get saved(): boolean {
    return this.#saved;
  }

  /** @internal From here on a change could not reach the browser or the store, so it throws. */
  close(): void {
    this.#closed = true;
  }

  /** @internal Makes it nobody's session, for reading only. */
  closeUnavailable(reason: SessionError): this {
    this.#unavailable = reason;
    this.close();
    return this;
  }

  /** @internal Whether it was deleted meanwhile and its changes are lost: of its cookie we know nothing better. */
  get dropped(): boolean {
    return this.#dropped;
  }

  /** @internal Whether an operation on the store is under way, one that the handler did not await for example. */
  get busy(): boolean {
    return this.#running > 0;
  }

  /**
   * @internal The last operation, with the response, after those that the handler did not await, whose failure is the
   * response's. Closed from its beginning: what is changed while the store works would come too late, and throws.
   */
  finish(mustSave: () => boolean): Promise<void> {
    this.#failure = undefined;
    return this.#enqueue(async () => {
      if (this.#failure) throw this.#failure;
      const save = mustSave();
      this.close();
      if (save) await this.#save(this.#reconcile);
    });
  }

  /** @internal See `Sessions.transact`. */
  transact<T>(body: (session: this) => T | Promise<T>): Promise<T> {
    return this.#exclusively(async () => {
      if (this.unsaved) await this.#save(this.#reconcile);
      let before = copy(this.#data);
      try {
        let result = await this.#attempt(body);
        if (!this.unsaved) return result;
        await this.#save(async (mine, _base, theirs) => {
          if (theirs === null) throw interrupted();
          replace(mine, theirs);
          before = copy(theirs);
          result = await this.#attempt(body);
          // This is what is stored now; the response has nothing to add.
          this.#base = copy(mine);
          this.#unsaved = false;
        });
        return result;
      } catch (error) {
        // Taken back also where nobody knows whether it was stored: saved once more with the response, it would count
        // twice, or undo what others did to it meanwhile.
        replace(this.#data, before);
        this.#base = before;
        this.#unsaved = false;
        throw error;
      }
    });
  }

  /** One run of a transaction's body. */
  async #attempt<T>(body: (session: this) => T | Promise<T>): Promise<T> {
    this.#base = copy(this.#data);
    this.#transaction = true;
    try {
      return await body(this);
    } finally {
      this.#transaction = false;
    }
  }

  async #save(reconcile: Reconcile): Promise<void> {
    await this.#write((saving) =>
      this.#stored
        ? this.#engine.update(this.#stored, this.#data, saving, reconcile)
        : this.#engine.create(this.#data, saving),
    );
  }

  async #write(operation: (saving: Saving) => Promise<StoredSession>): Promise<void> {
    if (this.#dropped) return;
    const now = this.#settings.now();
    // Reset before, not after: what changes while the store works must be saved again.
    this.#unsaved = false;
    try {
      this.#stampStart(now);
      if (this.#base) this.#base = copy(this.#data);
      const expiresAt = (data: SessionData) => expiryDate(data, now, this.#settings);
      const stored = await operation({ now, expiresAt, budget: this.#budget });
      // A session that no browser would keep is not saved; it must fail here, where the handler can see it.
      tokenCookies(this.#settings.cookieName, stored.token, this.#engine.maxCookies);
      this.#stored = stored;
      this.#saved = true;
    } catch (error) {
      if (error === DROPPED) return;
      this.#unsaved = true;
      throw error;
    }
  }

  /** A session of limited length says when it began; `clear()` and its like do not make it begin again. */
  #stampStart(now: Date): void {
    if (this.#settings.absoluteAge === null) return;
    this.#startedAt ??= Math.floor(now.getTime() / 1000);
    if (startOf(this.#data) !== this.#startedAt) put(this.#data, STARTED_KEY, this.#startedAt);
  }

  readonly #reconcile: Reconcile = (mine, base, theirs) => {
    if (theirs === null) return this.#reconcileGone(mine, base);
    const paths = merge(base, mine, theirs, this.#settings.onConflict);
    if (this.#base) this.#base = copy(mine);
    if (paths.length > 0) {
      report("sojourn:conflict", () => ({ session: fingerprint(this.#stored?.token ?? ""), paths }));
    }
  };

  #reconcileGone(mine: SessionData, base: SessionData): void {
    report("sojourn:interrupted", () => ({ session: fingerprint(this.#stored?.token ?? "") }));
    const { onInterrupted, now } = this.#settings;
    if (onInterrupted === "error") throw interrupted();
    keepChanges(base, mine);
    if (onInterrupted === "new" && Object.keys(mine).length > 0) {
      this.#startedAt = undefined;
      this.#stampStart(now());
      if (this.#base) this.#base = copy(mine);
      return;
    }
    replace(mine, {});
    this.#stored = null;
    this.#base = null;
    this.#dropped = true;
    throw DROPPED;
  }

  #exclusively<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#transaction) {
      throw new SessionError("ERR_SESSION_CLOSED", "Inside transact, change the data only: transact itself saves it.");
    }
    this.#assertOpen();
    return this.#enqueue(operation);
  }

  #enqueue<T>(operation: () => Promise<T>): Promise<T> {
    this.#running++;
    const result = this.#tail.then(operation).finally(() => {
      this.#running--;
    });
    this.#tail = result.catch((error) => {
      this.#failure = error;
    });
    return result;
  }

  /** The one way to the data for reading. */
  #read(): SessionData {
    this.#accessed = true;
    return this.#data;
  }

  /** The one way to the data for callers that may change it behind our back. */
  #handOut(): SessionData {
    this.#base ??= copy(this.#data);
    return this.#read();
  }

  /** The one way to the data for changing it. */
  #change(): SessionData {
    this.#assertOpen();
    this.#modified = true;
    this.#unsaved = true;
    return this.#read();
  }

  #changedInPlace(): boolean {
    return this.#base !== null && !equal(this.#base, this.#data);
  }

  #assertOpen(): void {
    if (!this.#closed) return;
    throw (
      this.#unavailable ??
      new SessionError(
        "ERR_SESSION_CLOSED",
        "The session was changed after its response had begun, too late to be saved with it. Change it earlier, or use sessions.transact(key, fn).",
      )
    );
  }

  #assertStorable(key: unknown, value: unknown): asserts key is string {
    if (typeof key !== "string") {
      throw new SessionError("ERR_SESSION_VALUE", `A session's keys are strings, not ${typeof key}.`);
    }
    this.#engine.assertValue(value, key);
  }

  /** The caller keeps a reference to an object it sets, and may change it after the next save. */
  #put(key: string, value: unknown): void {
    if (typeof value === "object" && value !== null) this.#handOut();
    put(this.#change(), key, value);
  }
}
