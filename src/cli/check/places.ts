import { type DjangoSettings, djangoCacheKeyPrefix, resolveDjangoSettings, type StoreLocation } from "../../django.ts";
import type { FileSettings } from "../source.ts";

/* Where else a session could be that is not where the settings say: in the places that two servers mix up. */

/** A store that is not the project's own. */
export interface Place extends StoreLocation {
  /** Where it is; completes "It is …". */
  readonly where: string;
  /** What to do if it is there. */
  readonly advice: string;
}

type Cached = StoreLocation & { readonly alias: string };

const BACKENDS = "django.contrib.sessions.backends";
const CACHE_ENGINES = ["cache", "cached_db"] as const;

/** Django projects seldom have another; and each costs a question. */
const VERSIONS: readonly number[] = [1, 2, 3];

/** Redis' own default. */
const REDIS_DATABASES = 16;

/** The likeliest first. */
export function places(settings: FileSettings): Place[] {
  const caches = cachesOf(settings.django);
  const all = [
    ...ownCache(settings),
    ...caches.flatMap(cachePlaces),
    ...databasePlaces(settings.django),
    ...redisSessionsPlaces(settings, caches),
    ...filePlaces(settings.django),
    ...redisDatabases(settings),
  ];
  const seen = new Set([place(settings.engine.store)]);
  return all.filter((each) => {
    const isNew = !seen.has(place(each)) && !each.url.startsWith("memory:");
    seen.add(place(each));
    return isNew;
  });
}

function place(location: StoreLocation | null): string {
  return JSON.stringify([location?.url, location?.prefix]);
}

/** The settings with some of them changed; `null` if they make no sense then. */
function resolved(django: DjangoSettings, changes: DjangoSettings) {
  try {
    return resolveDjangoSettings({ ...django, ...changes }).engine;
  } catch {
    return null;
  }
}

/** Every cache of the project, as the engine `cache` uses it. */
function cachesOf(django: DjangoSettings): Cached[] {
  return Object.keys(django.CACHES ?? {}).flatMap((alias) => {
    const engine = resolved(django, { SESSION_ENGINE: `${BACKENDS}.cache`, SESSION_CACHE_ALIAS: alias });
    return engine?.store ? [{ ...engine.store, alias }] : [];
  });
}

function ownCache({ engine }: FileSettings): Place[] {
  if (engine.name !== "cached_db") return [];
  const advice =
    "Somebody deleted its row alone, by SQL or in Django's admin for example: Django lets such a session live until it expires in the cache, and Node does not. End sessions with flush(), on either side";
  return [{ ...engine.cache, where: "in the cache of cached_db, and no longer in the database", advice }];
}

/** Under all names that Django may have made for it. */
function cachePlaces({ url, prefix = "", alias }: Cached): Place[] {
  const [, keyPrefix = "", digits] = /^(.*):(\d+):[^:]+$/s.exec(prefix) ?? [];
  const version = Number(digits);
  const names = [
    { keyPrefix, version, as: "", setting: "SESSION_ENGINE and SESSION_CACHE_ALIAS" },
    ...VERSIONS.map((other) => ({
      keyPrefix,
      version: other,
      as: ` and VERSION ${other}`,
      setting: "VERSION of the cache",
    })),
    { keyPrefix: "", version, as: " and no KEY_PREFIX", setting: "KEY_PREFIX of the cache" },
  ];
  return names.flatMap(({ as, setting, ...name }) =>
    CACHE_ENGINES.map((engine) => ({
      url,
      prefix: djangoCacheKeyPrefix({ engine, ...name }),
      where: `in the cache "${alias}" under the name of SESSION_ENGINE ${BACKENDS}.${engine}${as}`,
      advice: sameOf(setting),
    })),
  );
}

function databasePlaces(django: DjangoSettings): Place[] {
  const { default: main, ...others } = django.DATABASES ?? {};
  return Object.entries({ default: main, ...others }).flatMap(([alias, database]) => {
    if (!database) return [];
    const engine = resolved(django, { SESSION_ENGINE: `${BACKENDS}.db`, DATABASES: { default: database } });
    const advice =
      alias === "default" ? sameOf("SESSION_ENGINE") : `Make that database the "default" one in these settings`;
    return engine?.store ? [{ ...engine.store, where: `in the database "${alias}"`, advice }] : [];
  });
}

function filePlaces(django: DjangoSettings): Place[] {
  const engine = resolved(django, { SESSION_ENGINE: `${BACKENDS}.file` });
  return engine?.store ? [{ ...engine.store, where: "in a file", advice: sameOf("SESSION_ENGINE") }] : [];
}

/** Of django-redis-sessions, in any Redis that is known. */
function redisSessionsPlaces({ django, engine }: FileSettings, caches: readonly Cached[]): Place[] {
  const own = resolved(django, { SESSION_ENGINE: "redis_sessions.session" });
  const urls = [engine.store?.url, ...caches.map(({ url }) => url)].filter((url) => url?.startsWith("redis"));
  const prefixes = urls.flatMap((url) => ["session:", ""].map((prefix) => ({ url: url!, prefix })));
  const isUsed = Object.keys(django).some((name) => name.startsWith("SESSION_REDIS"));
  return [...(isUsed && own?.store ? [own.store] : []), ...prefixes].map((location) => ({
    ...location,
    where: `where django-redis-sessions keeps it${location.prefix ? ` with the prefix ${location.prefix.slice(0, -1)}` : " without a prefix"}`,
    advice: sameOf("SESSION_ENGINE and SESSION_REDIS, its prefix included,"),
  }));
}

/** The same name in the server's other databases. */
function redisDatabases({ engine }: FileSettings): Place[] {
  const location = engine.name === "cached_db" ? engine.cache : engine.store;
  if (!location || !/^rediss?:\/\//.test(location.url)) return [];
  return Array.from({ length: REDIS_DATABASES }, (_, database) => ({
    ...location,
    url: location.url.replace(/^(\w+:\/\/[^/?]*)\/\d*/, `$1/${database}`),
    where: `in database ${database} of that Redis`,
    advice: "Give both servers the same database number, at the end of the URL",
  }));
}

function sameOf(names: string): string {
  return `Give both servers the same ${names}`;
}
