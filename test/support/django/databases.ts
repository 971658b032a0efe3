import { DATABASE_PASSWORD } from "../servers/database.ts";

/* The tests' private servers as Django's DATABASES has them. */

export function onPostgres(port: number): Record<string, unknown> {
  return {
    ENGINE: "django.db.backends.postgresql",
    NAME: "postgres",
    USER: "postgres",
    PASSWORD: DATABASE_PASSWORD,
    HOST: "127.0.0.1",
    PORT: String(port),
  };
}

export function onMariadb(port: number): Record<string, unknown> {
  return {
    ENGINE: "django.db.backends.mysql",
    NAME: "sojourn",
    USER: "sojourn",
    PASSWORD: DATABASE_PASSWORD,
    HOST: "127.0.0.1",
    PORT: port,
  };
}
