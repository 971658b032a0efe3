import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { connect } from "../../src/connect.ts";
import { DEFAULT_SETTINGS } from "../../src/core/settings.ts";
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
    assert.deepEqual(settings, {
      ...DEFAULT_SETTINGS,
      now: settings.now,
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
    [{ SECRET_KEY: "b'0123456789abcdefghijklmnopqrstuvwxyz'" }, /^SECRET_KEY must be a string, and not what Python/],
    [{ SECRET_KEY, SECRET_KEY_FALLBACKS: ['b"0123456789"'] }, /^SECRET_KEY_FALLBACKS must be a list/],
    [{ SECRET_KEY, SESSION_SERIALIZER: "my.Serializer" }, /^SESSION_SERIALIZER "my\.Serializer" is not supported/],
    [{ SECRET_KEY, SESSION_SERIALIZER: null }, /^SESSION_SERIALIZER null is not supported/],
    [{ SECRET_KEY, SESSION_SERIALIZER: "toString" }, /^SESSION_SERIALIZER "toString" is not supported/],
    [{ SECRET_KEY, SESSION_COOKIE_SAMESITE: "Some" }, /^SESSION_COOKIE_SAMESITE must be/],
    [
      { SECRET_KEY, DATABASE_ROUTERS: ["my.Router"] },
      /^DATABASE_ROUTERS may keep sessions in another database than "default"/,
    ],
    [{ SECRET_KEY, DATABASE_ROUTERS: "my.Router" }, /^DATABASE_ROUTERS may keep/],
    [{ SECRET_KEY, DATABASE_ROUTERS: {} }, /^DATABASE_ROUTERS may keep/],
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

  test("without SameSite, or in any case of letters, is as Django has it", () => {
    const sameSite = (value: unknown) =>
      resolveDjangoSettings({
        SECRET_KEY,
        SESSION_COOKIE_SECURE: true,
        SESSION_COOKIE_SAMESITE: value,
      } as DjangoSettings).settings.cookieSameSite;
    assert.deepEqual([null, false, "lax", "STRICT", "none"].map(sameSite), [false, false, "Lax", "Strict", "None"]);
  });

  test("of databases' routers matter only where sessions are in a database", () => {
    const SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies";
    resolveDjangoSettings({ SECRET_KEY, SESSION_ENGINE, DATABASE_ROUTERS: ["my.Router"] });
    resolveDjangoSettings({ SECRET_KEY, DATABASE_ROUTERS: [] });
    assert.throws(
      () =>
        resolveDjangoSettings({
          SECRET_KEY,
          SESSION_ENGINE: "django.contrib.sessions.backends.cached_db",
          DATABASE_ROUTERS: ["my.Router"],
        }),
      { message: /^DATABASE_ROUTERS/ },
    );
  });

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

describe("names of settings", () => {
  const resolve = (settings: object) => resolveDjangoSettings({ SECRET_KEY, ...settings });

  for (const [name, meant] of [
    ["SESION_ENGINE", "SESSION_ENGINE"],
    ["SESSION_ENIGNE", "SESSION_ENGINE"],
    ["SESSIONS_ENGINE", "SESSION_ENGINE"],
    ["DATABASE", "DATABASES"],
    ["CACHE", "CACHES"],
    ["TIMEZONE", "TIME_ZONE"],
    ["USE_TX", "USE_TZ"],
    ["SECRET_KEY_FALLBACK", "SECRET_KEY_FALLBACKS"],
    ["DATABASE_ROUTER", "DATABASE_ROUTERS"],
    ["DJANGO_REDIS_IGNORE_EXCEPTION", "DJANGO_REDIS_IGNORE_EXCEPTIONS"],
    ["SESSION_FILEPATH", "SESSION_FILE_PATH"],
    ["SESSION_CACHE_ALAIS", "SESSION_CACHE_ALIAS"],
    ["DJANGO_VERISON", "DJANGO_VERSION"],
    ["SESSION_COOKIE_AEG", "SESSION_COOKIE_AGE"],
  ] as const) {
    test(`${name} is refused: did you mean ${meant}?`, () => {
      for (const engine of ["db", "signed_cookies"]) {
        const SESSION_ENGINE = `django.contrib.sessions.backends.${engine}`;
        assert.throws(() => resolve({ [name]: "x", ...(meant !== "SESSION_ENGINE" && { SESSION_ENGINE }) }), {
          code: "ERR_CONFIG",
          message: `${name} is not supported (did you mean ${meant}?).`,
        });
      }
    });
  }

  test("one of SESSION_… that we do not know is refused, also beside the one that it is like", () => {
    for (const name of ["SESSION_TIMEOUT_MINUTES", "SESSION_COOKIE_PARTITIONED"]) {
      assert.throws(() => resolve({ [name]: 1 }), { code: "ERR_CONFIG", message: `${name} is not supported.` });
    }
    assert.throws(() => resolve({ SESSION_COOKIE_AGE: 60, SESSION_COOKIE_AGES: 1 }), {
      message: "SESSION_COOKIE_AGES is not supported (did you mean SESSION_COOKIE_AGE?).",
    });
  });

  test("one that is like another which is given too is the project's own", () => {
    resolve({ TIME_ZONE: "UTC", TIMEZONE: "Europe/Berlin" });
    resolve({ DATABASES: { default: { ENGINE: "django.db.backends.sqlite3", NAME: "a" } }, DATABASE: {} });
  });

  test("others are not ours, as short as they may be", () => {
    resolve({ DEBUG: true, USE_S3: true, INSTALLED_APPS: [], MIDDLEWARE: [], CSRF_COOKIE_NAME: "x", MY_OWN: 1, A: 1 });
  });

  test("in lower case are none", () => {
    assert.throws(() => resolve({ cookieAge: 60 }), {
      code: "ERR_CONFIG",
      message: "cookieAge is no setting: Django's names are in upper case.",
    });
  });
});

describe("DJANGO_VERSION", () => {
  const PICKLE = "django.contrib.sessions.serializers.PickleSerializer";
  const resolve = (settings: object) => resolveDjangoSettings({ SECRET_KEY, USE_TZ: true, ...settings });

  for (const [version, readLegacy] of [
    ["3.1", true],
    ["3.2.25", true],
    ["4.0", false],
    ["4.2.28", false],
    ["5.2", false],
    ["6.1rc1", false],
    ["6.2.dev20261120120000", false],
    ["10.0a1", false],
  ] as const) {
    test(`${version} ${readLegacy ? "reads" : "does not read"} the format from before 3.1, and nor does ours`, () => {
      assert.deepEqual(resolve({ DJANGO_VERSION: version }).format, { serializer: "json", readLegacy });
    });
  }

  test("is the newest if it is not given", () => {
    const { format, storedInstant } = resolve({});
    assert.deepEqual([format, storedInstant], [{ serializer: "json", readLegacy: false }, undefined]);
  });

  for (const version of ["2.2.28", "3.0", "0.96"]) {
    test(`${version} is refused: it keeps sessions in a format that we only read`, () => {
      assert.throws(() => resolve({ DJANGO_VERSION: version }), {
        code: "ERR_CONFIG",
        message: /^DJANGO_VERSION [\d.]+ keeps sessions in a format .*"3\.2"/,
      });
    });
  }

  for (const version of ["", "5", "latest", "5.x", "v5.2", "5.2.1.1", " 5.2", "5.2\n", "5.2rc", 5.2, null, [5, 2]]) {
    test(`${JSON.stringify(version)} is refused: it is no version's name`, () => {
      assert.throws(() => resolve({ DJANGO_VERSION: version }), {
        code: "ERR_CONFIG",
        message: /^DJANGO_VERSION must be text such as "5\.2\.1"/,
      });
    });
  }

  test("PickleSerializer is taken up to 4.2, and where the version is not known", () => {
    for (const DJANGO_VERSION of [undefined, "3.2.25", "4.2.28"]) {
      assert.equal(resolve({ DJANGO_VERSION, SESSION_SERIALIZER: PICKLE }).format.serializer, "pickle");
    }
    assert.throws(() => resolve({ DJANGO_VERSION: "5.0", SESSION_SERIALIZER: PICKLE }), {
      code: "ERR_CONFIG",
      message: /^SESSION_SERIALIZER ".*PickleSerializer" is not in Django 5\.0 and later/,
    });
  });

  test("before 5.0, USE_TZ is False unless it is set", () => {
    assert.throws(() => resolveDjangoSettings({ SECRET_KEY, DJANGO_VERSION: "4.2" }), { message: /^USE_TZ false is/ });
    const { settings } = resolveDjangoSettings({ SECRET_KEY, DJANGO_VERSION: "4.2", TIME_ZONE: "UTC" });
    assert.equal(settings.useTz, false);
    assert.equal(resolveDjangoSettings({ SECRET_KEY, DJANGO_VERSION: "5.0" }).settings.useTz, true);
  });

  test("DEFAULT_HASHING_ALGORITHM: sha256 only, until Django 4.0 did away with it", () => {
    resolve({ DEFAULT_HASHING_ALGORITHM: "sha256", DJANGO_VERSION: "3.2" });
    resolve({ DEFAULT_HASHING_ALGORITHM: "sha1", DJANGO_VERSION: "4.0" });
    for (const DJANGO_VERSION of [undefined, "3.1", "3.2.25"]) {
      assert.throws(() => resolve({ DEFAULT_HASHING_ALGORITHM: "sha1", DJANGO_VERSION }), {
        code: "ERR_CONFIG",
        message: /^DEFAULT_HASHING_ALGORITHM "sha1" makes Django write .* set "sha256"/,
      });
    }
  });
});

describe("an instant of setExpiry", () => {
  const BACKENDS = "django.contrib.sessions.backends";
  const SESSION_SERIALIZER = "django.contrib.sessions.serializers.PickleSerializer";
  const JSON_CACHE = {
    default: {
      BACKEND: "django_redis.cache.RedisCache",
      LOCATION: "redis://h",
      OPTIONS: { SERIALIZER: "django_redis.serializers.json.JSONSerializer" },
    },
  };
  const stored = (settings: object) => {
    const { storedInstant } = resolveDjangoSettings({ SECRET_KEY, USE_TZ: true, ...settings });
    return storedInstant ? storedInstant("2026-11-20T12:00:00+00:00") : "2026-11-20T12:00:00+00:00";
  };
  const iso = "2026-11-20T12:00:00+00:00";

  test("is text for Django 4.1 and later, in JSON and in the cache's pickles", () => {
    for (const DJANGO_VERSION of [undefined, "4.1", "6.1"]) {
      for (const engine of ["db", "cache", "cached_db", "file", "signed_cookies"]) {
        assert.equal(stored({ DJANGO_VERSION, SESSION_ENGINE: `${BACKENDS}.${engine}` }), iso);
      }
    }
  });

  test("is a datetime for those before, in pickles, and in PickleSerializer's for all", () => {
    assert.deepEqual(stored({ DJANGO_VERSION: "4.0", SESSION_ENGINE: `${BACKENDS}.cache` }), { $datetime: iso });
    for (const DJANGO_VERSION of [undefined, "3.2.25", "4.2"]) {
      for (const engine of ["db", "cached_db", "file", "signed_cookies"]) {
        const SESSION_ENGINE = `${BACKENDS}.${engine}`;
        assert.deepEqual(stored({ DJANGO_VERSION, SESSION_ENGINE, SESSION_SERIALIZER }), { $datetime: iso });
      }
    }
  });

  test("is refused for those before in JSON, whatever serializer the other formats have", () => {
    for (const settings of [
      {},
      { SESSION_ENGINE: `${BACKENDS}.cached_db` },
      { SESSION_ENGINE: `${BACKENDS}.cache`, CACHES: JSON_CACHE, SESSION_SERIALIZER },
    ]) {
      assert.throws(() => stored({ DJANGO_VERSION: "4.0.10", ...settings }), {
        code: "ERR_SESSION_VALUE",
        message: /^Django before 4\.1 \(DJANGO_VERSION\) .* give setExpiry a number of seconds/,
      });
    }
  });
});
