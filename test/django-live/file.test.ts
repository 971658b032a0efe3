import assert from "node:assert/strict";
import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { temporaryDirectory } from "../support/servers/server.ts";
import { bytes } from "./bytes.ts";
import { concurrency } from "./concurrency.ts";
import { cleanUp, endsByClock } from "./expiry.ts";
import { bothSides, ONE_BY_ONE, type Project, SIDE_BY_SIDE } from "./pair.ts";
import { roundTrips } from "./round-trips.ts";

const file = (directory: string) => ({
  SESSION_ENGINE: "django.contrib.sessions.backends.file",
  SESSION_FILE_PATH: directory,
});

const PROJECTS: Record<string, Omit<Project, "settings"> & { readonly settings?: Project["settings"] }> = {
  "file, Django 3.2": { version: "3.2", format: "json" },
  "file without USE_TZ, Django 5.2": { version: "5.2", format: "json", settings: { USE_TZ: false, TIME_ZONE: "UTC" } },
  "file with PickleSerializer, Django 3.2": {
    version: "3.2",
    format: "pickle",
    settings: { SESSION_SERIALIZER: "django.contrib.sessions.serializers.PickleSerializer" },
  },
};

describe("the engine file", SIDE_BY_SIDE, () => {
  for (const [name, project] of Object.entries(PROJECTS)) {
    const directory = temporaryDirectory();
    const whole: Project = { ...project, settings: { ...project.settings, ...file(directory) } };
    describe(name, ONE_BY_ONE, () => {
      const pair = bothSides(whole);
      roundTrips(pair, whole);
      bytes(pair, whole);
      concurrency(pair);
      cleanUp(pair, whole, async () => readdirSync(directory).map((path) => path.replace(/^sessionid/, "")));
      endsByClock(pair);

      test("a session without an expiry ends for Django when its file is older than SESSION_COOKIE_AGE", async () => {
        const request = pair().sessions.open(undefined);
        const session = await request.session();
        session.set("a", 1);
        await request.commit(200);
        const seen = async () => (await pair().django.session(session.key, ["plain"])).results[0]!.value;
        assert.deepEqual(await seen(), { a: 1 });
        const old = new Date(Date.now() - 1_209_660_000);
        utimesSync(join(directory, `sessionid${session.key}`), old, old);
        assert.deepEqual(await seen(), {});
      });
    });
  }
});
