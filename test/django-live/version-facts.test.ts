import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type DjangoSettings, fromDjangoSettings } from "../../src/django.ts";
import { DJANGO_VERSIONS, type DjangoVersion } from "../support/django/versions.ts";
import { temporaryDirectory } from "../support/servers/server.ts";
import { bothSides, ONE_BY_ONE, type Pair, SECRET_KEY, SIDE_BY_SIDE } from "./pair.ts";

/* In what Djangos differ, and we with them: the rows of docs/django-versions.md. */

const BACKENDS = "django.contrib.sessions.backends";
const FORMER_KEY = "a former key for tests, 32 characters at least";
const SESSION_SERIALIZER = "django.contrib.sessions.serializers.PickleSerializer";

function sqlite(path = join(temporaryDirectory(), "db.sqlite3")): DjangoSettings {
  return { DATABASES: { default: { ENGINE: "django.db.backends.sqlite3", NAME: path } } };
}

const isBefore = (version: DjangoVersion, other: string) => version.localeCompare(other) < 0;

async function madeByDjango(pair: Pair): Promise<string> {
  const { key } = await pair.django.session(null, ["set", "a", 1], ["save"]);
  return key!;
}

async function foundByDjango(pair: Pair, key: string): Promise<unknown> {
  return (await pair.django.session(key, ["plain"])).results[0]!.value;
}

async function foundByNode(pair: Pair, key: string): Promise<unknown> {
  return (await pair.sessions.open(`sessionid=${key}`).session()).toJSON();
}

const A = { a: 1 };

function assertData(actual: unknown, expected: object): void {
  assert.deepEqual({ ...(actual as object) }, expected);
}

