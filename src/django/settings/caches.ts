import { type DjangoCacheCodecOptions, djangoCacheKeyPrefix } from "../cache-codec.ts";
import { type CompressorName, compressorOf } from "../compressors.ts";
import type { CacheLocation } from "./engine.ts";
import { redisUrl, sentinelUrl } from "./redis-url.ts";
import { hostAndPort, type SettingsDict, settingsDict, storeUrl, wrong } from "./settings-dict.ts";

type Cache = Pick<CacheLocation, "url" | "format">;

const BACKENDS: Readonly<Record<string, (cache: SettingsDict, django: SettingsDict) => Cache>> = {
  "django.core.cache.backends.locmem.LocMemCache": locMemCache,
  "django.core.cache.backends.redis.RedisCache": redisCache,
  "django_redis.cache.RedisCache": djangoRedisCache,
  "django.core.cache.backends.memcached.PyMemcacheCache": memcachedCache,
  "django.core.cache.backends.memcached.PyLibMCCache": memcachedCache,
};

/** What Django's own backends write. */
const PICKLE: DjangoCacheCodecOptions = { serializer: "pickle", protocol: 5 };

/** `CACHES[SESSION_CACHE_ALIAS]`, with Django's key for a session in it. */
export function cacheLocation(django: SettingsDict, engine: "cache" | "cached_db"): CacheLocation {
  const alias = django.text("SESSION_CACHE_ALIAS") ?? "default";
  // Django's default.
  const all = settingsDict(django.value("CACHES") ?? { default: { BACKEND: Object.keys(BACKENDS)[0] } }, "CACHES");
  if (all.value(alias) === undefined) throw wrong("CACHES", `has no ${JSON.stringify(alias)}, the SESSION_CACHE_ALIAS`);
  const cache = all.dict(alias);
  if (cache.text("BACKEND") === null) throw wrong(cache.name("BACKEND"), "is missing");
  const connect = cache.choice("BACKEND", BACKENDS);
  // The time-out is the session's, not the cache's.
  cache.ignore("TIMEOUT");
  if ((cache.value("KEY_FUNCTION") ?? null) !== null) {
    throw wrong(cache.name("KEY_FUNCTION"), "is a function of Python's, and cannot be honoured");
  }
  const keyPrefix = cache.text("KEY_PREFIX") ?? "";
  const version = cache.integer("VERSION") ?? 1;
  const { url, format } = connect(cache, django);
  cache.finish();
  return { url, format, prefix: djangoCacheKeyPrefix({ keyPrefix, version, engine }) };
}

/** Of this process alone, as Django's is of each of its processes. */
function locMemCache(cache: SettingsDict): Cache {
  cache.ignore("LOCATION");
  const options = cache.dict("OPTIONS");
  options.ignore("CULL_FREQUENCY");
  const maxEntries = options.integer("MAX_ENTRIES");
  options.finish();
  return { url: maxEntries === null ? "memory:" : `memory:?maxEntries=${maxEntries}`, format: PICKLE };
}

/** Django's own: of several servers it writes to the first, and so do we; the others are replicas for reading. */
function redisCache(cache: SettingsDict): Cache {
  const [url] = locations(cache, /[;,]/);
  const options = cache.dict("OPTIONS");
  const login = { user: options.text("username"), password: options.text("password"), db: options.integer("db") };
  options.ignore("max_connections", "parser_class", "pool_class", ...TIMEOUTS);
  if (options.value("serializer") !== undefined) {
    throw wrong(options.name("serializer"), "names a class of Python's, and cannot be honoured: only pickles can");
  }
  options.finish();
  return { url: redisUrl(url!, login, cache.name("LOCATION")), format: PICKLE };
}

const TIMEOUTS: readonly string[] = [
  "health_check_interval",
  "retry_on_timeout",
  "socket_connect_timeout",
  "socket_timeout",
];

