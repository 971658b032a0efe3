import { tmpdir } from "node:os";
import { SessionError } from "../../core/errors.ts";
import { resolveSettings, type SessionSettings } from "../../core/settings.ts";
import { cacheLocation } from "./caches.ts";
import { databaseLocation, databaseTimeZone } from "./databases.ts";
import type { DjangoEngine } from "./engine.ts";
import { redisSessionsLocation } from "./redis-url.ts";
import { type SettingsDict, settingsDict, wrong } from "./settings-dict.ts";

/** Settings of a Django project, by their own names and values. `null` is Python's `None`. */
export interface DjangoSettings {
  readonly SECRET_KEY?: string;
  readonly SECRET_KEY_FALLBACKS?: readonly string[];
  readonly SESSION_ENGINE?: string;
  readonly DATABASES?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly CACHES?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly SESSION_CACHE_ALIAS?: string;
  readonly SESSION_FILE_PATH?: string | null;
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
  readonly TIME_ZONE?: string;
  /** django-redis-sessions 0.6 and later. */
  readonly SESSION_REDIS?: Readonly<Record<string, unknown>>;
  readonly SESSION_REDIS_HOST?: string;
  readonly SESSION_REDIS_PORT?: number;
  readonly SESSION_REDIS_DB?: number;
  readonly SESSION_REDIS_PREFIX?: string;
  readonly SESSION_REDIS_PASSWORD?: string | null;
  readonly SESSION_REDIS_UNIX_DOMAIN_SOCKET_PATH?: string | null;
  readonly SESSION_REDIS_URL?: string | null;
  readonly SESSION_REDIS_SOCKET_TIMEOUT?: number;
  readonly SESSION_REDIS_RETRY_ON_TIMEOUT?: boolean;
  readonly SESSION_REDIS_SENTINEL_LIST?: readonly (readonly [host: string, port: number])[] | null;
  readonly SESSION_REDIS_SENTINEL_MASTER_ALIAS?: string | null;
  readonly SESSION_REDIS_SENTINEL_PASSWORD?: string | null;
}

/** What the settings ask for, in this library's words. */
export interface ResolvedDjangoSettings {
  readonly secretKey: string;
  readonly secretKeyFallbacks: readonly string[];
  readonly engine: DjangoEngine;
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

/** Of engines that may not be in use: then they are neither read nor refused. */
const OF_ENGINES: readonly string[] = ["DATABASES", "CACHES", "SESSION_CACHE_ALIAS", "SESSION_FILE_PATH"];

const BACKENDS = "django.contrib.sessions.backends";

const ENGINES: Readonly<Record<string, (django: SettingsDict, settings: SessionSettings) => DjangoEngine>> = {
  [`${BACKENDS}.db`]: (django) => ({ name: "db", store: databaseLocation(django.value("DATABASES")) }),
  [`${BACKENDS}.cache`]: (django) => ({ name: "cache", store: cache(django, "cache") }),
  [`${BACKENDS}.cached_db`]: (django) => ({
    name: "cached_db",
    store: databaseLocation(django.value("DATABASES")),
    cache: cache(django, "cached_db"),
  }),
  [`${BACKENDS}.file`]: (django, { cookieName }) => ({
    name: "file",
    store: { url: `file:${django.text("SESSION_FILE_PATH") ?? tmpdir()}`, prefix: cookieName },
  }),
  [`${BACKENDS}.signed_cookies`]: () => ({ name: "signed_cookies", store: null }),
  "redis_sessions.session": (django) => ({ name: "redis_sessions", store: redisSessionsLocation(django) }),
};

const JSON_SERIALIZERS: readonly unknown[] = [
  "django.contrib.sessions.serializers.JSONSerializer",
  "django.core.signing.JSONSerializer",
];

/**
 * Reads a Django project's settings. What cannot be honoured is refused by name, never ignored: `ERR_CONFIG`.
 *
 * Defaults are Django's; the database is the file `db.sqlite3`, as `startproject` has it.
 */
export function resolveDjangoSettings(django: DjangoSettings): ResolvedDjangoSettings {
  const dict = settingsDict(django, "");
  // Defaults are for what is not given: `null` is a wrong value like any other.
  const { SESSION_ENGINE = `${BACKENDS}.db`, SESSION_SERIALIZER = JSON_SERIALIZERS[0] } = django;
  if (!Object.hasOwn(ENGINES, SESSION_ENGINE)) {
    const known = Object.keys(ENGINES).join(", ");
    throw wrong("SESSION_ENGINE", `${JSON.stringify(SESSION_ENGINE)} is not supported; use one of ${known}`);
  }
  if (!JSON_SERIALIZERS.includes(SESSION_SERIALIZER)) {
    throw wrong(
      "SESSION_SERIALIZER",
      `${JSON.stringify(SESSION_SERIALIZER)} is not supported; use Django's JSONSerializer`,
    );
  }
  const { SECRET_KEY: secretKey, SECRET_KEY_FALLBACKS: secretKeyFallbacks = [] } = django;
  if (typeof secretKey !== "string") {
    throw wrong("SECRET_KEY", secretKey === undefined ? "is missing" : "must be a string");
  }
  if (!Array.isArray(secretKeyFallbacks) || secretKeyFallbacks.some((key) => typeof key !== "string")) {
    throw wrong("SECRET_KEY_FALLBACKS", "must be a list of strings");
  }
  const settings = sessionSettings(django);
  const engine = ENGINES[SESSION_ENGINE]!(dict, settings);
  assertTimeZone(django, engine);
  dict.ignore("SECRET_KEY", "SECRET_KEY_FALLBACKS", "SESSION_ENGINE", "SESSION_SERIALIZER", "TIME_ZONE");
  dict.ignore(...Object.keys(OPTIONS), ...OF_ENGINES);
  if (engine.name !== "redis_sessions")
    dict.ignore(...Object.keys(django).filter((name) => /^SESSION_REDIS/.test(name)));
  dict.finish();
  return { secretKey, secretKeyFallbacks, engine, settings };
}

function cache(django: SettingsDict, engine: "cache" | "cached_db") {
  return cacheLocation(django.value("CACHES"), django.text("SESSION_CACHE_ALIAS") ?? "default", engine);
}

/**
 * Without USE_TZ, Django writes instants as the clocks of TIME_ZONE show them, twice in the hour in which summer time
 * ends. In UTC that is the same as with it.
 */
function assertTimeZone(
  { USE_TZ = true, TIME_ZONE = "America/Chicago", DATABASES }: DjangoSettings,
  engine: DjangoEngine,
): void {
  const isUtc = (zone: string) => /^(?:Etc\/)?(?:UTC|UCT|GMT|Zulu|Universal|Greenwich)$/.test(zone);
  if (!USE_TZ && !isUtc(TIME_ZONE)) {
    throw wrong(
      "USE_TZ",
      `false is supported with TIME_ZONE "UTC" only, and TIME_ZONE is ${JSON.stringify(TIME_ZONE)}`,
    );
  }
  const inDatabase = engine.name === "db" || engine.name === "cached_db" ? databaseTimeZone(DATABASES) : null;
  if (inDatabase !== null && !isUtc(inDatabase)) throw wrong("DATABASES.default.TIME_ZONE", 'must be "UTC"');
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
