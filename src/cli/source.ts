import { existsSync } from "node:fs";
import { type ConnectedStore, connect } from "../connect.ts";
import { isPlainObject } from "../core/values.ts";
import {
  connectDjangoStore,
  type DjangoSettings,
  type ResolvedDjangoSettings,
  resolveDjangoSettings,
} from "../django.ts";
import type { Values } from "./command.ts";
import { fault, misuse } from "./faults.ts";
import { parseSecretJson, readText } from "./input.ts";

/* Where the sessions are: by option, else by environment variable, else where `createSessions` puts them. */

export const SETTINGS_OPTION = {
  settings: { type: "string", value: "FILE", help: "JSON file with Django's settings (or SOJOURN_SETTINGS)" },
} as const;

export const STORE_OPTION = {
  store: { type: "string", value: "URL", help: "the store, such as sqlite:db.sqlite3 (or SOJOURN_STORE)" },
} as const;

/** The store of `createSessions`. */
const DEFAULT_URL = "sqlite:sessions.sqlite3";

/** Settings from a file. A setting is what the file says, and where it stands. */
export interface FileSettings extends ResolvedDjangoSettings {
  readonly path: string;
  /** As they stand in the file. */
  readonly django: DjangoSettings;
}

export interface Source {
  /** Of `cached_db` the database, which is the truth. */
  readonly url: string;
  /** `null` where a URL says where the sessions are. */
  readonly settings: FileSettings | null;
  connect(): Promise<ConnectedStore>;
}

export function source(options: Values<typeof STORE_OPTION & typeof SETTINGS_OPTION>): Source {
  const { store, settings } = options;
  if (store !== undefined && settings !== undefined) {
    throw misuse("--store and --settings both say where the sessions are: give one of them");
  }
  if (store !== undefined) return fromUrl(store);
  if (settings !== undefined) return fromFile(settings, "--settings");

  const { SOJOURN_STORE, SOJOURN_SETTINGS } = process.env;
  if (SOJOURN_STORE && SOJOURN_SETTINGS) {
    throw fault("SOJOURN_STORE and SOJOURN_SETTINGS both say where the sessions are: unset one, or use an option");
  }
  if (SOJOURN_SETTINGS) return fromFile(SOJOURN_SETTINGS, "SOJOURN_SETTINGS");
  return fromUrl(SOJOURN_STORE || DEFAULT_URL);
}

/** The settings alone, for a command that asks no store. */
export function settingsOnly(options: Values<typeof SETTINGS_OPTION>): FileSettings | null {
  if (options.settings !== undefined) return readSettings(options.settings, "--settings");
  const path = process.env.SOJOURN_SETTINGS;
  return path ? readSettings(path, "SOJOURN_SETTINGS") : null;
}

function fromUrl(url: string): Source {
  return { url, settings: null, connect: () => connect(url) };
}

function fromFile(path: string, origin: string): Source {
  const settings = readSettings(path, origin);
  const { engine } = settings;
  if (engine.name === "signed_cookies") {
    throw fault(`by ${path}, sessions are kept in signed cookies: nothing of them is stored at the server`);
  }
  return {
    url: engine.store.url,
    settings,
    connect: () => connectDjangoStore(engine, settings.settings, settings.format),
  };
}

function readSettings(path: string, origin: string): FileSettings {
  const django = parseSecretJson(readText(path, origin), path);
  if (!isPlainObject(django)) throw fault(`${path} must be a JSON object of Django's settings, by their names`);
  // Most commands need no secret key, and it may come from elsewhere: `secretKeys` asks for it where it is needed.
  const given = { ...django, SECRET_KEY: django.SECRET_KEY ?? "" } as DjangoSettings;
  return { path, django: given, ...resolveDjangoSettings(given) };
}

/** Opens a store, and closes it whatever happens. */
export async function withStore<T>(from: Source, use: (store: ConnectedStore) => Promise<T>): Promise<T> {
  if (from.url.startsWith("memory:")) {
    throw fault("a memory: store lives inside the server's process; no command can reach its sessions");
  }
  const store = await from.connect();
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** As `withStore`, for commands that must not create what they look into: opening a SQLite file would. */
export async function withExistingStore<T>(from: Source, use: (store: ConnectedStore) => Promise<T>): Promise<T> {
  if (from.url.startsWith("file:") && from.settings === null) {
    throw fault(
      `when the sessions in ${from.url} expire is written in them, and depends on SESSION_COOKIE_AGE: name the settings with --settings instead of the directory`,
    );
  }
  const path = /^sqlite:(?:\/\/)?(.+)$/s.exec(from.url)?.[1];
  if (path !== undefined && !existsSync(path)) {
    throw fault(
      `there is no file ${path}; name the store with --store or --settings, or create it with \`sojourn migrate\``,
    );
  }
  return withStore(from, use);
}

/** A store's URL without what may be secret: the password, and the query, where some drivers take one too. */
export function shownUrl(url: string): string {
  if (/^(?:sqlite|file):/.test(url)) return url;
  return url.replace(/[?#].*$/s, "").replace(/^([a-z0-9+]+:\/\/[^:/@]*):.*@/s, "$1:***@");
}

/** Whether it is a server that removes what has expired, without being told to. */
export function expiresByItself(url: string): boolean {
  return /^(?:redis|memcached)/.test(url);
}
