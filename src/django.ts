import { type ConnectedStore, connect } from "./connect.ts";
import type { SessionEngine } from "./core/contracts.ts";
import { createSessions, type Sessions } from "./core/sessions.ts";
import type { SessionSettings } from "./core/settings.ts";
import { djangoCacheCodec } from "./django/cache-codec.ts";
import { assertSecretKey, djangoCodec, djangoCookieCodec } from "./django/codec.ts";
import { djangoExpiry } from "./django/expiry.ts";
import type { DjangoEngine } from "./django/settings/engine.ts";
import { type DjangoSettings, type ResolvedDjangoSettings, resolveDjangoSettings } from "./django/settings/resolve.ts";
import { cookieEngine } from "./engines/cookie-engine.ts";
import { storeEngine } from "./engines/store-engine.ts";
import { cachedStore } from "./stores/cached/store.ts";

export { type DjangoCacheCodecOptions, djangoCacheCodec, djangoCacheKeyPrefix } from "./django/cache-codec.ts";
export { type DjangoCodecOptions, djangoCodec, djangoCookieCodec, legacyDjangoCodec } from "./django/codec.ts";
export type { PythonValue } from "./django/pickle/shapes.ts";
export { parse as parsePythonJson, stringify as stringifyPythonJson } from "./django/python-json.ts";
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
): Promise<Sessions<Data>> {
  const resolved = resolveDjangoSettings(django);
  const { engine } = await connectDjango(resolved);
  return createSessions<Data>(engine, resolved.settings);
}

/** Django's engine, composed and connected. */
export interface ConnectedDjango {
  readonly engine: SessionEngine;
  /** Where its sessions are; `null` for signed cookies. */
  readonly store: ConnectedStore | null;
}

/** What `fromDjangoSettings` does, for those who need the store as well. */
export async function connectDjango(resolved: ResolvedDjangoSettings): Promise<ConnectedDjango> {
  const { engine, secretKey, secretKeyFallbacks, settings } = resolved;
  assertSecretKey(secretKey, "SECRET_KEY");
  for (const [index, key] of secretKeyFallbacks.entries()) assertSecretKey(key, `SECRET_KEY_FALLBACKS[${index}]`);
  const secrets = { secretKey, secretKeyFallbacks };
  if (engine.name === "signed_cookies") return { engine: cookieEngine(djangoCookieCodec(secrets)), store: null };

  const store = await connectDjangoStore(engine, settings);
  if (engine.name === "cache") return { engine: storeEngine(store, djangoCacheCodec(engine.store.format)), store };
  const codec = djangoCodec(secrets);
  if (engine.name !== "cached_db") return { engine: storeEngine(store, codec), store };
  // As a pickle, which they are not: so Django finds them broken and asks the database, rather than take them for text.
  const cache = await connect(engine.cache.url, { prefix: engine.cache.prefix, flags: 1 });
  return {
    engine: storeEngine(cachedStore(cache, store), codec),
    store: {
      ...store,
      async close() {
        await Promise.all([cache.close(), store.close()]);
      },
    },
  };
}

/** The store that holds an engine's sessions; of `cached_db` the database, which is the truth. No secret is needed. */
export function connectDjangoStore(
  engine: Exclude<DjangoEngine, { name: "signed_cookies" }>,
  settings: SessionSettings,
): Promise<ConnectedStore> {
  const { url, prefix } = engine.store;
  return connect(url, {
    prefix,
    // Python's clients tell a pickle from other values by memcached's flags.
    flags: engine.name === "cache" && engine.store.format.serializer === "pickle" ? 1 : 0,
    expiryOf: djangoExpiry(settings),
  });
}
