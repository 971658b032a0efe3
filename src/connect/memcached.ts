import { SessionError } from "../core/errors.ts";
import { memcachedClient } from "../stores/memcached/client.ts";
import { memcachedStore } from "../stores/memcached/store.ts";
import type { ConnectedStore, ConnectSettings } from "./connected-store.ts";

/** @param url `memcached://host`, `memcached://host:port` or `memcached:///path/to/socket`, the path taken as it is */
export async function connectMemcached(url: string, settings: ConnectSettings): Promise<ConnectedStore> {
  const { prefix, flags, connectTimeoutMs, operationTimeoutMs: timeoutMs, now } = settings;
  const client = memcachedClient({ ...address(url), connectTimeoutMs, timeoutMs });
  return {
    ...memcachedStore(client, { prefix, flags, now }),
    migrate: async () => false,
    close: async () => client.close(),
  };
}

/** The URL stands in no message: it may hold a password. */
function address(url: string): { path: string } | { host: string; port: number } {
  const rest = url.replace(/^memcached:(?:\/\/)?/, "");
  if (/^\/./.test(rest)) return { path: rest };
  if (rest.includes("@")) throw wrong("Names and passwords for memcached are not supported.");
  if (/[,;]/.test(rest)) {
    throw wrong("Several memcached servers are not supported: each client library chooses among them in its own way.");
  }
  const [, host, port = "11211"] = /^(\[[\da-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?\/?$/i.exec(rest) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) throw wrong("The URL is wrong.");
  return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
}

function wrong(why: string): SessionError {
  return new SessionError("ERR_CONFIG", `${why} Use memcached://host:port or memcached:///path/to/socket`);
}
