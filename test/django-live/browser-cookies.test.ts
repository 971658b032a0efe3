import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { DjangoSettings } from "../../src/django.ts";
import {
  type Answer,
  type DjangoSite,
  type NodeSite,
  type Site,
  siteSettings,
  startDjangoSite,
  startNodeSite,
  type Visitor,
  visitor,
} from "../support/django/site.ts";
import type { DjangoVersion } from "../support/django/versions.ts";
import { DJANGO_ENGINES } from "../support/django-engines.ts";
import { until } from "../support/servers/server.ts";

/* A Django site and a Node server behind one browser cookie, on every engine that they can share. */

const CACHE = "django.contrib.sessions.backends.cache";
const onDjangoRedis = DJANGO_ENGINES["cache on django-redis with JSON"]!;
const onMemcached = DJANGO_ENGINES["cache on memcached"]!;

/** Another backend or other options for the cache of some settings, under keys of its own. */
function recached(settings: DjangoSettings, changes: object, more: DjangoSettings = {}): DjangoSettings {
  const [[alias, cache]] = Object.entries(settings.CACHES!) as [[string, object]];
  const KEY_PREFIX = Object.values(changes).join();
  return { ...settings, CACHES: { [alias]: { ...cache, KEY_PREFIX, ...changes } }, ...more };
}

const PYLIBMC = { BACKEND: "django.core.cache.backends.memcached.PyLibMCCache" };
const CACHED_DB = { SESSION_ENGINE: "django.contrib.sessions.backends.cached_db" };

/** Each with a Django that has what it needs. */
const ENGINES: Readonly<Record<string, readonly [DjangoVersion, DjangoSettings]>> = {
  "db on SQLite": ["6.1", DJANGO_ENGINES["db on SQLite"]!],
  "db on PostgreSQL": ["3.2", DJANGO_ENGINES["db on PostgreSQL"]!],
  "db on MariaDB": ["3.2", DJANGO_ENGINES["db on MariaDB"]!],
  file: ["5.2", DJANGO_ENGINES.file!],
  signed_cookies: ["6.1", DJANGO_ENGINES.signed_cookies!],
  "cache on Redis": ["5.2", DJANGO_ENGINES["cache on Redis"]!],
  "cache on django-redis": ["3.2", recached(onDjangoRedis, { OPTIONS: {} })],
  "cache on django-redis with JSON": ["6.1", onDjangoRedis],
  "cache on memcached by pymemcache": ["6.1", onMemcached],
  "cache on memcached by pylibmc": ["3.2", recached(onMemcached, PYLIBMC)],
  "cached_db on Redis over PostgreSQL": ["4.2", DJANGO_ENGINES["cached_db on Redis over PostgreSQL"]!],
  "cached_db on django-redis with JSON": ["3.2", recached(onDjangoRedis, {}, CACHED_DB)],
  "cached_db on memcached by pylibmc": ["3.2", recached(onMemcached, { ...PYLIBMC, VERSION: 2 }, CACHED_DB)],
  redis_sessions: ["3.2", DJANGO_ENGINES.redis_sessions!],
};

interface Sites {
  readonly django: DjangoSite;
  readonly node: NodeSite;
}

const USER = { username: "ann", password: "correct horse" };
const TWO_WEEKS = 1_209_600;
const BOTH_WAYS = [
  ["node", "django"],
  ["django", "node"],
] as const;

async function open(name: string, version: DjangoVersion, engine: DjangoSettings): Promise<Sites> {
  const settings = siteSettings(engine, version);
  const django = await startDjangoSite(settings, version);
  await django.putUser(USER.username, { raw: USER.password });
  const sites = { django, node: await startNodeSite(settings, django) };
  all.set(name, sites);
  return sites;
}

const who = async (site: Site, browser: Visitor) => (await browser.get(site, "who")).who;
const put = (site: Site, browser: Visitor, key: string, value: unknown) =>
  browser.post(site, "set", { key, value: JSON.stringify(value) });

/** Seconds that an answer gives the cookie; `null`: until the browser ends. */
function maxAge({ status, setCookie, who }: Answer): number | null {
  const [line] = setCookie.filter((each) => each.startsWith("sessionid="));
  assert.ok(line, `${status}, and no cookie: ${JSON.stringify(who)}`);
  const age = /; Max-Age=(\d+)/i.exec(line)?.[1];
  return age === undefined ? null : Number(age);
}

const all = new Map<string, Sites>();
after(() => Promise.all([...all.values()].map(({ node }) => node.stop())));

