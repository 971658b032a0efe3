import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { connect } from "../../src/connect.ts";
import { type DjangoSettings, resolveDjangoSettings } from "../../src/django/settings/resolve.ts";
import { fromDjangoSettings } from "../../src/django.ts";

const SECRET_KEY = "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz";

describe("a Django project's settings", () => {
  test("default to Django's, and to the database of startproject", () => {
    const { secretKeyFallbacks, engine, settings } = resolveDjangoSettings({ SECRET_KEY });
    assert.deepEqual(secretKeyFallbacks, []);
    assert.deepEqual(engine, { name: "db", store: { url: "sqlite:db.sqlite3" } });
    assert.deepEqual(
      [settings.cookieName, settings.cookieAge, settings.cookieSameSite],
      ["sessionid", 1_209_600, "Lax"],
    );
  });

  test("are taken by their own names", () => {
    const { settings, engine } = resolveDjangoSettings({
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
      TIME_ZONE: "UTC",
    });
    assert.deepEqual(engine, { name: "db", store: { url: "sqlite:/srv/db.sqlite3" } });
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
    [{ SECRET_KEY, SESSION_COOKIE_AEG: 1 }, /^SESSION_COOKIE_AEG is not supported/],
    [
      { SECRET_KEY, SESSION_ENGINE: "my.own.engine" },
      /^SESSION_ENGINE "my.own.engine" is not supported; use one of django\.contrib\.sessions\.backends\.db, /,
    ],
    [
      { SECRET_KEY, SESSION_SERIALIZER: "django.contrib.sessions.serializers.PickleSerializer" },
      /^SESSION_SERIALIZER .* is not supported/,
    ],
    [{ SECRET_KEY, SESSION_ENGINE: null }, /^SESSION_ENGINE null is not supported/],
    [{ SECRET_KEY, USE_TZ: false }, /^USE_TZ false is supported with TIME_ZONE "UTC" only.*"America\/Chicago"/],
    [{ SECRET_KEY, USE_TZ: false, TIME_ZONE: "Europe/Berlin" }, /^USE_TZ false .*"Europe\/Berlin"/],
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
