import { join } from "node:path";
import { describe } from "node:test";
import { onMariadb, onPostgres } from "../support/django/databases.ts";
import { startMariadb } from "../support/servers/mariadb.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import { temporaryDirectory } from "../support/servers/server.ts";
import { bytes } from "./bytes.ts";
import { concurrency } from "./concurrency.ts";
import { cleanUp, endsByClock } from "./expiry.ts";
import { bothSides, ONE_BY_ONE, type Project, SIDE_BY_SIDE } from "./pair.ts";
import { roundTrips } from "./round-trips.ts";

const [postgres, mariadb] = await Promise.all([startPostgres(), startMariadb()]);

const sqlite = () => ({
  default: { ENGINE: "django.db.backends.sqlite3", NAME: join(temporaryDirectory(), "db.sqlite3") },
});
const PROJECTS: Record<string, Project> = {
  "db on SQLite": { version: "3.2", format: "json", settings: { DATABASES: sqlite() } },
  "db on SQLite without USE_TZ": {
    version: "5.2",
    format: "json",
    settings: { DATABASES: sqlite(), USE_TZ: false, TIME_ZONE: "UTC" },
  },
  "db on SQLite with PickleSerializer": {
    version: "3.2",
    format: "pickle",
    settings: {
      DATABASES: sqlite(),
      SESSION_SERIALIZER: "django.contrib.sessions.serializers.PickleSerializer",
    },
  },
  "db on PostgreSQL": {
    version: "3.2",
    format: "json",
    settings: { DATABASES: { default: onPostgres(postgres.port) } },
  },
  "db on MariaDB": { version: "3.2", format: "json", settings: { DATABASES: { default: onMariadb(mariadb.port) } } },
};

describe("the engine db", SIDE_BY_SIDE, () => {
  for (const [name, project] of Object.entries(PROJECTS)) {
    describe(`${name}, Django ${project.version}`, ONE_BY_ONE, () => {
      const pair = bothSides(project);
      roundTrips(pair, project);
      bytes(pair, project);
      concurrency(pair);
      cleanUp(pair, project, () => pair().django.rows());
      endsByClock(pair);
    });
  }
});
