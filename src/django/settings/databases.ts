import type { StoreLocation } from "./engine.ts";
import { hostAndPort, type SettingsDict, settingsDict, storeUrl, wrong } from "./settings-dict.ts";

/** Where Debian's, Python's and Node's clients look for a server on the same machine. */
const POSTGRES_SOCKETS = "/var/run/postgresql";
const MYSQL_SOCKET = "/run/mysqld/mysqld.sock";

const ENGINES: Readonly<Record<string, (database: SettingsDict) => string>> = {
  "django.db.backends.sqlite3": sqliteUrl,
  "django.db.backends.postgresql": postgresUrl,
  "django.contrib.gis.db.backends.postgis": postgresUrl,
  "django.db.backends.mysql": mysqlUrl,
  "django.contrib.gis.db.backends.mysql": mysqlUrl,
};

/** `DATABASES["default"]`, where Django keeps sessions unless a router says otherwise. */
export function databaseLocation(django: SettingsDict): StoreLocation {
  const routers = django.value("DATABASE_ROUTERS") ?? [];
  if (!Array.isArray(routers) || routers.length > 0) {
    throw wrong(
      "DATABASE_ROUTERS",
      'may keep sessions in another database than "default", which only Python can tell: give the one that has them as DATABASES.default, and leave the routers out',
    );
  }
  const databases = django.value("DATABASES");
  if (databases === undefined) return { url: "sqlite:db.sqlite3" };
  // Others may be there, for other things.
  const database = settingsDict(databases, "DATABASES").dict("default");
  const engine = database.text("ENGINE");
  if (engine === null) throw wrong("DATABASES", 'needs a "default" with an ENGINE');
  if (!Object.hasOwn(ENGINES, engine)) {
    const known = Object.keys(ENGINES).filter((name) => !name.includes(".gis."));
    throw wrong(database.name("ENGINE"), `${JSON.stringify(engine)} is not supported; use one of ${known.join(", ")}`);
  }
  // How Django uses its own connections, and what its tests do.
  database.ignore(
    "ATOMIC_REQUESTS",
    "AUTOCOMMIT",
    "CONN_HEALTH_CHECKS",
    "CONN_MAX_AGE",
    "DISABLE_SERVER_SIDE_CURSORS",
    "TEST",
  );
  const url = ENGINES[engine]!(database);
  database.finish();
  return { url };
}

/** Django's zone for `expire_date` where `USE_TZ` is false or the database knows no zones. */
export function databaseTimeZone(databases: unknown): string | null {
  return databases === undefined ? null : settingsDict(databases, "DATABASES").dict("default").text("TIME_ZONE");
}

function sqliteUrl(database: SettingsDict): string {
  database.ignore("TIME_ZONE", "USER", "PASSWORD", "HOST", "PORT");
  const options = database.dict("OPTIONS");
  options.ignore("init_command", "timeout", "transaction_mode");
  options.finish();
  return `sqlite:${required(database, "NAME")}`;
}

function postgresUrl(database: SettingsDict): string {
  database.ignore("TIME_ZONE");
  const options = database.dict("OPTIONS");
  options.ignore("application_name", "connect_timeout", "isolation_level", "pool", "server_side_binding");
  const query = { sslmode: options.text("sslmode"), sslrootcert: options.text("sslrootcert") };
  options.finish();
  const host = database.text("HOST") ?? POSTGRES_SOCKETS;
  const port = database.integer("PORT") ?? 5432;
  const parts = { scheme: "postgres", ...credentials(database), path: `/${name(database)}` };
  return host.startsWith("/")
    ? storeUrl({ ...parts, query: { ...query, host, port } })
    : storeUrl({ ...parts, query, address: hostAndPort(host, port) });
}

function mysqlUrl(database: SettingsDict): string {
  database.ignore("TIME_ZONE");
  const options = database.dict("OPTIONS");
  // Ours are one statement each, in strict mode and utf8mb4, whatever Django's own connection does.
  options.ignore("charset", "connect_timeout", "init_command", "isolation_level", "sql_mode");
  const socketPath = options.text("unix_socket");
  options.finish();
  const host = database.text("HOST") ?? "";
  const parts = { scheme: "mysql", ...credentials(database), path: `/${name(database)}` };
  const port = database.integer("PORT") ?? 3306;
  // MySQL's own library takes the socket for "localhost" as well.
  const isLocal = host === "" || host === "localhost";
  const socket = socketPath ?? (isLocal ? MYSQL_SOCKET : host.startsWith("/") ? host : null);
  return socket === null
    ? storeUrl({ ...parts, address: hostAndPort(host, port) })
    : storeUrl({ ...parts, query: { socketPath: socket } });
}

function credentials(database: SettingsDict) {
  return { user: database.text("USER"), password: database.text("PASSWORD") };
}

function name(database: SettingsDict): string {
  return encodeURIComponent(required(database, "NAME"));
}

function required(database: SettingsDict, key: string): string {
  const text = database.text(key);
  if (text === null) throw wrong(database.name(key), "is missing");
  return text;
}
