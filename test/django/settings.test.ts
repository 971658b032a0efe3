import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { connect } from "../../src/connect.ts";
import { type DjangoSettings, resolveDjangoSettings } from "../../src/django/settings.ts";
import { fromDjangoSettings } from "../../src/django.ts";

const SECRET_KEY = "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz";

describe("a Django project's settings", () => {
  test("default to Django's, and to the database of startproject", () => {
    const { secretKeyFallbacks, storeUrl, settings } = resolveDjangoSettings({ SECRET_KEY });
    assert.deepEqual([secretKeyFallbacks, storeUrl], [[], "sqlite:db.sqlite3"]);
    assert.deepEqual(
      [settings.cookieName, settings.cookieAge, settings.cookieSameSite],
      ["sessionid", 1_209_600, "Lax"],
    );
  });

  test("are taken by their own names", () => {
    const { settings, storeUrl } = resolveDjangoSettings({
      SECRET_KEY,
      SECRET_KEY_FALLBACKS: ["a former secret key, long enough to count"],
      SESSION_ENGINE: "django.contrib.sessions.backends.db",
      SESSION_SERIALIZER: "django.contrib.sessions.serializers.JSONSerializer",
      DATABASES: { default: { ENGINE: "django.db.backends.sqlite3", NAME: "/srv/db.sqlite3" } },
      SESSION_COOKIE_NAME: "sid",
      SESSION_COOKIE_AGE: 60,
      SESSION_COOKIE_DOMAIN: ".example.com",
      SESSION_COOKIE_PATH: "/app",
      SESSION_COOKIE_SECURE: true,
      SESSION_COOKIE_HTTPONLY: false,
      SESSION_COOKIE_SAMESITE: "None",
      SESSION_SAVE_EVERY_REQUEST: true,
      SESSION_EXPIRE_AT_BROWSER_CLOSE: true,
      USE_TZ: false,
    });
    assert.equal(storeUrl, "sqlite:/srv/db.sqlite3");
    const { now, ...rest } = settings;
    assert.deepEqual(rest, {
      cookieName: "sid",
      cookieAge: 60,
      cookieDomain: ".example.com",
      cookiePath: "/app",
      cookieSecure: true,
      cookieHttpOnly: false,
      cookieSameSite: "None",
      saveEveryRequest: true,
      expireAtBrowserClose: true,
      useTz: false,
    });
  });

  for (const [settings, message] of [
    [{}, /^SECRET_KEY is missing/],
    [{ SECRET_KEY: 1 }, /^SECRET_KEY must be a string/],
    [{ SECRET_KEY, SECRET_KEY_FALLBACKS: "former" }, /^SECRET_KEY_FALLBACKS must be a list/],
    [{ SECRET_KEY, SECRET_KEY_FALLBACKS: [1] }, /^SECRET_KEY_FALLBACKS must be a list/],
    [{ SECRET_KEY, SESSION_COOKIE_AEG: 1 }, /^SESSION_COOKIE_AEG is not supported\. Supported are SECRET_KEY, /],
    [
      { SECRET_KEY, SESSION_ENGINE: "django.contrib.sessions.backends.cache" },
      /^SESSION_ENGINE "django.*cache" is not supported/,
    ],
    [
      { SECRET_KEY, SESSION_SERIALIZER: "django.contrib.sessions.serializers.PickleSerializer" },
      /^SESSION_SERIALIZER .* is not supported/,
    ],
    [{ SECRET_KEY, SESSION_ENGINE: null }, /^SESSION_ENGINE null is not supported/],
    [{ SECRET_KEY, DATABASES: null }, /^DATABASES must be/],
    [{ SECRET_KEY, DATABASES: {} }, /^DATABASES must be/],
    [
      { SECRET_KEY, DATABASES: { default: { ENGINE: "django.db.backends.oracle" } } },
      /^DATABASES\.default\.ENGINE "django.*oracle" is not supported/,
    ],
    [
      { SECRET_KEY, DATABASES: { default: { ENGINE: "django.db.backends.sqlite3" } } },
      /^DATABASES\.default\.NAME must be/,
    ],
    [
      { SECRET_KEY, DATABASES: { default: { ENGINE: "django.db.backends.sqlite3", NAME: "x", OPTIONS: {} } } },
      /^DATABASES\.default\.OPTIONS is not supported/,
    ],
    [{ SECRET_KEY, SESSION_COOKIE_AGE: -1 }, /^SESSION_COOKIE_AGE must be a positive number/],
    [{ SECRET_KEY, SESSION_COOKIE_SAMESITE: "None" }, /^SESSION_COOKIE_SAMESITE "None" needs SESSION_COOKIE_SECURE/],
    [
      { SECRET_KEY, SESSION_COOKIE_NAME: "__Host-s", SESSION_COOKIE_SECURE: true, SESSION_COOKIE_DOMAIN: "x.org" },
      /^SESSION_COOKIE_NAME __Host-s needs SESSION_COOKIE_DOMAIN null and SESSION_COOKIE_PATH/,
    ],
  ] as [DjangoSettings, RegExp][]) {
    test(`${JSON.stringify(settings).replace(SECRET_KEY, "…").slice(0, 90)} are refused by name`, () => {
      assert.throws(() => resolveDjangoSettings(settings), { code: "ERR_CONFIG", message });
    });
  }

  test("a weak secret key is refused, and not shown", async () => {
    await assert.rejects(fromDjangoSettings({ SECRET_KEY: "hunter2" }), (error: Error) => {
      return /^SECRET_KEY must/.test(error.message) && !error.message.includes("hunter2");
    });
    await assert.rejects(fromDjangoSettings({ SECRET_KEY, SECRET_KEY_FALLBACKS: ["x"] }), {
      message: /^SECRET_KEY_FALLBACKS\[0\] must/,
    });
  });

  test("give sessions in the project's database", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sojourn-"));
    try {
      const NAME = join(folder, "db.sqlite3");
      const store = await connect(`sqlite:${NAME}`);
      await store.migrate();
      const sessions = await fromDjangoSettings({
        SECRET_KEY,
        DATABASES: { default: { ENGINE: "django.db.backends.sqlite3", NAME } },
      });
      const session = await sessions.open(undefined).session();
      await session.set("uid", "123").save();
      assert.equal(await sessions.exists(session.key!), true);
      assert.notEqual(await store.load(session.key!), null);
      await store.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
