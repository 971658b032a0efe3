import { readFileSync } from "node:fs";
import { SessionError } from "../../core/errors.ts";

/** Where a database is and who asks: what a URL says. */
export interface DatabaseLocation {
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly database: string;
  readonly parameters: Readonly<Record<string, string>>;
}

export interface UrlForm {
  readonly example: string;
  /** Names of the parameters that have a meaning. */
  readonly parameters: readonly string[];
}

/**
 * Not `new URL`: that refuses a user without a host, and keeps what it refused in the error. After the host there is no
 * `@`: a password that was not escaped would end there, and begin as a port.
 */
const SHAPE =
  /^[a-z]+:\/\/(?:(?<user>[^:@/?#]*)(?::(?<password>[^@/?#]*))?@)?(?<host>\[[\da-f:.]+\]|[^:@/?#[\],]*)(?::(?<port>\d{1,5}))?\/(?<database>[^@/?#]+)(?:\?(?<query>[^@#]*))?$/i;

/** Throws `ERR_CONFIG` for a URL that is wrong, and shows none of it but names of parameters: it may hold a password. */
export function databaseLocation(url: string, { example, parameters: known }: UrlForm): DatabaseLocation {
  const parts = SHAPE.exec(url)?.groups;
  if (!parts) throw wrong(`is not of the form ${example}; escape what is special, as %40 for @`);
  const parameters = Object.fromEntries(new URLSearchParams(parts.query));
  const unknown = Object.keys(parameters).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw wrong(`has a parameter that means nothing here${shownName(unknown)}; there are ${known.join(", ")}`);
  return {
    user: decoded(parts.user),
    password: decoded(parts.password),
    host: decoded(parts.host?.replace(/^\[|\]$/g, "")),
    port: portNumber(parts.port ?? parameters.port),
    database: decoded(parts.database)!,
    parameters,
  };
}

/** A parameter's name for a message; not what may be the rest of a password that was not escaped. */
export function shownName(name: string): string {
  return /^[a-z_-]{1,30}$/i.test(name) ? `: ${name}` : "";
}

export function wrong(problem: string): SessionError {
  return new SessionError("ERR_CONFIG", `The database's URL ${problem}.`);
}

/** The text of a file that a parameter names. */
export function file(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw wrong(`names a file that cannot be read: ${(error as Error).message}`);
  }
}

function decoded(text: string | undefined): string | undefined {
  try {
    return decodeURIComponent(text ?? "") || undefined;
  } catch {
    throw wrong("has a % that begins no escape; % itself is %25");
  }
}

function portNumber(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw wrong("has a port that is none");
  return port;
}
