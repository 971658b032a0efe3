import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bytes } from "./bytes.ts";
import { endsByClock } from "./expiry.ts";
import { bothSides, ONE_BY_ONE, type Project, SIDE_BY_SIDE } from "./pair.ts";
import { roundTrips } from "./round-trips.ts";

const SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies";
const COOKIE_AGE = 1_209_600;

const PROJECTS: Record<string, Project> = {
  "signed_cookies, Django 3.2": { version: "3.2", format: "json", settings: { SESSION_ENGINE } },
  "signed_cookies with PickleSerializer, Django 3.2": {
    version: "3.2",
    format: "pickle",
    settings: { SESSION_ENGINE, SESSION_SERIALIZER: "django.contrib.sessions.serializers.PickleSerializer" },
  },
};

describe("the engine signed_cookies", SIDE_BY_SIDE, () => {
  for (const [name, project] of Object.entries(PROJECTS)) {
    describe(name, ONE_BY_ONE, () => {
      const pair = bothSides(project);
      roundTrips(pair, project);
      bytes(pair, project);
      endsByClock(pair);

      test("what Node signed ends for Django after SESSION_COOKIE_AGE, and never by setExpiry", async () => {
        const seen = async (age: number, expiry: number | null) => {
          const sessions = await pair().sessionsAt(new Date(Date.now() - age * 1000));
          const request = sessions.open(undefined);
          const session = await request.session();
          session.set("a", 1);
          session.setExpiry(expiry);
          await request.commit(200);
          return (await pair().django.session(session.key, ["describe", "a"])).results[0]!.value;
        };
        assert.equal(await seen(COOKIE_AGE - 60, null), "1");
        assert.equal(await seen(COOKIE_AGE + 60, null), undefined);
        // Django #19201.
        assert.equal(await seen(COOKIE_AGE - 60, 3600), "1");
      });
    });
  }
});
