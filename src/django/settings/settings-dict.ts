import { SessionError } from "../../core/errors.ts";
import { isPlainObject } from "../../core/values.ts";

/**
 * A dict of Django's settings that is read name by name. Of one that is about a database or cache, what nobody asked for
 * is refused in the end: a setting that we would ignore is one that the project relies on.
 */
export interface SettingsDict {
  /** The setting's full name, for errors. */
  name(key: string): string;
  /** Python's `None`, the empty string and what is missing are `null`, as Django treats them. */
  text(key: string): string | null;
  integer(key: string): number | null;
  dict(key: string): SettingsDict;
  value(key: string): unknown;
  has(key: string): boolean;
  /** For what tunes Python's side only. */
  ignore(...keys: readonly string[]): void;
  /** One of these, else the first; each stands for a value of ours. */
  choice<T>(key: string, choices: Readonly<Record<string, T>>): T;
  /** Names that were asked for, whether they are there or not. */
  readonly asked: ReadonlySet<string>;
  /** Names that are there and were not asked for. */
  unread(): readonly string[];
  /** Throws `ERR_CONFIG` for what was not read. */
  finish(): void;
}

export function settingsDict(value: unknown, path: string): SettingsDict {
  if (!isPlainObject(value)) throw wrong(path, "must be an object");
  const asked = new Set<string>();
  const unread = () => Object.keys(value).filter((key) => !asked.has(key));
  const name = (key: string) => (path === "" ? key : `${path}.${key}`);
  const has = (key: string) => Object.hasOwn(value, key);
  function get(key: string): unknown {
    asked.add(key);
    return has(key) ? (value as Record<string, unknown>)[key] : undefined;
  }
  function typed<T extends string | number>(key: string, what: string, is: (found: unknown) => boolean): T | null {
    const found = get(key);
    if (found === undefined || found === null || found === "") return null;
    if (!is(found)) throw wrong(name(key), `must be ${what}`);
    return found as T;
  }
  return {
    name,
    has,
    value: get,
    text: (key) => typed<string>(key, "text", (found) => typeof found === "string" && !UNSENDABLE.test(found)),
    // Django takes a port as text too.
    integer(key) {
      const found = typed<string | number>(
        key,
        "a whole number",
        (given) => (typeof given === "string" || typeof given === "number") && /^\d{1,9}$/.test(String(given)),
      );
      return found === null ? null : Number(found);
    },
    dict: (key) => settingsDict(get(key) ?? {}, name(key)),
    ignore: (...keys) => keys.forEach(get),
    choice(key, choices) {
      const found = get(key);
      if (found === undefined || found === null) return Object.values(choices)[0]!;
      if (typeof found === "string" && Object.hasOwn(choices, found)) return choices[found]!;
      throw wrong(name(key), `${shown(found)} is not supported; use ${either(Object.keys(choices))}`);
    },
    asked,
    unread,
    finish() {
      const [unknown] = unread();
      if (unknown !== undefined) throw wrong(name(unknown), "is not supported");
    },
  };
}

/** What no URL can carry, nor any server be told: NUL, and half of a pair of UTF-16. */
const UNSENDABLE = /[\0\p{Surrogate}]/u;

/** A value that no secret is, for errors: as JSON, which not every value of JavaScript can be. */
export function shown(value: unknown): string {
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    return typeof value;
  }
}

/** @param problem the end of the sentence that begins with the setting's name */
export function wrong(name: string, problem: string): SessionError {
  return new SessionError("ERR_CONFIG", `${name} ${problem}.`);
}

function either(names: readonly string[]): string {
  return names.map((name) => JSON.stringify(name)).join(" or ");
}

export interface UrlParts {
  readonly scheme: string;
  readonly user?: string | null;
  readonly password?: string | null;
  /** `host:port`, one or several with commas; `""` for a socket. */
  readonly address?: string;
  readonly path?: string;
  readonly query?: Readonly<Record<string, string | number | null>>;
}

/** A URL for `connect`; user and password are escaped, whatever they hold. */
export function storeUrl({ scheme, user, password, address = "", path = "", query = {} }: UrlParts): string {
  const credentials =
    user || password ? `${encodeURIComponent(user ?? "")}${password ? `:${encodeURIComponent(password)}` : ""}@` : "";
  const parameters = Object.entries(query)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key}=${encodeURIComponent(value!)}`);
  return `${scheme}://${credentials}${address}${path}${parameters.length > 0 ? `?${parameters.join("&")}` : ""}`;
}

/** A host as it stands in a URL: IPv6 addresses in brackets. */
export function hostAndPort(host: string, port: number): string {
  return `${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`;
}
