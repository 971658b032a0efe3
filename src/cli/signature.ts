import { type HashAlgorithm, legacyLoads, legacySigner, signer, timestampUnsign } from "../django/signing.ts";
import type { SecretKey } from "./secret-keys.ts";

/* Who signed a payload, and why it was none of the keys. */

export const STORE_SALT = "django.contrib.sessions.SessionStore";
export const COOKIE_SALT = "django.contrib.sessions.backends.signed_cookies";

/** What is said of anything that only a Django so old has written. */
export const BEFORE_31 =
  "of Django before 3.1, which Django 4 and later do not read either; with DJANGO_VERSION below 4.0 in the settings it is read";

/** What else Django signs so that it looks like a session. */
const MEANINGS: Readonly<Record<string, string>> = {
  [STORE_SALT]: "is a stored session's payload, as in a table or file, not a cookie: it was signed for that purpose",
  [COOKIE_SALT]: "is a cookie of Django's signed_cookies engine, not a stored session: it was signed for that purpose",
  [legacySalt(STORE_SALT)]: "was signed under the salt of Django before 3.1, and in the format of those after it",
  "django.core.signing": "was signed by Django's signing.dumps without a salt: it is no session",
};

/** How one key comes to be two: whoever wrote it down, or read it, took something off or put something on. */
const MISTAKES: readonly (readonly [how: string, mended: (key: string) => string])[] = [
  ["without the white space around it", (key) => key.trim()],
  ["with a line break at its end", (key) => `${key}\n`],
  ["without the quotes around it", (key) => key.trim().replace(/^(["'`])(.*)\1$/s, "$2")],
  ['with " around it', (key) => `"${key}"`],
  ["with ' around it", (key) => `'${key}'`],
  ["with its backslash escapes resolved", unescaped],
  ["with its special characters escaped by backslashes", (key) => JSON.stringify(key).slice(1, -1)],
  ["with $ for each $$", (key) => key.replaceAll("$$", () => "$")],
  ["with $$ for each $", (key) => key.replaceAll("$", () => "$$")],
];

export function isSigned(text: string, key: string, salt: string, algorithm: HashAlgorithm = "sha256"): boolean {
  return timestampUnsign(text, [signer(key, salt, algorithm)]) !== null;
}

/** @param text base64, as Django before 3.1 wrote it */
export function isLegacySigned(text: string, key: string, salt: string): boolean {
  return legacyLoads(text, [legacySigner(key, legacySalt(salt))]) !== null;
}

/** Why none of the keys signed the text, as the end of "The payload …"; `null` if no more can be said than that. */
export function whyNotSigned(text: string, keys: readonly SecretKey[], salt: string): string | null {
  if (keys.some(({ key }) => isSigned(text, key, salt, "sha1"))) {
    return `has the SHA-1 signature ${BEFORE_31}`;
  }
  const other = Object.keys(MEANINGS).find((known) => keys.some(({ key }) => isSigned(text, key, known)));
  if (other === STORE_SALT && salt !== COOKIE_SALT) return "was signed under Django's own salt: leave out --salt";
  return other === undefined ? whyOtherKey(keys, (key) => isSigned(text, key, salt)) : MEANINGS[other]!;
}

/** The mistake without which a key would verify, in the same words. */
export function whyOtherKey(keys: readonly SecretKey[], verifies: (key: string) => boolean): string | null {
  for (const { key, name } of keys) {
    const mistake = MISTAKES.find(([, mended]) => verifies(mended(key)));
    if (mistake) {
      return `was signed with ${name} ${mistake[0]}: one of the two servers does not get the key as it was meant. Make both the same, character by character`;
    }
  }
  return null;
}

/** Before Django 3.1 there was no dot. */
function legacySalt(salt: string): string {
  return salt.replace(/^(django\.contrib\.sessions)\./, "$1");
}

/** As Python and JSON read them. */
function unescaped(key: string): string {
  const named: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };
  return key.replace(/\\(?:u([\da-f]{4})|x([\da-f]{2})|(.))/gis, (_, u, x, char) =>
    char === undefined ? String.fromCharCode(Number.parseInt(u ?? x, 16)) : (named[char] ?? char),
  );
}
