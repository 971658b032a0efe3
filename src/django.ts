import { type ConnectedStore, connect } from "./connect.ts";
import type { SessionEngine } from "./core/contracts.ts";
import { createSessions, type Sessions } from "./core/sessions.ts";
import type { SessionSettings } from "./core/settings.ts";
import { djangoCacheCodec } from "./django/cache-codec.ts";
import { djangoCacheEntries } from "./django/cache-entries.ts";
import { assertSecretKey, type DjangoPayloadFormat, djangoCodec, djangoCookieCodec } from "./django/codec.ts";
import { djangoExpiry } from "./django/expiry.ts";
import { pickleSerializer } from "./django/pickle-serializer.ts";
import type { DjangoEngine } from "./django/settings/engine.ts";
import { type DjangoSettings, type ResolvedDjangoSettings, resolveDjangoSettings } from "./django/settings/resolve.ts";
import { cookieEngine } from "./engines/cookie-engine.ts";
import { storeEngine } from "./engines/store-engine.ts";
import { type CachedStoreOptions, cachedStore } from "./stores/cached/store.ts";

export {
  type DjangoAuth,
  type DjangoAuthOptions,
  type DjangoPasswordField,
  type DjangoUser,
  djangoAuth,
} from "./django/auth.ts";
export { type DjangoCacheCodecOptions, djangoCacheCodec, djangoCacheKeyPrefix } from "./django/cache-codec.ts";
export { type DjangoCacheEntriesOptions, djangoCacheEntries } from "./django/cache-entries.ts";
export {
  type DjangoCodecOptions,
  type DjangoPayloadFormat,
  djangoCodec,
  djangoCookieCodec,
  legacyDjangoCodec,
} from "./django/codec.ts";
export type { PythonValue } from "./django/pickle/shapes.ts";
export { pickleSerializer } from "./django/pickle-serializer.ts";
export { parse as parsePythonJson, stringify as stringifyPythonJson } from "./django/python-json.ts";
export type { DjangoSerializer } from "./django/serializers.ts";
export type { CacheLocation, DjangoEngine, StoreLocation } from "./django/settings/engine.ts";
export {
  type DjangoSettings,
  type ResolvedDjangoSettings,
  resolveDjangoSettings,
} from "./django/settings/resolve.ts";

/**
 * The sessions of a Django project, from its settings by their own names and values.
 *
 * Throws `ERR_CONFIG`, naming the setting, for what is unknown, wrong or not supported.
 *
 * @example
 * const sessions = await fromDjangoSettings({
 *   SECRET_KEY: process.env.SECRET_KEY,
 *   DATABASES: { default: { ENGINE: "django.db.backends.sqlite3", NAME: "db.sqlite3" } },
 * });
 */
export async function fromDjangoSettings<Data extends object = Record<string, unknown>>(
  django: DjangoSettings,
): Promise<DjangoSessions<Data>> {
  const resolved = resolveDjangoSettings(django);
  const { engine, store } = await connectDjango(resolved);
  return { ...createSessions<Data>(engine, resolved.settings), close: async () => store?.close() };
}

export interface DjangoSessions<Data extends object> extends Sessions<Data> {
  /** Closes what `fromDjangoSettings` has opened. While it is open, the process does not end by itself. */
  close(): Promise<void>;
}

/** Django's engine, composed and connected. */
export interface ConnectedDjango {
  readonly engine: SessionEngine;
  /** Where its sessions are; `null` for signed cookies. */
  readonly store: ConnectedStore | null;
}

/**
 * What `fromDjangoSettings` does, for those who need the store as well.
 *
 * @param caching how `cached_db` uses its cache; as `cachedStore`
 */
export async function connectDjango(
  resolved: ResolvedDjangoSettings,
  caching: Pick<CachedStoreOptions, "maxAge" | "cacheTimeoutMs"> = {},
): Promise<ConnectedDjango> {
  const { engine, store } = await compose(resolved, caching);
  return { engine: { ...engine, storedInstant: resolved.storedInstant }, store };
}

async function compose(resolved: ResolvedDjangoSettings, caching: CachedStoreOptions): Promise<ConnectedDjango> {
  const { engine, secretKey, secretKeyFallbacks, format, settings } = resolved;
  assertSecretKey(secretKey, "SECRET_KEY");
  for (const [index, key] of secretKeyFallbacks.entries()) assertSecretKey(key, `SECRET_KEY_FALLBACKS[${index}]`);
  const signed = { secretKey, secretKeyFallbacks, ...payloadFormat(format) };
  if (engine.name === "signed_cookies") return { engine: cookieEngine(djangoCookieCodec(signed)), store: null };

  const store = await connectDjangoStore(engine, settings, format);
  if (engine.name === "cache") return { engine: storeEngine(store, djangoCacheCodec(engine.store.format)), store };
  const codec = djangoCodec(signed);
  if (engine.name !== "cached_db") return { engine: storeEngine(store, codec), store };
  // Django's memory is not ours: what one side changed, the other would not see.
  if (engine.cache.url.startsWith("memory:")) return { engine: storeEngine(store, codec), store };
  const { url, prefix, format: values } = engine.cache;
  const opened = [store];
  const close = async () => {
    await Promise.all(opened.map((each) => each.close()));
  };
  try {
    const cache = await connect(url, { prefix, flags: PICKLE_FLAG, now: settings.now });
    opened.push(cache);
    const entries = djangoCacheEntries({ codec, serializer: format.serializer, format: values });
    const cached = cachedStore(cache, store, { ...caching, entries, now: settings.now });
    return { engine: storeEngine(cached, codec), store: { ...store, close } };
  } catch (error) {
    // A cache that cannot be used, or an option that is wrong.
    await close();
    throw error;
  }
}

function payloadFormat({ serializer, readLegacy }: ResolvedDjangoSettings["format"]): DjangoPayloadFormat {
  return { serializer: serializer === "pickle" ? pickleSerializer() : undefined, readLegacy };
}

/** By memcached's flags Python's clients tell pickles from other values. */
const PICKLE_FLAG = 1;

/** The store that holds an engine's sessions; of `cached_db` the database, which is the truth. No secret is needed. */
export function connectDjangoStore(
  engine: Exclude<DjangoEngine, { name: "signed_cookies" }>,
  settings: SessionSettings,
  format: ResolvedDjangoSettings["format"],
): Promise<ConnectedStore> {
  const { url, prefix } = engine.store;
  return connect(url, {
    prefix,
    flags: engine.name === "cache" && engine.store.format.serializer === "pickle" ? PICKLE_FLAG : 0,
    expiryOf: djangoExpiry(settings, payloadFormat(format)),
    now: settings.now,
  });
}