/** The package django-redis. */
function djangoRedisCache(cache: SettingsDict, django: SettingsDict): Cache {
  const place = cache.name("LOCATION");
  const [first] = locations(cache, /,/);
  // Where keys are shown, not where they are made.
  cache.ignore("REVERSE_KEY_FUNCTION");
  const options = cache.dict("OPTIONS");
  const isSentinel = options.choice("CLIENT_CLASS", {
    "django_redis.client.DefaultClient": false,
    "django_redis.client.default.DefaultClient": false,
    "django_redis.client.SentinelClient": true,
    "django_redis.client.sentinel.SentinelClient": true,
  });
  const serializer = options.choice("SERIALIZER", {
    "django_redis.serializers.pickle.PickleSerializer": "pickle",
    "django_redis.serializers.json.JSONSerializer": "json",
  } as const);
  const compressor = djangoRedisCompressor(options);
  refuseIgnoredExceptions(options, "IGNORE_EXCEPTIONS");
  // The default of the option.
  if (options.value("IGNORE_EXCEPTIONS") === undefined)
    refuseIgnoredExceptions(django, "DJANGO_REDIS_IGNORE_EXCEPTIONS");
  const login = { user: options.text("USERNAME"), password: options.text("PASSWORD"), db: options.integer("DB") };
  const format = { serializer, compressor, protocol: pickleProtocol(options) };
  options.ignore(
    "CONNECTION_FACTORY",
    "CONNECTION_POOL_CLASS",
    "MAX_CONNECTIONS",
    "PARSER_CLASS",
    ...TIMEOUTS.map((key) => key.toUpperCase()),
  );
  const sentinels = options.value("SENTINELS");
  const sentinelLogin = options.dict("SENTINEL_KWARGS");
  const sentinelPassword = sentinelLogin.text("password");
  sentinelLogin.ignore("socket_timeout");
  sentinelLogin.finish();
  const pool = options.dict("CONNECTION_POOL_KWARGS");
  pool.ignore("max_connections", ...TIMEOUTS);
  pool.finish();
  options.finish();
  if (!isSentinel && sentinels === undefined) return { url: redisUrl(first!, login, place), format };
  // "redis://master-name/0": a name where the host stands elsewhere.
  const { hostname, pathname } = new URL(redisUrl(first!, login, place));
  const db = Number(pathname.slice(1));
  return {
    url: sentinelUrl(sentinels, hostname, { ...login, db, sentinelPassword }, options.name("SENTINELS")),
    format,
  };
}

function djangoRedisCompressor(options: SettingsDict): CompressorName {
  const name = options.name("COMPRESSOR");
  const given = options.value("COMPRESSOR");
  const missing = /^django_redis\.compressors\.(lz4|lzma)\./.exec(typeof given === "string" ? given : "")?.[1];
  if (missing !== undefined) {
    throw wrong(name, `${JSON.stringify(given)} is not supported: Node has no ${missing}; use its zlib, gzip or zstd`);
  }
  const compressor = options.choice("COMPRESSOR", {
    "django_redis.compressors.identity.IdentityCompressor": "identity",
    "django_redis.compressors.zlib.ZlibCompressor": "zlib",
    "django_redis.compressors.gzip.GzipCompressor": "gzip",
    "django_redis.compressors.zstd.ZStdCompressor": "zstd",
  } as const);
  // Refused here, where the setting's name is known.
  compressorOf(compressor, name);
  return compressor;
}

function refuseIgnoredExceptions(dict: SettingsDict, key: string): void {
  if (!dict.value(key)) return;
  throw wrong(dict.name(key), "turns an outage into empty sessions, which we never do; leave it out here");
}

/** django-redis writes pickle.DEFAULT_PROTOCOL: 4, until Python 3.14. -1 is the highest. */
function pickleProtocol(options: SettingsDict): 4 | 5 {
  const version = options.value("PICKLE_VERSION") ?? 4;
  if (version === 4 || version === 5) return version;
  if (version === -1) return 5;
  throw wrong(options.name("PICKLE_VERSION"), "must be 4, 5 or -1");
}

function memcachedCache(cache: SettingsDict): Cache {
  const servers = locations(cache, /[;,]/);
  const name = cache.name("LOCATION");
  if (servers.length > 1) {
    throw wrong(name, "has several servers, among which each client library chooses in its own way; give one");
  }
  const options = cache.dict("OPTIONS");
  // How Python's clients keep their connections.
  options.ignore(
    "allow_unicode_keys",
    "behaviors",
    "connect_timeout",
    "default_noreply",
    "ignore_exc",
    "max_pool_size",
    "min_compress_len",
    "no_delay",
    "pool_idle_timeout",
    "timeout",
    "use_pooling",
  );
  options.finish();
  const server = servers[0]!;
  const path = /^(?:unix:)?(\/.*)$/.exec(server)?.[1];
  if (path !== undefined) return { url: storeUrl({ scheme: "memcached", path }), format: PICKLE };
  const [, host, port = "11211"] = /^(?:inet6?:)?(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(server) ?? [];
  if (host === undefined) throw wrong(name, "must be host:port or unix:/path");
  return { url: storeUrl({ scheme: "memcached", address: hostAndPort(host, Number(port)) }), format: PICKLE };
}

/** LOCATION: one server, or several as a list or in one text. */
function locations(cache: SettingsDict, separator: RegExp): readonly string[] {
  const location = cache.value("LOCATION");
  const servers = typeof location === "string" ? location.split(separator) : location;
  if (Array.isArray(servers) && servers.length > 0 && servers.every((server) => typeof server === "string" && server)) {
    return servers.map((server: string) => server.trim());
  }
  throw wrong(cache.name("LOCATION"), "must name a server");
}
