/** What happened, as the clients saw it. Cookies are numbered: a session key reaches no report. */

export type Operation =
  | "login"
  | "read"
  /** A page that does without its session while the store cannot be asked. */
  | "visit"
  /** Sets a key of its own. */
  | "write"
  /** Appends to a list, with `transact`. */
  | "increment"
  | "logout"
  /** A read without a cookie. */
  | "stranger"
  /** A page that does not touch the session. */
  | "untouched"
  /** A read with a cookie that was changed on the way. */
  | "forged";

/** What a page said about the session that it found. */
export interface Seen {
  readonly user: number;
  readonly nonce: number;
  readonly life: number;
  /** Whether the session's key was the one of the cookie, by its fingerprint. */
  readonly keyIsCookie: boolean;
  /** The numbers of the writes that it holds. */
  readonly writes: readonly number[];
  /** The numbers of the increments, in their order. */
  readonly increments: readonly number[];
}

export interface Exchange {
  readonly operation: Operation;
  readonly user: number;
  /** Milliseconds since the load began. */
  readonly start: number;
  readonly end: number;
  /** The number of the cookie that was sent. */
  readonly cookie: number | null;
  /** The number of a write or an increment, or the nonce of a login. */
  readonly mark: number | null;
  /** `null`: no answer, or half of one. */
  readonly status: number | null;
  readonly setCookie: number | "deleted" | null;
  readonly retryAfter: boolean;
  readonly seen: Seen | null;
}

/** The span of the fault, on the clock of the exchanges. */
export interface Span {
  readonly begin: number;
  /** When the servers could answer again. */
  readonly end: number;
}

/** Session requests: those that need the store. */
export function needsStore({ operation, cookie }: Exchange): boolean {
  return cookie !== null ? operation !== "untouched" && operation !== "visit" : operation === "login";
}
