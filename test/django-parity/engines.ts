import type { DjangoSettings } from "../../src/django.ts";
import { DJANGO_ENGINES } from "../support/django-engines.ts";

const CACHED_DB = "django.contrib.sessions.backends.cached_db";

/** Every engine, with the settings of a Django project. */
export const ENGINES: Readonly<Record<string, DjangoSettings>> = {
  ...DJANGO_ENGINES,
  "cached_db on memcached over MariaDB": {
    ...DJANGO_ENGINES["db on MariaDB"],
    ...DJANGO_ENGINES["cache on memcached"],
    SESSION_ENGINE: CACHED_DB,
  },
  "cached_db on locmem over SQLite": { ...DJANGO_ENGINES["db on SQLite"], SESSION_ENGINE: CACHED_DB },
};

/** The engines of one name, as Django's classes and their subclasses `…WithTimeZoneTests` run them. */
export function enginesWithDatabase(name: "db" | "cached_db"): Readonly<Record<string, DjangoSettings>> {
  const engines = Object.entries(ENGINES).filter(([engine]) => engine.startsWith(`${name} on`));
  return Object.fromEntries([
    ...engines,
    ...engines.map(([engine, django]) => [
      `${engine}, USE_TZ = False`,
      { ...django, USE_TZ: false, TIME_ZONE: "UTC" } satisfies DjangoSettings,
    ]),
  ]);
}
