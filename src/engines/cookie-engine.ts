import type { Saving, SessionCodec, SessionData, SessionEngine, StoredSession } from "../core/contracts.ts";
import { SessionError } from "../core/errors.ts";
import { MAX_COOKIES } from "../core/token-cookies.ts";

export interface CookieEngineOptions {
  /**
   * Cookies that one session may fill, 1 to 3: about 4 KB each, `sessionid`, `sessionid.1`, `sessionid.2`. Default 1.
   * Django reads only what fits one. nginx and Apache refuse requests with more than 8 KB of cookies unless told otherwise.
   */
  readonly chunks?: number | undefined;
}

/** Characters that need no quotes in a cookie; see `cookie.ts`. */
const TOKEN = /^[\w.:-]+$/;

/** More than a store's session key has: one that is left over from before is known to be dead. */
const MIN_TOKEN_LENGTH = 33;

/** What browsers keep in all cookies together. */
const MAX_TOKEN_LENGTH = MAX_COOKIES * 4096;

/**
 * Sessions kept in the cookie itself: nothing at the server, for little data of little weight.
 *
 * What that means: of parallel requests the last response wins; a cookie that was copied before a logout stays good
 * until the session would have ended; nobody can list or end the sessions of a user. Where one of these matters, keep
 * sessions in a store. A session over 4 KB is `ERR_SESSION_TOO_LARGE` when it is saved.
 *
 * Throws `ERR_CONFIG` for a codec that does not protect its text and record the time of writing.
 *
 * @param codec `encryptedCodec`, or `djangoCookieCodec` to share the cookie with Django
 * @example createSessions({ engine: cookieEngine(encryptedCodec({ secretKey: process.env.SECRET_KEY })) })
 */
export function cookieEngine(codec: SessionCodec, { chunks = 1 }: CookieEngineOptions = {}): SessionEngine {
  if (!(Number.isInteger(chunks) && chunks >= 1 && chunks <= MAX_COOKIES)) {
    throw new SessionError("ERR_CONFIG", `cookieEngine: chunks must be a whole number from 1 to ${MAX_COOKIES}.`);
  }
  const sample = codec.encode({}, new Date(0));
  if (typeof sample !== "string" || !TOKEN.test(sample) || !codec.decode(sample)?.savedAt) {
    throw new SessionError(
      "ERR_CONFIG",
      "cookieEngine needs a codec that signs or encrypts text for a cookie, with the time of writing: encryptedCodec or djangoCookieCodec.",
    );
  }

  function write(data: SessionData, { now, expiresAt }: Saving, origin?: unknown): StoredSession {
    // Refuses an expiry that nobody could read again.
    expiresAt(data);
    const token = codec.encode(data, now, origin) as string;
    return { token, payload: token, origin };
  }

  return {
    maxCookies: chunks,
    isEncrypted: codec.isEncrypted,
    isToken: (value) => value.length >= MIN_TOKEN_LENGTH && value.length <= MAX_TOKEN_LENGTH && TOKEN.test(value),
    async load(token) {
      const decoded = codec.decode(token);
      return decoded?.savedAt ? { token, payload: token, origin: decoded.origin, ...decoded } : "corrupted";
    },
    create: async (data, saving) => write(data, saving),
    update: async ({ origin }, data, saving) => write(data, saving, origin),
    cycle: async ({ origin }, data, saving) => write(data, saving, origin),
    async delete() {},
    deleteExpired: async () => 0,
    assertValue: codec.assertValue,
  };
}
