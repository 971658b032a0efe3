import { tmpdir } from "node:os";
import { SessionError } from "../../core/errors.ts";
import { resolveSettings, type SessionSettings } from "../../core/settings.ts";
import { cacheLocation } from "./caches.ts";
import { databaseLocation, databaseTimeZone } from "./databases.ts";
import type { DjangoEngine } from "./engine.ts";
import { assertNames } from "./names.ts";
import { type PayloadFormat, payloadFormat, storedInstant } from "./payload-format.ts";
import { redisSessionsLocation } from "./redis-url.ts";
import { type SettingsDict, settingsDict, shown, wrong } from "./settings-dict.ts";
import { djangoVersion } from "./version.ts";

/** Settings of a Django project, by their own names and values. `null` is Python's `None`. */
export interface DjangoSettings {
  /** No setting: the project's Django, `django.get_version()`. Default: the newest. What it changes: docs/django-versions.md. */
  readonly DJANGO_VERSION?: string;
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
  readonly SESSION_COOKIE_SAMESITE?: "Lax" | "Strict" | "None" | false | null;
  readonly SESSION_SAVE_EVERY_REQUEST?: boolean;
  readonly SESSION_EXPIRE_AT_BROWSER_CLOSE?: boolean;
  readonly SESSION_SERIALIZER?: string;
  readonly USE_TZ?: boolean;
  readonly TIME_ZONE?: string;
  readonly DATABASE_ROUTERS?: readonly string[];
  /** Django 3.1 and 3.2. */
  readonly DEFAULT_HASHING_ALGORITHM?: string;
  /** django-redis. */
  readonly DJANGO_REDIS_IGNORE_EXCEPTIONS?: boolean;
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
  /** Of `session_data`, files, cookies and django-redis-sessions. */
  readonly format: PayloadFormat;
  /** As `SessionEngine.storedInstant`. */
  readonly storedInstant: ((iso: string) => unknown) | undefined;
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
const OF_ENGINES: readonly string[] = [
  "CACHES",
  "DATABASES",
  "DATABASE_ROUTERS",
  "DJANGO_REDIS_IGNORE_EXCEPTIONS",
  "SESSION_CACHE_ALIAS",
  "SESSION_FILE_PATH",
];

const BACKENDS = "django.contrib.sessions.backends";

const ENGINES: Readonly<Record<string, (django: SettingsDict, settings: SessionSettings) => DjangoEngine>> = {
  [`${BACKENDS}.db`]: (django) => ({ name: "db", store: databaseLocation(django) }),
  [`${BACKENDS}.cache`]: (django) => ({ name: "cache", store: cacheLocation(django, "cache") }),
  [`${BACKENDS}.cached_db`]: (django) => ({
    name: "cached_db",
    store: databaseLocation(django),
    cache: cacheLocation(django, "cached_db"),
  }),
  [`${BACKENDS}.file`]: (django, { cookieName }) => ({
    name: "file",
    store: { url: `file:${django.text("SESSION_FILE_PATH") ?? tmpdir()}`, prefix: cookieName },
  }),
  [`${BACKENDS}.signed_cookies`]: () => ({ name: "signed_cookies", store: null }),
  "redis_sessions.session": (django) => ({ name: "redis_sessions", store: redisSessionsLocation(django) }),
};

/**
 * Reads a Django project's settings: some of them, or all, as a dump has them. What is about sessions and cannot be
 * honoured is refused by name, never ignored: `ERR_CONFIG`. Settings of other things are not read.
 *
 * Defaults are Django's; the database is the file `db.sqlite3`, as `startproject` has it.
 */
export function resolveDjangoSettings(django: DjangoSettings): ResolvedDjangoSettings {
  const dict = settingsDict(django, "");
  const version = djangoVersion(dict.value("DJANGO_VERSION"));
  // Defaults are for what is not given: `null` is a wrong value like any other.
  const { SESSION_ENGINE = `${BACKENDS}.db` } = django;
  if (typeof SESSION_ENGINE !== "string" || !Object.hasOwn(ENGINES, SESSION_ENGINE)) {
    const known = Object.keys(ENGINES).join(", ");
    throw wrong("SESSION_ENGINE", `${shown(SESSION_ENGINE)} is not supported; use one of ${known}`);
  }
  const format = payloadFormat(dict, version);
  const keys = secretKeys(django);
  const { USE_TZ = version === null || version >= 500 } = django;
  const zoned = { ...django, USE_TZ };
  const settings = sessionSettings(zoned);
  const engine = ENGINES[SESSION_ENGINE]!(dict, settings);
  assertTimeZone(zoned, engine);
  dict.ignore("SECRET_KEY", "SECRET_KEY_FALLBACKS", "SESSION_ENGINE", "TIME_ZONE");
  dict.ignore(...Object.keys(OPTIONS), ...OF_ENGINES);
  if (engine.name !== "redis_sessions")
    dict.ignore(...Object.keys(django).filter((name) => /^SESSION_REDIS/.test(name)));
  assertNames(dict);
  return { ...keys, engine, format, storedInstant: storedInstant(engine, format, version), settings };
}

function secretKeys(django: DjangoSettings) {
  const { SECRET_KEY: secretKey, SECRET_KEY_FALLBACKS: secretKeyFallbacks = [] } = django;
  if (secretKey === undefined) throw wrong("SECRET_KEY", "is missing");
  if (!isKeyText(secretKey)) throw wrong("SECRET_KEY", KEY_TEXT);
  if (!Array.isArray(secretKeyFallbacks) || !secretKeyFallbacks.every(isKeyText)) {
    throw wrong("SECRET_KEY_FALLBACKS", `must be a list, each of which ${KEY_TEXT}`);
  }
  return { secretKey, secretKeyFallbacks };
}

const KEY_TEXT = "must be a string, and not what Python prints for bytes: b'...'";

function isKeyText(key: unknown): key is string {
  return typeof key === "string" && !/^b(['"]).*\1$/s.test(key);
}

/**
 * Without USE_TZ, Django writes instants as the clocks of TIME_ZONE show them, twice in the hour in which summer time
 * ends. In UTC that is the same as with it.
 */
function assertTimeZone(
  { USE_TZ, TIME_ZONE = "America/Chicago", DATABASES }: DjangoSettings,
  engine: DjangoEngine,
): void {
  const isUtc = (zone: unknown) =>
    typeof zone === "string" && /^(?:Etc\/)?(?:UTC|UCT|GMT|Zulu|Universal|Greenwich)$/.test(zone);
  if (!USE_TZ && !isUtc(TIME_ZONE)) {
    throw wrong("USE_TZ", `false is supported with TIME_ZONE "UTC" only, and TIME_ZONE is ${shown(TIME_ZONE)}`);
  }
  const inDatabase = engine.name === "db" || engine.name === "cached_db" ? databaseTimeZone(DATABASES) : null;
  if (inDatabase !== null && !isUtc(inDatabase)) throw wrong("DATABASES.default.TIME_ZONE", 'must be "UTC"');
}

function sessionSettings(django: DjangoSettings): SessionSettings {
  const options: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(OPTIONS)) options[option] = django[name as keyof DjangoSettings];
  options.cookieSameSite = sameSite(django.SESSION_COOKIE_SAMESITE);
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

/** Django takes any case, and None for no attribute. */
function sameSite(value: unknown): unknown {
  if (value === null) return false;
  if (typeof value !== "string") return value;
  return ["Lax", "Strict", "None"].find((each) => each.toLowerCase() === value.toLowerCase()) ?? value;
}
