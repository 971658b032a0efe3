import type { SessionCodec } from "../core/contracts.ts";
import { SessionError } from "../core/errors.ts";
import { allSecretKeys } from "../core/secret-key.ts";
import { type DjangoSerializer, deserialize, JSON_SERIALIZER, serialize } from "./serializers.ts";
import {
  dumps,
  legacyDumps,
  legacyLoads,
  legacySigner,
  payloadText,
  type Signer,
  signer,
  timestampUnsign,
  unfold,
} from "./signing.ts";

export { assertSecretKey } from "../core/secret-key.ts";

/** How the text of a payload is made, besides its keys. */
export interface DjangoPayloadFormat {
  /**
   * Django's SESSION_SERIALIZER. Default its JSONSerializer; `pickleSerializer()` is its PickleSerializer, which Django
   * 5.0 removed. A value, so that who has JSON loads no code for pickles.
   */
  readonly serializer?: DjangoSerializer | undefined;
  /**
   * Read what Django before 3.1 wrote, too: for migrations, and beside Django 3.1 and 3.2, which do the same. Default
   * `false`: its SHA-1 signatures are weaker than today's. What is written is today's format, always.
   */
  readonly readLegacy?: boolean | undefined;
}

export interface DjangoCodecOptions extends DjangoPayloadFormat {
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
 * Throws `ERR_CONFIG` for a missing or weak secret key, and for what is no serializer.
 *
 * @example djangoCodec({ secretKey: process.env.SECRET_KEY })
 */
export function djangoCodec(options: DjangoCodecOptions): SessionCodec {
  const { salt = "django.contrib.sessions.SessionStore", readLegacy = false } = options;
  const keys = allSecretKeys(options);
  if (!readLegacy) {
    const signers = keys.map((key) => signer(key, salt));
    return signedCodec(options, signers, []);
  }
  return signedCodec(
    options,
    // SHA-1 for cookies, which had today's form already.
    keys.flatMap((key) => [signer(key, salt), signer(key, salt, "sha1")]),
    // Then there was no dot.
    keys.map((key) => legacySigner(key, salt.replace(/^(django\.contrib\.sessions)\./, "$1"))),
  );
}

/**
 * What Django's `signed_cookies` engine puts into the cookie: the format of `djangoCodec` under the salt of that engine,
 * so that no payload of a table or file is ever taken for a cookie.
 *
 * Everyone can read such a cookie; nobody can change it. Throws `ERR_CONFIG` as `djangoCodec` does.
 *
 * @example cookieEngine(djangoCookieCodec({ secretKey: process.env.SECRET_KEY }))
 */
export function djangoCookieCodec(options: Omit<DjangoCodecOptions, "salt">): SessionCodec {
  return djangoCodec({ ...options, salt: "django.contrib.sessions.backends.signed_cookies" });
}

/**
 * What Django before 3.1 kept, and 3.1 and 3.2 with `DEFAULT_HASHING_ALGORITHM = "sha1"`: base64 of a SHA-1 HMAC and
 * JSON. Django 4 and later cannot read it. A codec of its own, so that nothing falls back to it unasked: to read it
 * beside today's format, `djangoCodec` has `readLegacy`.
 * Its default salt is `"django.contrib.sessionsSessionStore"`: then there was no dot.
 */
export function legacyDjangoCodec(options: Omit<DjangoCodecOptions, "readLegacy">): SessionCodec {
  const { salt = "django.contrib.sessionsSessionStore" } = options;
  const signers = allSecretKeys(options).map((key) => legacySigner(key, salt));
  const serializer = serializerOf(options);
  return {
    encode: (data, _now, origin) => legacyDumps(serialize(serializer, data, origin), signers[0]!),
    decode(payload) {
      const serialized = legacyLoads(payloadText(payload), signers);
      return serialized && deserialize(serializer, serialized);
    },
    assertValue: serializer.assertValue,
  };
}

/**
 * @param signers the first one signs
 * @param legacySigners of the format before Django 3.1; without any, that is not read
 */
export function signedCodec(
  format: DjangoPayloadFormat,
  signers: readonly Signer[],
  legacySigners: readonly Signer[],
): SessionCodec {
  const serializer = serializerOf(format);
  return {
    encode: (data, now, origin) => dumps(serialize(serializer, data, origin), now, signers[0]!, true),
    decode(payload) {
      const text = payloadText(payload);
      // Base64, which is all of the old format, has no colon.
      if (!text.includes(":")) {
        const serialized = legacyLoads(text, legacySigners);
        return serialized && deserialize(serializer, serialized);
      }
      const unsigned = timestampUnsign(text, signers);
      const serialized = unsigned && unfold(unsigned.value);
      return serialized && deserialize(serializer, serialized, unsigned.signedAt);
    },
    assertValue: serializer.assertValue,
  };
}

function serializerOf({ serializer = JSON_SERIALIZER }: DjangoPayloadFormat): DjangoSerializer {
  if (typeof serializer?.dumps === "function") return serializer;
  throw new SessionError("ERR_CONFIG", "serializer must be a serializer, such as pickleSerializer().");
}
