import { hostAndPort, type SettingsDict, storeUrl, wrong } from "./settings-dict.ts";

export interface RedisLogin {
  readonly user?: string | null;
  readonly password?: string | null;
  readonly db?: number | null;
}

/**
 * A URL of redis-py (`redis://`, `rediss://`, `unix://`) as one of ours.
 *
 * @param login what stands in settings of its own, and wins over the URL as it does in Python
 * @param name the setting, for errors, which never show the URL: it may hold a password
 */
export function redisUrl(text: string, login: RedisLogin, name: string): string {
  const url = parseUrl(text, name);
  const parameters = url.searchParams;
  const db = login.db ?? integerIn(parameters.get("db") ?? url.pathname.slice(1), name);
  const user = login.user ?? decoded(url.username, name);
  const password = login.password ?? (decoded(url.password, name) || parameters.get("password"));
  const ca = parameters.get("ssl_ca_certs");
  const certificates = parameters.get("ssl_cert_reqs") ?? "required";
  if (certificates !== "required") throw wrong(name, "turns off TLS verification (ssl_cert_reqs), which we do not");
  const unknown = [...parameters.keys()].find((key) => !KNOWN.includes(key));
  if (unknown !== undefined) throw wrong(name, `has the parameter ${unknown}, which is not supported`);
  if (url.protocol === "unix:") {
    const query = { db: integerIn(parameters.get("db") ?? "", name) ?? login.db ?? null };
    return storeUrl({ scheme: "redis+unix", user, password, path: url.pathname, query });
  }
  return storeUrl({
    scheme: url.protocol.slice(0, -1),
    user,
    password,
    address: hostAndPort(url.hostname || "localhost", Number(url.port || 6379)),
    path: `/${db ?? 0}`,
    query: { ca },
  });
}

const KNOWN: readonly string[] = ["db", "password", "ssl_ca_certs", "ssl_cert_reqs"];

function parseUrl(text: string, name: string): URL {
  try {
    const url = new URL(text);
    if (["redis:", "rediss:", "unix:"].includes(url.protocol)) return url;
  } catch {
    // The parser's message quotes the URL.
  }
  throw wrong(name, "must be a URL that begins with redis://, rediss:// or unix://");
}

function decoded(text: string, name: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong(name, "has a % that begins no escape: write %25");
  }
}

function integerIn(text: string, name: string): number | null {
  if (text === "") return null;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw wrong(name, "names a database that is not a number");
}

/** @param sentinels `[["host", port], …]` */
export function sentinelUrl(
  sentinels: unknown,
  master: string,
  login: RedisLogin & { readonly sentinelPassword?: string | null },
  name: string,
): string {
  const addresses = (Array.isArray(sentinels) ? sentinels : []).map((sentinel) => {
    const [host, port] = Array.isArray(sentinel) ? sentinel : [];
    if (typeof host !== "string" || !Number.isInteger(port)) throw wrong(name, "must be a list of [host, port]");
    return hostAndPort(host, port);
  });
  if (addresses.length === 0) throw wrong(name, "must be a list of [host, port]");
  return storeUrl({
    scheme: "redis+sentinel",
    user: login.user ?? null,
    password: login.password ?? null,
    address: addresses.join(","),
    path: `/${encodeURIComponent(master)}`,
    query: { db: login.db ?? null, sentinelPassword: login.sentinelPassword ?? null },
  });
}

/** Settings of django-redis-sessions: top-level in 0.5, a dict from 0.6 on. */
export function redisSessionsLocation(django: SettingsDict): { url: string; prefix: string } {
  const dict = django.dict("SESSION_REDIS");
  const text = (key: string) => dict.text(key.toLowerCase()) ?? django.text(`SESSION_REDIS_${key}`);
  const integer = (key: string) => dict.integer(key.toLowerCase()) ?? django.integer(`SESSION_REDIS_${key}`);
  for (const key of ["socket_timeout", "retry_on_timeout"]) {
    dict.ignore(key);
    django.ignore(`SESSION_REDIS_${key.toUpperCase()}`);
  }
  const login = { password: text("PASSWORD"), db: integer("DB") };
  const prefix = text("PREFIX");
  const [url, socket, host, port] = [text("URL"), text("UNIX_DOMAIN_SOCKET_PATH"), text("HOST"), integer("PORT")];
  const sentinels = django.value("SESSION_REDIS_SENTINEL_LIST") ?? null;
  const master = django.text("SESSION_REDIS_SENTINEL_MASTER_ALIAS");
  const sentinelPassword = django.text("SESSION_REDIS_SENTINEL_PASSWORD");
  dict.finish();

  const location = { prefix: prefix === null ? "" : `${prefix}:` };
  if (sentinels !== null) {
    if (master === null) throw wrong("SESSION_REDIS_SENTINEL_MASTER_ALIAS", "is missing");
    const name = "SESSION_REDIS_SENTINEL_LIST";
    return { ...location, url: sentinelUrl(sentinels, master, { ...login, sentinelPassword }, name) };
  }
  // The package leaves a URL as it is: password and database stand in it.
  if (url !== null) return { ...location, url: redisUrl(url, {}, "SESSION_REDIS url") };
  if (socket !== null) {
    const { password, db } = login;
    return { ...location, url: storeUrl({ scheme: "redis+unix", password, path: socket, query: { db } }) };
  }
  const address = hostAndPort(host ?? "localhost", port ?? 6379);
  return { ...location, url: storeUrl({ scheme: "redis", ...login, address, path: `/${login.db ?? 0}` }) };
}
