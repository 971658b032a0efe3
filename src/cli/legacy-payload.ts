import { ANYONE, legacyLoads } from "../django/signing.ts";
import { readContents, SIGNED } from "./contents.ts";
import type { PayloadFormat } from "./payload.ts";
import { type Reading, unreadable } from "./reading.ts";
import { keyNames, type SecretKey } from "./secret-keys.ts";
import { BEFORE_31, isLegacySigned, STORE_SALT, whyOtherKey } from "./signature.ts";

/** Whether it has the form of Django before 3.1: base64 of `signature:data`, which has no colon itself. */
export function isLegacy(text: string): boolean {
  return !text.includes(":") && /^[0-9a-f]{40}:/.test(Buffer.from(text.slice(0, 64), "base64").toString("latin1"));
}

export function readLegacyPayload(
  text: string,
  keys: readonly SecretKey[],
  { salt = STORE_SALT, serializer = "json", readLegacy = false }: PayloadFormat,
): Reading {
  const signedBy = keys.findIndex(({ key }) => isLegacySigned(text, key, salt));
  const contents = readContents(legacyLoads(text, [ANYONE])!, SIGNED, serializer);
  const isGood = typeof contents !== "string";
  if (readLegacy && signedBy !== -1) {
    return isGood
      ? { verified: true, signedBy, signedAt: null, ...contents }
      : unreadable("contents", `is signed, but ${contents}`);
  }
  const why = signedBy === -1 ? whyOtherKey(keys, (key) => isLegacySigned(text, key, salt)) : null;
  const verdict =
    signedBy === -1
      ? `is not by ${keyNames(keys)}${why === null ? "" : `: it ${why}`}`
      : `is good, by ${keys[signedBy]!.name}${isGood ? "" : `, but it ${contents}`}`;
  return readLegacy
    ? unreadable("signature", `has the format of Django before 3.1, and its SHA-1 signature ${verdict}`)
    : unreadable("format", `has the format ${BEFORE_31}. Its SHA-1 signature ${verdict}`);
}
