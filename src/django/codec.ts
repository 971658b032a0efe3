import type { Decoded, Payload, SessionCodec } from "../core/contracts.ts";
import { SessionError } from "../core/errors.ts";
import { allSecretKeys } from "../core/secret-key.ts";
import { isPlainObject, MAX_BYTES, newData, replace } from "../core/values.ts";
import { parse, stringify } from "./python-json.ts";
import { dumps, equalInConstantTime, saltedHmac, signer, timestampUnsign, unfold } from "./signing.ts";

export { assertSecretKey } from "../core/secret-key.ts";

export interface DjangoCodecOptions {
  /** Django's SECRET_KEY: at least 32 characters. Signs what is written, and verifies what is read. */
  readonly secretKey: string;
  /** Django's SECRET_KEY_FALLBACKS: former keys, which still verify. */
  readonly secretKeyFallbacks?: readonly string[] | undefined;
  /**
   * `"django.contrib.sessions."` and the class name of Django's session store. Only a project with a store class of
   * another name needs it. Default `"django.contrib.sessions.SessionStore"`, all of Django's own engines.
   */
  readonly salt?: string | undefined;
}

/**
 * What Django 3.1 and later keep in `session_data`, in session files and in django-redis-sessions: JSON, compressed
 * where that helps, with a timestamp and an HMAC-SHA256 (`signing.dumps` of `SessionBase.encode`).
 *
 * Throws `ERR_CONFIG` for a missing or weak secret key.
 *
 * @example djangoCodec({ secretKey: process.env.SECRET_KEY })
 */
export function djangoCodec(options: DjangoCodecOptions): SessionCodec {
  const { salt = "django.contrib.sessions.SessionStore" } = options;
  const signers = allSecretKeys(options).map((key) => signer(key, salt));
  return {
    encode: (data, now, origin) => dumps(serialize(data, origin), now, signers[0]!, true),
    decode(payload) {
      const unsigned = timestampUnsign(asText(payload), signers);
      const json = unsigned && unfold(unsigned.value);
      return json === null ? null : decodeJson(json, unsigned!.signedAt);
    },
    assertValue,
  };
}

/**
 * What Django's `signed_cookies` engine puts into the cookie: the format of `djangoCodec` under the salt of that engine,
 * so that no payload of a table or file is ever taken for a cookie.
 *
 * Everyone can read such a cookie; nobody can change it. Throws `ERR_CONFIG` as `djangoCodec` does.
 *
 * @example cookieEngine(djangoCookieCodec({ secretKey: process.env.SECRET_KEY }))
 */
export function djangoCookieCodec(options: Pick<DjangoCodecOptions, "secretKey" | "secretKeyFallbacks">): SessionCodec {
  return djangoCodec({ ...options, salt: "django.contrib.sessions.backends.signed_cookies" });
}

/**
 * What Django before 3.1 kept, and 3.1 and 3.2 with `DEFAULT_HASHING_ALGORITHM = "sha1"`: base64 of a SHA-1 HMAC and
 * JSON. Django 4 and later cannot read it. A codec of its own, so that nothing falls back to it unasked.
 * Its default salt is `"django.contrib.sessionsSessionStore"`: then there was no dot.
 */
export function legacyDjangoCodec(options: DjangoCodecOptions): SessionCodec {
  const { salt = "django.contrib.sessionsSessionStore" } = options;
  const hmacs = allSecretKeys(options).map((key) => saltedHmac(salt, key, "sha1"));
  return {
    encode(data, _now, origin) {
      const json = serialize(data, origin);
      return Buffer.from(`${hmacs[0]!(json, "hex")}:${json}`).toString("base64");
    },
    decode(payload) {
      const text = Buffer.from(asText(payload), "base64").toString("latin1");
      const [signature, json] = [text.slice(0, 40), text.slice(41)];
      if (text[40] !== ":" || !hmacs.some((hmac) => equalInConstantTime(hmac(json, "hex"), signature))) return null;
      return decodeJson(json);
    },
    assertValue,
  };
}

/** The text, also where a store gave it back as bytes, for it is ASCII; nothing of what is too long to be ours. */
function asText(payload: Payload): string {
  if (payload.length > MAX_BYTES * 1.5) return "";
  if (typeof payload === "string") return payload;
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString("latin1");
}

function assertValue(value: unknown, path: string): void {
  if (typeof value !== "string") stringify(value, undefined, path);
}

function serialize(data: Record<string, unknown>, origin: unknown): string {
  const json = stringify(data, origin);
  if (json.length <= MAX_BYTES) return json;
  throw new SessionError(
    "ERR_SESSION_TOO_LARGE",
    `The session's data take ${json.length} bytes as JSON; ${MAX_BYTES} are allowed. Keep large things elsewhere, and their ids in the session.`,
  );
}

/** A session is a dict: Django would return a list or null as it is, and fail later. */
function decodeJson(json: string, savedAt?: Date): Decoded | null {
  try {
    const { value, origin } = parse(json);
    if (!isPlainObject(value)) return null;
    const data = newData();
    replace(data, value);
    return { data, origin, savedAt };
  } catch {
    return null;
  }
}