describe("what differs by version", SIDE_BY_SIDE, () => {
  for (const version of DJANGO_VERSIONS) {
    describe(`Django ${version}`, ONE_BY_ONE, () => {
      describe("an instant as a session's expiry", () => {
        const pair = bothSides({ version, settings: sqlite() });
        const instant = new Date("2037-01-02T03:04:05.678Z");
        const iso = "2037-01-02T03:04:05.678000+00:00";

        if (isBefore(version, "4.1")) {
          test("cannot be kept in JSON: Django fails when it saves, Node when it is set", async () => {
            const { results } = await pair().django.session(null, ["setExpiry", { $datetime: iso }], ["save"]);
            assert.equal(results[1]!.error, "TypeError");
            const session = await pair().sessions.open(undefined).session();
            assert.throws(() => session.setExpiry(instant), { code: "ERR_SESSION_VALUE" });
          });

          test("as ISO text would be its own age for Django", async () => {
            const { results } = await pair().django.session(null, ["set", "_session_expiry", iso], ["expiryAge"]);
            assert.equal(results[1]!.value, iso);
          });
        } else {
          test("is ISO text, in UTC", async () => {
            const { key } = await pair().django.session(null, ["setExpiry", { $datetime: iso }], ["save"]);
            assertData(await foundByNode(pair(), key!), { _session_expiry: iso });
            const request = pair().sessions.open(undefined);
            const session = await request.session();
            session.setExpiry(instant);
            await request.commit(200);
            assertData(await foundByDjango(pair(), session.key!), { _session_expiry: iso });
          });
        }
      });

      describe("a session in the format from before 3.1", () => {
        const settings = sqlite();
        const writer = bothSides({ version: "3.2", settings, django: { DEFAULT_HASHING_ALGORITHM: "sha1" } });
        const reader = bothSides({ version, settings });
        const expected = isBefore(version, "4.0") ? A : {};

        test(`is ${isBefore(version, "4.0") ? "read" : "no session"}, by Django and by Node`, async () => {
          const key = await madeByDjango(writer());
          assertData(await foundByNode(reader(), key), expected);
          assertData(await foundByDjango(reader(), key), expected);
        });
      });

      describe("a cookie with a SHA-1 signature", () => {
        const settings: DjangoSettings = { SESSION_ENGINE: `${BACKENDS}.signed_cookies` };
        const writer = bothSides({ version: "3.2", settings, django: { DEFAULT_HASHING_ALGORITHM: "sha1" } });
        const reader = bothSides({ version, settings });
        const data = { a: 1 };
        const expected = isBefore(version, "4.0") ? data : {};

        test(`is ${isBefore(version, "4.0") ? "read" : "no session"}, by Django and by Node`, async () => {
          const { key: cookie } = await writer().django.session(null, ["update", data], ["save"]);
          assert.match(cookie!, /:[\w-]{27}$/);
          assertData(await foundByNode(reader(), cookie!), expected);
          assertData(await foundByDjango(reader(), cookie!), expected);
        });
      });

      describe("PickleSerializer", () => {
        if (isBefore(version, "5.0")) {
          const pair = bothSides({ version, settings: { ...sqlite(), SESSION_SERIALIZER } });

          test("keeps what JSON cannot, an instant of setExpiry among it", async () => {
            const steps = [["set", "a", { $set: [1, 2] }] as const, ["save"] as const];
            const { key } = await pair().django.session(null, ...steps);
            const request = pair().sessions.open(`sessionid=${key}`);
            const session = await request.session();
            assert.deepEqual(session.get("a"), { $set: [1, 2] });
            session.setExpiry(new Date("2037-01-02T03:04:05Z"));
            await request.commit(200);
            const { results } = await pair().django.session(key, ["describe"], ["expiryDate"]);
            const expiry = "datetime.datetime(2037, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)";
            assert.equal(results[0]!.value, `{'a': set(1, 2), '_session_expiry': ${expiry}}`);
            assert.equal(results[1]!.value, Date.parse("2037-01-02T03:04:05Z"));
          });
        } else {
          const pair = bothSides({ version, settings: {}, django: { SESSION_SERIALIZER } });

          test("is gone: Django cannot import it, and Node refuses the setting", async () => {
            await assert.rejects(pair().django.session(null, ["keys"]), /ImportError/);
            const settings = { SECRET_KEY, DJANGO_VERSION: version, SESSION_SERIALIZER };
            await assert.rejects(fromDjangoSettings(settings), { code: "ERR_CONFIG", message: /SESSION_SERIALIZER/ });
          });
        }
      });

      describe("Django's own Redis backend", () => {
        const BACKEND = "django.core.cache.backends.redis.RedisCache";
        // Nobody listens there.
        const CACHES = { default: { BACKEND, LOCATION: "redis://127.0.0.1:1/0" } };
        const pair = bothSides({ version, settings: {}, django: { SESSION_ENGINE: `${BACKENDS}.cache`, CACHES } });

        if (isBefore(version, "4.0")) {
          test("is not there yet", () =>
            assert.rejects(pair().django.session(null, ["keys"]), /InvalidCacheBackendError/));
        } else {
          test("is there", async () => {
            assert.deepEqual((await pair().django.session(null, ["keys"])).results, [{ value: [] }]);
          });
        }
      });

      describe("SECRET_KEY_FALLBACKS", () => {
        const settings = sqlite();
        const writer = bothSides({ version, settings: { ...settings, SECRET_KEY: FORMER_KEY } });
        const reader = bothSides({ version, settings: { ...settings, SECRET_KEY_FALLBACKS: [FORMER_KEY] } });
        const expected = isBefore(version, "4.1") ? {} : A;

        test(`are ${isBefore(version, "4.1") ? "unknown to Django" : "read by Django"}; Node reads by them`, async () => {
          const key = await madeByDjango(writer());
          assertData(await foundByNode(reader(), key), A);
          assertData(await foundByDjango(reader(), key), expected);
        });

        test("do not sign: what Node saves is read without them", async () => {
          const key = await madeByDjango(writer());
          const request = reader().sessions.open(`sessionid=${key}`);
          (await request.session()).set("b", 2);
          await request.commit(200);
          assertData(await foundByDjango(writer(), key), {});
          assertData(await foundByDjango(reader(), key), { a: 1, b: 2 });
        });
      });

      describe("USE_TZ that is not set", () => {
        const isOn = !isBefore(version, "5.0");

        test(`is ${isOn}`, async () => {
          const settings = { SECRET_KEY, DJANGO_VERSION: version, ...sqlite(), TIME_ZONE: "Europe/Berlin" };
          // False is supported with TIME_ZONE "UTC" only.
          if (isOn) await fromDjangoSettings(settings);
          else await assert.rejects(fromDjangoSettings(settings), { code: "ERR_CONFIG", message: /USE_TZ/ });
        });
      });

      describe("cached_db whose cache does not answer", () => {
        const BACKEND = isBefore(version, "4.0")
          ? "django_redis.cache.RedisCache"
          : "django.core.cache.backends.redis.RedisCache";
        const settings: DjangoSettings = {
          ...sqlite(),
          SESSION_ENGINE: `${BACKENDS}.cached_db`,
          CACHES: { default: { BACKEND, LOCATION: "redis://127.0.0.1:1/0" } },
        };
        const pair = bothSides({ version, settings });

        test(`Django can neither load nor make a session, and ${isBefore(version, "5.1") ? "fails to" : "can"} save one; Node can all`, async () => {
          const { django, sessions } = pair();
          const made = await django.session(null, ["set", "a", 1], ["save"]);
          assert.match(made.results[1]!.error!, /^Connection/);
          const request = sessions.open(undefined);
          const session = await request.session();
          session.set("a", 1);
          await request.commit(200);
          const loaded = await django.session(session.key, ["keys"]);
          assert.match(loaded.results[0]!.error!, /^Connection/);
          const saved = await django.session(session.key, ["clear"], ["set", "b", 2], ["save"]);
          assert.equal(saved.results[2]!.error !== undefined, isBefore(version, "5.1"));
          // Which it is in the database, in any case.
          assertData(await foundByNode(pair(), session.key!), { b: 2 });
        });
      });
    });
  }
});

test("Django 3.0 and before cannot share sessions", async () => {
  for (const DJANGO_VERSION of ["2.2", "3.0.14"]) {
    await assert.rejects(fromDjangoSettings({ SECRET_KEY, DJANGO_VERSION, ...sqlite() }), {
      code: "ERR_CONFIG",
      message: /DJANGO_VERSION/,
    });
  }
});
