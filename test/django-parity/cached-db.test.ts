import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, test } from "node:test";
import type { SessionEvents } from "../../src/core/events.ts";
import { fingerprint } from "../../src/core/key.ts";
import { resolveDjangoSettings } from "../../src/django.ts";
import { freePort, until } from "../support/servers/server.ts";
import { enginesWithDatabase } from "./engines.ts";
import { overlongKey } from "./overlong-key.ts";
import { connected, SECRET_KEY } from "./parity-engine.ts";
import { rawSql } from "./raw-sql.ts";
import { type ParityCases, stored } from "./session-cases.ts";

/* Django's CacheDBSessionTests. */

const nowhere = `redis://127.0.0.1:${await freePort()}`;

const cachedDbCases: ParityCases = {
  "test_exists_searches_cache_first: the database is not asked, where both sides share the cache": async (engine) => {
    const { engine: django } = engine.resolved;
    const isFoundWithoutRow = async () => {
      const { key } = await stored(engine, {});
      await rawSql(django.store!.url, `DELETE FROM django_session WHERE session_key = '${key}'`);
      return engine.sessions().exists(key!);
    };
    const isShared = django.name === "cached_db" && django.cache.url !== "memory:";
    // Of a busy machine's cache the store may have had no answer in time.
    if (isShared) await until(isFoundWithoutRow, "the cache");
    else assert.equal(await isFoundWithoutRow(), false);
  },
  "test_load_overlong_key: is no session, and reaches no store": overlongKey,
  "test_non_default_cache: the alias must be one of CACHES": ({ django }) => {
    assert.throws(() => resolveDjangoSettings({ SECRET_KEY, ...django, SESSION_CACHE_ALIAS: "sessions" }), {
      code: "ERR_CONFIG",
      message: 'CACHES has no "sessions", the SESSION_CACHE_ALIAS.',
    });
  },
};

/** What Django logs as "Error saving to cache" is an event here. */
const failingCases: ParityCases = {
  "test_cache_set_failure_non_fatal: a cache that fails is reported, and the database has the session": async (
    engine,
  ) => {
    const failures: SessionEvents["sojourn:cache-failed"][] = [];
    const listen = (event: unknown) => void failures.push(event as (typeof failures)[number]);
    subscribe("sojourn:cache-failed", listen);
    const session = await engine.session();
    session.set("key", "val");
    await session.save().finally(() => unsubscribe("sojourn:cache-failed", listen));
    assert.equal((await engine.session(session.key)).get("key"), "val");
    assert.equal(failures.length, 1);
    assert.equal(failures[0]!.session, fingerprint(session.key!));
    assert.match(failures[0]!.error, /ECONNREFUSED/);
  },
};

for (const [name, django] of Object.entries(enginesWithDatabase("cached_db"))) {
  describe(name, () => {
    const engine = connected(django);
    for (const [rule, body] of Object.entries(cachedDbCases)) test(rule, () => body(engine()));
  });

  describe(`${name}, with a cache that fails`, () => {
    const cache = { BACKEND: "django.core.cache.backends.redis.RedisCache", LOCATION: nowhere };
    const engine = connected({ ...django, CACHES: { default: cache } });
    for (const [rule, body] of Object.entries(failingCases)) test(rule, () => body(engine()));
  });
}
