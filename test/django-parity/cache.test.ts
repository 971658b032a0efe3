import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { connect } from "../../src/connect.ts";
import type { DjangoSettings } from "../../src/django.ts";
import { ENGINES } from "./engines.ts";
import { overlongKey } from "./overlong-key.ts";
import { connected, type ParityEngine } from "./parity-engine.ts";
import type { ParityCases } from "./session-cases.ts";

/* Django's CacheSessionTests. */

const LOCMEM = { BACKEND: "django.core.cache.backends.locmem.LocMemCache" };

const cacheCases: ParityCases = {
  "test_load_overlong_key: is no session, and reaches no store": overlongKey,
  "test_default_cache: the session is in the default cache, under Django's key": async (engine) => {
    const session = await engine.session();
    await session.save();
    assert.equal(await isThere(engine, ":1:django.contrib.sessions.cache", session.key), true);
  },
  "test_create_and_save: cycleKey() creates, save() stores": async (engine) => {
    const session = await engine.session();
    await session.cycleKey();
    const created = session.key;
    await session.save();
    assert.equal(session.key, created);
    assert.equal(await isThere(engine, ":1:django.contrib.sessions.cache", created), true);
  },
};

/** The default cache is the same server under another KEY_PREFIX. */
const aliasCases: ParityCases = {
  "test_non_default_cache: the session is in the cache of SESSION_CACHE_ALIAS only": async (engine) => {
    const session = await engine.session();
    await session.save();
    assert.equal(await isThere(engine, "default:1:django.contrib.sessions.cache", session.key), false);
    assert.equal(await isThere(engine, ":1:django.contrib.sessions.cache", session.key), true);
  },
};

for (const [name, django] of Object.entries(ENGINES).filter(([engine]) => engine.startsWith("cache on"))) {
  const { SESSION_CACHE_ALIAS = "default", CACHES = {} } = django;
  const cache = CACHES[SESSION_CACHE_ALIAS] ?? LOCMEM;
  const cases: [DjangoSettings, ParityCases][] = [
    [{ ...django, CACHES: { default: cache }, SESSION_CACHE_ALIAS: "default" }, cacheCases],
    [
      {
        ...django,
        CACHES: { default: { ...cache, KEY_PREFIX: "default" }, sessions: cache },
        SESSION_CACHE_ALIAS: "sessions",
      },
      aliasCases,
    ],
  ];
  for (const [settings, rules] of cases) {
    describe(`${name}, alias ${settings.SESSION_CACHE_ALIAS}`, () => {
      const engine = connected(settings);
      for (const [rule, body] of Object.entries(rules)) test(rule, () => body(engine()));
    });
  }
}

/** Asks the server itself, or, where there is none, the store. */
async function isThere({ resolved, store }: ParityEngine, prefix: string, key: string | null): Promise<boolean> {
  const { url, prefix: ours } = resolved.engine.store!;
  if (url === "memory:") return prefix === ours && (await store!.load(key!)) !== null;
  const server = await connect(url, { prefix: "" });
  try {
    return (await server.load(prefix + key)) !== null;
  } finally {
    await server.close();
  }
}
