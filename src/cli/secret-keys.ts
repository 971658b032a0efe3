import { assertSecretKey } from "../django/codec.ts";
import type { Values } from "./command.ts";
import { fault } from "./faults.ts";
import { parseSecretJson, readText } from "./input.ts";
import type { FileSettings } from "./source.ts";

export const SECRET_KEY_OPTIONS = {
  "secret-key-file": { type: "string", value: "FILE", help: "file with the secret key (or SOJOURN_SECRET_KEY)" },
  salt: { type: "string", value: "SALT", help: "only for a Django store class of another name than SessionStore" },
} as const;

/** Where the keys come from, in words, for every command's help. */
export const SECRET_KEY_NOTE =
  "The secret key is taken from --secret-key-file, else SOJOURN_SECRET_KEY, else the settings' SECRET_KEY; former keys from SOJOURN_SECRET_KEY_FALLBACKS (a JSON list), else the settings' SECRET_KEY_FALLBACKS.";

/** A secret key, and the words by which messages name it. */
export interface SecretKey {
  readonly key: string;
  readonly name: string;
}

/**
 * The secret key and its fallbacks, in Django's order. Never from an argument.
 *
 * What names one thing wins over what names many: the option, the variable, the settings file.
 */
export function secretKeys(
  options: Values<typeof SECRET_KEY_OPTIONS>,
  settings: FileSettings | null,
): readonly SecretKey[] {
  const secretKey = findSecretKey(options["secret-key-file"], settings);
  if (secretKey === null) {
    throw fault(
      "there is no secret key to verify with: set SOJOURN_SECRET_KEY, or use --secret-key-file or a settings file with SECRET_KEY",
    );
  }
  const keys = [secretKey, ...findFallbacks(settings)];
  for (const { key, name } of keys) assertSecretKey(key, name);
  return keys;
}

function findSecretKey(file: string | undefined, settings: FileSettings | null): SecretKey | null {
  if (file !== undefined) {
    const key = readText(file, "--secret-key-file").replace(/\r?\n$/, "");
    if (/[\r\n]/.test(key)) throw fault(`${file} must hold the secret key alone, on one line`);
    return { key, name: `the secret key in ${file}` };
  }
  const { SOJOURN_SECRET_KEY } = process.env;
  if (SOJOURN_SECRET_KEY) return { key: SOJOURN_SECRET_KEY, name: "SOJOURN_SECRET_KEY" };
  return settings && (settings.secretKey as unknown) !== ""
    ? { key: settings.secretKey, name: `SECRET_KEY of ${settings.path}` }
    : null;
}

function findFallbacks(settings: FileSettings | null): SecretKey[] {
  const variable = "SOJOURN_SECRET_KEY_FALLBACKS";
  const text = process.env[variable];
  if (text) return named(parseSecretJson(text, variable), variable, "");
  return settings ? named(settings.secretKeyFallbacks, "SECRET_KEY_FALLBACKS", ` of ${settings.path}`) : [];
}

function named(keys: unknown, list: string, where: string): SecretKey[] {
  if (!Array.isArray(keys) || keys.some((key) => typeof key !== "string")) {
    throw fault(`${list}${where} must be a list of strings`);
  }
  return keys.map((key: string, index) => ({ key, name: `${list}[${index}]${where}` }));
}

/** Which key signed, for programs. */
export function signedByKey(index: number): string {
  return index === 0 ? "secretKey" : `secretKeyFallbacks[${index - 1}]`;
}

/** Which key signed, for people. */
export function signerName(index: number, keys: readonly SecretKey[]): string {
  const { name } = keys[index]!;
  return index === 0 ? `the secret key (${name})` : `fallback key ${index} of ${keys.length - 1} (${name})`;
}

/** All of them, for people. */
export function keyNames(keys: readonly SecretKey[]): string {
  return keys.map(({ name }) => name).join(" or ");
}
