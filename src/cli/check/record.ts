import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { LoadedRecord } from "../../core/contracts.ts";
import { connectDjangoStore, type StoreLocation } from "../../django.ts";
import { describe } from "../faults.ts";
import { expiresByItself, type FileSettings, withExistingStore } from "../source.ts";
import type { Checklist } from "./checklist.ts";
import { places } from "./places.ts";

/** The clock of a store that shows what has expired as well. */
const EPOCH = new Date(0);

/** What lies under a key, expired or not. Throws what the server throws. */
export function findRecord(key: string, location: StoreLocation, settings: FileSettings): Promise<LoadedRecord | null> {
  const { url } = location;
  // Which engine it is makes a difference for writing only.
  const connect = () =>
    connectDjangoStore({ name: "db", store: location }, { ...settings.settings, now: () => EPOCH }, settings.format);
  return withExistingStore({ url, settings, connect }, (store) => store.load(key));
}

/** Why there is nothing under the key, as far as it can be known: it looks where two servers may disagree. */
export async function whyMissing(key: string, settings: FileSettings): Promise<string> {
  const { engine } = settings;
  const ignored = engine.name === "file" ? whyIgnored(key, engine.store) : null;
  if (ignored !== null) return ignored;
  const unreachable = new Set<string>();
  for (const place of places(settings)) {
    // All databases of a Redis are one server.
    const server = place.url.replace(/\/\d+$/, "");
    if (unreachable.has(server)) continue;
    try {
      if ((await findRecord(key, place, settings)) !== null) return `it is ${place.where}. ${place.advice}`;
    } catch {
      unreachable.add(server);
    }
  }
  const gone = "was deleted (by a logout, a login that gave it a new key, or a clean-up), or never was here";
  return expiresByItself(engine.store?.url ?? "")
    ? `it ${gone}, or has expired or was evicted: this server keeps nothing that would tell`
    : `it ${gone}: is this the storage that the other server uses?`;
}

/** Of cached_db, whose truth is the database: no fault of the cache keeps anyone from reading a session. */
export async function noteCache(
  key: string,
  cache: StoreLocation,
  settings: FileSettings,
  list: Checklist,
): Promise<void> {
  list.begin("cache");
  if (cache.url.startsWith("memory:")) {
    list.warn(
      "it is each process's own memory (LocMemCache): Django's processes do not see there what others change. Use Redis or memcached, or the engine db",
    );
    return;
  }
  try {
    const entry = await findRecord(key, cache, settings);
    list.ok(entry ? "it is there as well" : "it is not there: it will be when it is read");
  } catch (error) {
    list.warn(`it cannot be asked, and sessions are read from the database alone: ${describe(error)}`);
  }
}

/** Of a file that the store does not take for a session of this project. */
function whyIgnored(key: string, { url, prefix = "" }: StoreLocation): string | null {
  const directory = url.replace(/^file:/, "");
  try {
    const stats = lstatSync(join(directory, prefix + key), { throwIfNoEntry: false });
    if (stats?.isFile()) {
      return `its file belongs to user ${stats.uid}, and this process is user ${process.geteuid!()}: run both servers, and this command, as one user`;
    }
    const other = readdirSync(directory).find((name) => name.endsWith(key));
    if (other === undefined) return null;
    const begin = JSON.stringify(other.slice(0, -key.length));
    return `it is in a file that begins with ${begin}. Give both servers the same SESSION_COOKIE_NAME, with which files begin`;
  } catch {
    // The error would show the path, and so the key.
    return null;
  }
}
