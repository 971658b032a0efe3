import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { DEFAULT_SETTINGS } from "../../src/core/settings.ts";
import { type DjangoSettings, resolveDjangoSettings } from "../../src/django.ts";
import { DJANGO_VERSIONS, type DjangoVersion, python } from "../support/django/versions.ts";
import { temporaryDirectory } from "../support/servers/server.ts";

/* What `startproject` makes, and all settings of a running project, Django's own defaults among them: nothing is edited. */

const BACKENDS = "django.contrib.sessions.backends";

/** Writes all settings to django.json, which only its owner may read. Nothing on stdout: there Django prints too. */
const DUMP =
  'import json, os, django; from django.conf import settings as s; json.dump(dict({n: getattr(s, n) for n in dir(s) if n.isupper()}, DJANGO_VERSION=django.get_version()), open(os.open("django.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w"), default=str, skipkeys=True)';

/** The same of what is about sessions: fewer secrets. */
const OF_SESSIONS = /^(?:SECRET_KEY|SESSION_|DATABASE|CACHES|USE_TZ|TIME_ZONE|DEFAULT_HASHING|DJANGO_)/;

const ENGINES: Readonly<Record<string, DjangoSettings>> = {
  db: {},
  cache: { SESSION_ENGINE: `${BACKENDS}.cache` },
  "cache on Redis": {
    SESSION_ENGINE: `${BACKENDS}.cache`,
    CACHES: { default: { BACKEND: "django_redis.cache.RedisCache", LOCATION: "redis://h/1" } },
  },
  cached_db: {
    SESSION_ENGINE: `${BACKENDS}.cached_db`,
    CACHES: {
      default: { BACKEND: "django.core.cache.backends.memcached.PyMemcacheCache", LOCATION: "127.0.0.1:11211" },
    },
  },
  file: { SESSION_ENGINE: `${BACKENDS}.file` },
  signed_cookies: { SESSION_ENGINE: `${BACKENDS}.signed_cookies` },
  redis_sessions: { SESSION_ENGINE: "redis_sessions.session", SESSION_REDIS: { host: "h", prefix: "session" } },
};

/** Runs `manage.py shell -c` in the project. */
function shell(version: DjangoVersion, cwd: string, command: string, env: Record<string, string> = {}): string {
  return run(version, cwd, ["manage.py", "shell", "-v", "0", "-c", command], env);
}

function run(version: DjangoVersion, cwd: string, more: readonly string[], added: Record<string, string> = {}): string {
  const { command, args, env } = python(version);
  return execFileSync(command, [...args, "-B", "-W", "ignore", ...more], {
    cwd,
    env: { ...process.env, ...env, ...added },
    encoding: "utf8",
  });
}

const read = (path: string): DjangoSettings & Record<string, unknown> => JSON.parse(readFileSync(path, "utf8"));

for (const version of DJANGO_VERSIONS) {
  describe(`a project of Django ${version}`, () => {
    const project = temporaryDirectory();
    run(version, project, ["-m", "django", "startproject", "mysite", "."]);

    test("its settings, all of them, work unchanged", () => {
      assert.equal(shell(version, project, DUMP), "");
      const path = join(project, "django.json");
      assert.equal(statSync(path).mode & 0o777, 0o600);
      const dump = read(path);
      assert.ok(Object.keys(dump).length > 130);
      assert.ok(dump.DJANGO_VERSION?.startsWith(version));
      const { engine, secretKey, format, settings } = resolveDjangoSettings(dump);
      assert.deepEqual(engine, { name: "db", store: { url: `sqlite:${join(project, "db.sqlite3")}` } });
      assert.equal(secretKey, dump.SECRET_KEY);
      assert.deepEqual(format, { serializer: "json", readLegacy: version === "3.2" });
      assert.deepEqual({ ...settings, now: null }, { ...DEFAULT_SETTINGS, now: null });
    });

    test("so do they with every engine, and so does the part that is about sessions", () => {
      const each = `
import json, os
from django.test.utils import override_settings
for name, more in json.loads(os.environ["ENGINES"]).items():
    with override_settings(**more):
        exec(${JSON.stringify(DUMP.replace("django.json", "%s.json"))} % name)
`;
      shell(version, project, each, { ENGINES: JSON.stringify(ENGINES) });
      for (const name of Object.keys(ENGINES)) {
        const dump = read(join(project, `${name}.json`));
        const resolved = { ...resolveDjangoSettings(dump), storedInstant: null };
        assert.equal(resolved.engine.name, name.split(" ")[0]);
        const part = Object.fromEntries(Object.entries(dump).filter(([key]) => OF_SESSIONS.test(key)));
        assert.deepEqual({ ...resolveDjangoSettings(part), storedInstant: null }, resolved);
      }
    });
  });
}

describe("a dump of Django 6.1", () => {
  const dump = read(new URL("../../../test/django/startproject-6.1.json", import.meta.url).pathname);

  test("works, with whatever a project adds that is not about sessions", () => {
    const { engine } = resolveDjangoSettings({
      ...dump,
      MY_OWN: 1,
      TIMEZONE: "x",
      DATABASE: "x",
      USE_S3: true,
      CACHE: 1,
    } as DjangoSettings);
    assert.deepEqual(engine, { name: "db", store: { url: "sqlite:/srv/mysite/db.sqlite3" } });
  });

  test("is refused for what is: an unknown setting of sessions, a router", () => {
    assert.throws(() => resolveDjangoSettings({ ...dump, SESSION_TIMEOUT: 1 } as DjangoSettings), {
      code: "ERR_CONFIG",
      message: "SESSION_TIMEOUT is not supported.",
    });
    assert.throws(() => resolveDjangoSettings({ ...dump, DATABASE_ROUTERS: ["my.Router"] }), { code: "ERR_CONFIG" });
  });
});
