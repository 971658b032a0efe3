import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DjangoSettings, djangoCodec, type ResolvedDjangoSettings, resolveDjangoSettings } from "sojourn/django";

/**
 * The demo's settings: those of the JSON file that `SOJOURN_SETTINGS` names, by Django's names; else a SQLite file in
 * `folder`. Where they have no `SECRET_KEY` it is `SOJOURN_SECRET_KEY`'s, else one that is made once and kept in
 * `folder`, so that sessions outlive a restart.
 *
 * Throws an error whose message says what to change. No message holds the secret.
 */
export function demoSettings(environment: NodeJS.ProcessEnv, folder: string): ResolvedDjangoSettings {
  const database = { ENGINE: "django.db.backends.sqlite3", NAME: join(folder, "sessions.sqlite3") };
  const path = environment.SOJOURN_SETTINGS;
  const given = path ? readSettings(path) : {};
  // Its files hold the secret and the session keys.
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const [secretKey, source] = findSecretKey(given, environment, join(folder, "secret-key"));
  assertSecretKey(secretKey, source);
  return resolveDjangoSettings({ DATABASES: { default: database }, ...given, SECRET_KEY: secretKey });
}

function readSettings(path: string): DjangoSettings {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new Error(`SOJOURN_SETTINGS=${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  let settings: unknown;
  try {
    settings = JSON.parse(text);
  } catch {
    // The parser's own message quotes the file, which may hold the secret.
    throw new Error(`SOJOURN_SETTINGS=${path} is not valid JSON.`);
  }
  if (typeof settings === "object" && settings !== null && !Array.isArray(settings)) return settings;
  throw new Error(`SOJOURN_SETTINGS=${path} is not a JSON object of settings.`);
}

/** The secret, and how a message names the place it came from. */
function findSecretKey(settings: DjangoSettings, environment: NodeJS.ProcessEnv, file: string): [string, string] {
  if (settings.SECRET_KEY !== undefined) return [settings.SECRET_KEY, "SECRET_KEY"];
  if (environment.SOJOURN_SECRET_KEY !== undefined) return [environment.SOJOURN_SECRET_KEY, "SOJOURN_SECRET_KEY"];
  if (!existsSync(file)) writeFileSync(file, `${randomBytes(48).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
  return [readFileSync(file, "utf8").trim(), file];
}

/** The codec knows what a good secret is, but not the name under which this one was given. */
function assertSecretKey(secretKey: string, source: string): void {
  try {
    djangoCodec({ secretKey });
  } catch (error) {
    throw new Error((error as Error).message.replace("secretKey", source));
  }
}
