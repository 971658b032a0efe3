const STATUS = {
  /** A setting or option is wrong. Thrown at construction, before any request. */
  ERR_CONFIG: 500,
  /** The session was deleted while the request ran, by a logout for example (Django's SessionInterrupted). */
  ERR_SESSION_INTERRUPTED: 400,
  /** Others kept changing the session for as long as we tried. */
  ERR_SESSION_CONFLICT: 503,
  /** The store failed or cannot be reached. Nothing is known of the session, and its cookie is left alone. */
  ERR_SESSION_UNAVAILABLE: 503,
  /** A value that the session's format cannot carry. The message names its path. */
  ERR_SESSION_VALUE: 500,
  /** More data than the format or the store takes. Nothing was written. */
  ERR_SESSION_TOO_LARGE: 500,
  /** The session was changed after its response had begun, or used inside its own transaction. */
  ERR_SESSION_CLOSED: 500,
} as const;

export type SessionErrorCode = keyof typeof STATUS;

/**
 * Every fault of this library. Tell them apart by `code`; messages are for people and never hold a session key, a
 * payload or a secret.
 *
 * `status`, `headers` and `expose` are the properties that Express, Koa and Fastify read from an error.
 *
 * @example
 * if (error instanceof SessionError && error.code === "ERR_SESSION_INTERRUPTED") redirectToLogin();
 */
export class SessionError extends Error {
  readonly code: SessionErrorCode;
  /** The HTTP status that answers it. */
  readonly status: number;
  /** Headers for the answer: `Retry-After` (in seconds) where trying again can help. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether `message` may be shown to the client. */
  readonly expose: boolean;

  constructor(code: SessionErrorCode, message: string, options?: ErrorOptions) {
    super(printable(message), options);
    this.name = "SessionError";
    this.code = code;
    this.status = STATUS[code];
    this.headers = this.status === 503 ? { "Retry-After": "5" } : {};
    this.expose = this.status === 400;
  }
}

/** Keys of the data stand in messages: none may forge a line of a log (OWASP ASVS 5.0, 16.4.1). */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