for (const [name, [version, settings]] of Object.entries(ENGINES)) {
  describe(`${name}, with Django ${version}`, () => {
    let sites: Sites;
    before(async () => {
      sites = await open(name, version, settings);
    });

    for (const [here, there] of BOTH_WAYS) {
      test(`log in at ${here}, change at both, log out at ${there}: one session`, async () => {
        const browser = visitor();
        await browser.post(sites[here], "login", USER);
        assert.equal((await who(sites[there], browser)).user, USER.username);
        const data: Record<string, unknown> = {};
        const values = ["text", 1.5, ["é", null, { deep: [true] }], 0, "\u{1f600}", { "10": 1, "2": 2 }];
        for (const [index, value] of values.entries()) {
          const [one, other] = index % 2 === 0 ? [here, there] : [there, here];
          data[`key-${index}`] = value;
          assert.deepEqual((await put(sites[one], browser, `key-${index}`, value)).who.data, data);
          assert.deepEqual((await who(sites[other], browser)).data, data);
        }
        assert.equal((await who(sites[here], browser)).user, USER.username);

        const cookie = browser.cookie()!;
        assert.equal((await browser.post(sites[there], "logout")).who.user, null);
        assert.equal(browser.cookie(), null);
        // Nobody can call a signed cookie back.
        if (name !== "signed_cookies") browser.restore(cookie);
        for (const site of [sites[here], sites[there]]) {
          const { user, data: left } = await who(site, browser);
          assert.deepEqual([user, left], [null, {}]);
        }
        assert.equal(browser.cookie(), null);
      });

      test(`an expiry that ${here} sets is ${there}'s too`, async () => {
        const browser = visitor();
        await put(sites[there], browser, "cart", ["tea"]);
        for (const [expiry, age, kept] of [
          [3600, 3600, 3600],
          [0, TWO_WEEKS, null],
          [null, TWO_WEEKS, TWO_WEEKS],
        ] as const) {
          assert.equal(maxAge(await browser.post(sites[here], "expiry", { expiry: JSON.stringify(expiry) })), kept);
          const answer = await put(sites[there], browser, "expiry", expiry);
          assert.equal(maxAge(answer), kept);
          assert.deepEqual([answer.who.age, answer.who.endsWithBrowser], [age, kept === null]);
        }
      });

      test(`a request that does not touch the session of ${there} gets no cookie from ${here}`, async () => {
        const browser = visitor();
        assert.deepEqual((await browser.get(sites[here], "nothing")).setCookie, []);
        assert.deepEqual((await browser.get(sites[here], "who")).setCookie, []);
        await put(sites[there], browser, "cart", ["tea"]);
        assert.deepEqual((await browser.get(sites[here], "nothing")).setCookie, []);
        assert.deepEqual((await browser.get(sites[here], "who")).setCookie, []);
      });
    }
  });
}

test("a session that one side lets expire ends on both, on every engine", async () => {
  // All of them first, and then one wait.
  const left: { name: string; here: string; sites: Sites; cookie: string; browser: Visitor }[] = [];
  for (const [name, sites] of all) {
    for (const [here, there] of BOTH_WAYS) {
      const browser = visitor();
      await browser.post(sites[here], "login", USER);
      await browser.post(sites[here], "expiry", { expiry: "5" });
      const { user, data } = (await put(sites[there], browser, "cart", ["tea"])).who;
      assert.deepEqual([name, user, data], [name, USER.username, { cart: ["tea"] }]);
      left.push({ name, here, sites, cookie: browser.cookie()!, browser });
    }
  }
  for (const { name, here, sites, cookie, browser } of left) {
    // In files, for Django, an age in seconds never ends: docs/django-differences.md.
    for (const site of name === "file" ? [sites.node] : [sites.django, sites.node]) {
      await until(async () => {
        // Django lets whoever kept a signed cookie use it for two weeks (#19201); the browser does not keep it.
        if (name !== "signed_cookies") browser.restore(cookie);
        const { user, data } = await who(site, browser);
        return user === null && !("cart" in data);
      }, `the end of a session of ${name} that ${here} made`);
    }
  }
});

describe("SESSION_SAVE_EVERY_REQUEST", () => {
  const settings = { SESSION_SAVE_EVERY_REQUEST: true, SESSION_ENGINE: CACHE, CACHES: onMemcached.CACHES! };
  let sites: Sites;
  before(async () => {
    sites = await open("SESSION_SAVE_EVERY_REQUEST", "6.1", settings);
  });

  for (const [here, there] of BOTH_WAYS) {
    test(`${here} renews a session of ${there} that a request does not touch, and makes none`, async () => {
      const browser = visitor();
      assert.deepEqual((await browser.get(sites[here], "nothing")).setCookie, []);
      await put(sites[there], browser, "cart", ["tea"]);
      const cookie = browser.cookie();
      await browser.post(sites[there], "expiry", { expiry: "3600" });
      assert.equal(maxAge(await browser.get(sites[here], "nothing")), 3600);
      assert.equal(browser.cookie(), cookie);
      assert.deepEqual((await who(sites[there], browser)).data, { cart: ["tea"] });
    });
  }
});
