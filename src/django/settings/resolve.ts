import { SessionError } from "../core/errors.ts";
import { resolveSettings, type SessionSettings } from "../core/settings.ts";
import { isPlainObject } from "../core/values.ts";

/** Settings of a Django project, by their own names and values. `null` is Python's `None`. */
export interface DjangoSettings {
  readonly SECRET_KEY?: string;
  readonly SECRET_KEY_FALLBACKS?: readonly string[];
  readonly SESSION_ENGINE?: string;
  readonly DATABASES?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly SESSION_COOKIE_NAME?: string;
  readonly SESSION_COOKIE_AGE?: number;
  readonly SESSION_COOKIE_DOMAIN?: string | null;
  readonly SESSION_COOKIE_PATH?: string;
  readonly SESSION_COOKIE_SECURE?: boolean;
  readonly SESSION_COOKIE_HTTPONLY?: boolean;
  readonly SESSION_COOKIE_SAMESITE?: "Lax" | "Strict" | "None" | false;
  readonly SESSION_SAVE_EVERY_REQUEST?: boolean;
  readonly SESSION_EXPIRE_AT_BROWSER_CLOSE?: boolean;
  readonly SESSION_SERIALIZER?: string;
  readonly USE_TZ?: boolean;
}

/** What the settings ask for, in this library's words. */
export interface ResolvedDjangoSettings {
  readonly secretKey: string;
  readonly secretKeyFallbacks: readonly string[];
  /** A URL for `connect`. */
  readonly storeUrl: string;
  readonly settings: SessionSettings;
}

/** Settings that mean one option each. */
const OPTIONS: Partial<Record<keyof DjangoSettings, keyof SessionSettings>> = {
  SESSION_COOKIE_NAME: "cookieName",
  SESSION_COOKIE_AGE: "cookieAge",
  SESSION_COOKIE_DOMAIN: "cookieDomain",
  SESSION_COOKIE_PATH: "cookiePath",
  SESSION_COOKIE_SECURE: "cookieSecure",
  SESSION_COOKIE_HTTPONLY: "cookieHttpOnly",
  SESSION_COOKIE_SAMESITE: "cookieSameSite",
  SESSION_SAVE_EVERY_REQUEST: "saveEveryRequest",
  SESSION_EXPIRE_AT_BROWSER_CLOSE: "expireAtBrowserClose",
  USE_TZ: "useTz",
};

const OTHERS: readonly string[] = [
  "SECRET_KEY",
  "SECRET_KEY_FALLBACKS",
  "SESSION_ENGINE",
  "DATABASES",
  "SESSION_SERIALIZER",
];

/**
 * Reads a Django project's settings. What cannot be honoured is refused by name, never ignored: `ERR_CONFIG`.
 *
 * Defaults are Django's; the database is the file `db.sqlite3`, as `startproject` has it.
 */
export function resolveDjangoSettings(django: DjangoSettings): ResolvedDjangoSettings {
  for (const name of Object.keys(django)) {
    if (!Object.hasOwn(OPTIONS, name) && !OTHERS.includes(name)) {
      throw wrong(name, `is not supported. Supported are ${[...OTHERS, ...Object.keys(OPTIONS)].join(", ")}`);
    }
  }
  // Defaults are for what is not given: `null` is a wrong value like any other.
  const { SESSION_ENGINE: engine = "django.contrib.sessions.backends.db" } = django;
  if (engine !== "django.contrib.sessions.backends.db") {
    throw wrong(
      "SESSION_ENGINE",
      `${JSON.stringify(engine)} is not supported; use "django.contrib.sessions.backends.db"`,
    );
  }
  const { SESSION_SERIALIZER: serializer = "django.contrib.sessions.serializers.JSONSerializer" } = django;
  if (serializer !== "django.contrib.sessions.serializers.JSONSerializer") {
    throw wrong("SESSION_SERIALIZER", `${JSON.stringify(serializer)} is not supported; use Django's JSONSerializer`);
  }
  const { SECRET_KEY: secretKey, SECRET_KEY_FALLBACKS: secretKeyFallbacks = [] } = django;
  if (typeof secretKey !== "string")
    throw wrong("SECRET_KEY", secretKey === undefined ? "is missing" : "must be a string");
  if (!Array.isArray(secretKeyFallbacks) || secretKeyFallbacks.some((key) => typeof key !== "string")) {
    throw wrong("SECRET_KEY_FALLBACKS", "must be a list of strings");
  }
  return {
    secretKey,
    secretKeyFallbacks,
    storeUrl: databaseUrl(django.DATABASES),
    settings: sessionSettings(django),
  };
}

function sessionSettings(django: DjangoSettings): SessionSettings {
  const options: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(OPTIONS)) options[option] = django[name as keyof DjangoSettings];
  try {
    return resolveSettings(options);
  } catch (error) {
    if (!(error instanceof SessionError)) throw error;
    // The reader knows Django's names.
    const message = Object.entries(OPTIONS).reduce(
      (text, [name, option]) => text.replaceAll(option, name),
      error.message,
    );
    throw new SessionError(error.code, message);
  }
}

function databaseUrl(databases: DjangoSettings["DATABASES"]): string {
  if (databases === undefined) return "sqlite:db.sqlite3";
  const database = isPlainObject(databases) ? databases.default : undefined;
  if (!isPlainObject(database)) throw wrong("DATABASES", 'must be an object with a "default"');
  const unknown = Object.keys(database).filter((name) => name !== "ENGINE" && name !== "NAME");
  if (database.ENGINE !== "django.db.backends.sqlite3") {
    throw wrong(
      "DATABASES.default.ENGINE",
      `${JSON.stringify(database.ENGINE)} is not supported; use "django.db.backends.sqlite3"`,
    );
  }
  if (unknown.length > 0) throw wrong(`DATABASES.default.${unknown[0]}`, "is not supported");
  if (typeof database.NAME !== "string" || database.NAME === "")
    throw wrong("DATABASES.default.NAME", "must be a path");
  return `sqlite:${database.NAME}`;
}

function wrong(name: string, problem: string): SessionError {
  return new SessionError("ERR_CONFIG", `${name} ${problem}.`);
}
