import { SessionError } from "./errors.ts";

/** The keys of a codec that signs or encrypts. */
export interface SecretKeys {
  /** At least 32 characters. Protects what is written, and proves what is read. */
  readonly secretKey: string;
  /** Former keys, which still prove what is read. */
  readonly secretKeyFallbacks?: readonly string[] | undefined;
}

/** The secret key, then its fallbacks. Throws `ERR_CONFIG` for one that is missing or can be guessed. */
export function allSecretKeys({ secretKey, secretKeyFallbacks = [] }: SecretKeys): readonly string[] {
  if (!Array.isArray(secretKeyFallbacks))
    throw new SessionError("ERR_CONFIG", "secretKeyFallbacks must be a list of keys.");
  assertSecretKey(secretKey, "secretKey");
  for (const [index, key] of secretKeyFallbacks.entries()) assertSecretKey(key, `secretKeyFallbacks[${index}]`);
  return [secretKey, ...secretKeyFallbacks];
}

/** Throws `ERR_CONFIG` for a key that can be guessed. @param name how the key is called in the error */
export function assertSecretKey(key: unknown, name: string): void {
  if (typeof key === "string" && key.length >= 32 && new Set(key).size >= 5) return;
  throw new SessionError(
    "ERR_CONFIG",
    `${name} must be a string of at least 32 characters, and not a few repeated ones. Make one with: node -p "crypto.randomBytes(48).toString('base64url')"`,
  );
}
