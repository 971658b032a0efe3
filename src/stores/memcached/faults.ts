import { SessionError } from "../../core/errors.ts";

/* What can be wrong with a memcached. It is said where; what the server said is not, for it may hold a key or a value. */

export function unavailable(where: string, what: string, cause?: unknown): SessionError {
  const options = cause === undefined ? {} : { cause };
  return new SessionError("ERR_SESSION_UNAVAILABLE", `memcached at ${where} ${what}`, options);
}

export function unusable(where: string, why: string): SessionError {
  return new SessionError("ERR_CONFIG", `memcached at ${where} ${why}`);
}

export function tooLarge(where: string, maxItemBytes?: number): SessionError {
  const limit = maxItemBytes === undefined ? "less" : `${maxItemBytes} bytes`;
  return new SessionError(
    "ERR_SESSION_TOO_LARGE",
    `The session is too large: memcached at ${where} takes ${limit} (-I).`,
  );
}

/** The faults that are one request's, and not the connection's. */
export function refusal(where: string, line: string): SessionError | undefined {
  if (line === "SERVER_ERROR object too large for cache") return tooLarge(where);
  if (!/^SERVER_ERROR out of memory/i.test(line)) return undefined;
  // Where nothing may be evicted (-M). memcached then removes what was to be replaced, so as not to serve it any more.
  return unavailable(where, "is out of memory, and may have dropped the session. Start it with a larger -m.");
}
