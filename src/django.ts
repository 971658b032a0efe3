import { connect } from "./connect.ts";
import { createSessions, type Sessions } from "./core/sessions.ts";
import { assertSecretKey, djangoCodec } from "./django/codec.ts";
import { type DjangoSettings, resolveDjangoSettings } from "./django/settings.ts";
import { storeEngine } from "./engines/store-engine.ts";

export { type DjangoCodecOptions, djangoCodec, legacyDjangoCodec } from "./django/codec.ts";
export { parse as parsePythonJson, stringify as stringifyPythonJson } from "./django/python-json.ts";
export { type DjangoSettings, type ResolvedDjangoSettings, resolveDjangoSettings } from "./django/settings.ts";

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
  const { secretKey, secretKeyFallbacks, storeUrl, settings } = resolveDjangoSettings(django);
  assertSecretKey(secretKey, "SECRET_KEY");
  for (const [index, key] of secretKeyFallbacks.entries()) assertSecretKey(key, `SECRET_KEY_FALLBACKS[${index}]`);
  const codec = djangoCodec({ secretKey, secretKeyFallbacks });
  return createSessions<Data>(storeEngine(await connect(storeUrl), codec), settings);
}
