import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { SessionError } from "../../core/errors.ts";
import { shownName } from "../database/location.ts";

/** Where Redis is and who asks: what a URL says. */
export interface RedisLocation {
  readonly kind: "server" | "socket" | "cluster" | "sentinel";
  /** Of the server, of nodes of the cluster, or of the sentinels. None for a socket. */
  readonly addresses: RedisAddress[];
  /** The socket's file, or the name that the sentinels have for the primary; else empty. */
  readonly path: string;
  readonly database: number;
  readonly login: RedisLogin;
  readonly sentinelLogin: RedisLogin;
  readonly tls?: RedisTls | undefined;
  /** For messages. */
  readonly name: string;
}

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

export interface RedisLogin {
  readonly username?: string;
  readonly password?: string;
}

/** PEM texts. */
export interface RedisTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

const SHAPE =
  /^(rediss?)(?:\+(unix|cluster|sentinel))?:\/\/(?:(?<user>[^:@/?#]*)(?::(?<password>[^@/?#]*))?@)?(?<hosts>[^@/?#]*)(?<path>\/[^?#]*)?(?:\?(?<query>[^@#]*))?$/;

/**
 * Throws `ERR_CONFIG` for a URL that is wrong. Shows none of it but names of parameters, files and hosts: it may hold a
 * password.
 */
export function redisLocation(url: string): RedisLocation {
  const match = SHAPE.exec(url);
  if (!match) throw wrong("is not of the form redis://user:password@host:6379/0; escape what is special, as %40 for @");
  const [, scheme, suffix] = match;
  const { user, password, hosts = "", path = "", query } = match.groups!;
  const parameters = new URLSearchParams(query);
  const take = (name: string): string | undefined => {
    const value = parameters.get(name) ?? undefined;
    parameters.delete(name);
    return value;
  };

  const location = {
    login: login(decoded(user), suffix === "unix" ? (take("password") ?? decoded(password)) : decoded(password)),
    sentinelLogin: suffix === "sentinel" ? login(take("sentinelUser"), take("sentinelPassword")) : {},
    tls: scheme === "rediss" ? certificates(take) : undefined,
  };
  const parsed = place(suffix, hosts, decoded(path.slice(1)) ?? "", suffix === "cluster" ? undefined : take("db"));
  const [unknown] = parameters.keys();
  if (unknown !== undefined) throw wrong(`has a parameter that means nothing here${shownName(unknown)}`);
  return { ...location, ...parsed };
}

function place(
  suffix: string | undefined,
  hosts: string,
  path: string,
  db: string | undefined,
): Pick<RedisLocation, "kind" | "addresses" | "path" | "database" | "name"> {
  if (suffix === "unix") {
    if (hosts !== "" || path === "") throw wrong("is not of the form redis+unix:///path/to/socket");
    return { kind: "socket", addresses: [], path: `/${path}`, database: database(db), name: `Redis at /${path}` };
  }
  const addresses = hosts.split(",").map((host) => address(host, suffix === "sentinel" ? 26379 : 6379));
  if (suffix === "sentinel") {
    // With an `@`, it is the rest of a password that was not escaped.
    if (path === "" || path.includes("@"))
      throw wrong("does not name the primary: redis+sentinel://host:26379,host:26379/name");
    const name = `Redis ${path} of the sentinels ${hosts}`;
    return { kind: "sentinel", addresses, path, database: database(db), name };
  }
  if (suffix === "cluster") {
    if (path !== "" && path !== "0") throw wrong("names a database, and a cluster has only one");
    return { kind: "cluster", addresses, path: "", database: 0, name: `Redis Cluster at ${hosts}` };
  }
  if (addresses.length > 1) throw wrong("names several hosts: use redis+cluster:// or redis+sentinel://");
  return { kind: "server", addresses, path: "", database: database(db ?? path), name: `Redis at ${hosts}` };
}

function address(text: string, defaultPort: number): RedisAddress {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/i.exec(text);
  const port = Number(match?.[3] ?? defaultPort);
  if (!match || port < 1 || port > 65_535) throw wrong("needs a host, and a port from 1 to 65535: host:6379");
  return { host: (match[1] ?? match[2])!, port };
}

function database(text = ""): number {
  if (/^\d{0,5}$/.test(text)) return Number(text);
  throw wrong("names a database that is not a number: redis://host:6379/0");
}

function login(username: string | undefined, password: string | undefined): RedisLogin {
  return { ...(username && { username }), ...((username || password) && { password: password ?? "" }) };
}

function certificates(take: (name: string) => string | undefined): RedisTls {
  const read = (name: string) => {
    const path = take(name);
    return path === undefined ? {} : { [name]: readFileSync(path) };
  };
  try {
    const tls: RedisTls = { ...read("ca"), ...read("cert"), ...read("key") };
    createSecureContext(tls);
    return tls;
  } catch (cause) {
    throw new SessionError("ERR_CONFIG", `The certificates of Redis cannot be used: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text && decodeURIComponent(text);
  } catch {
    throw wrong("has a % that begins no escape: write %25");
  }
}

function wrong(problem: string): SessionError {
  return new SessionError("ERR_CONFIG", `The Redis URL ${problem}.`);
}
