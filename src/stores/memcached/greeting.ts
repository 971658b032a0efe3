import type { Connection } from "./connection.ts";
import { unavailable, unusable } from "./faults.ts";

/** memcached's own default for -I; also where the server does not tell. */
const DEFAULT_MAX_ITEM_BYTES = 1024 * 1024;

/**
 * Finds out whether a server can be used, and gives the bytes that an item may have there.
 *
 * Before that nothing else is sent: a server that does not know the meta protocol would take what is in a session for
 * commands.
 */
export async function greet(connection: Connection, where: string): Promise<number> {
  let maxItemBytes = DEFAULT_MAX_ITEM_BYTES;
  await Promise.all([
    connection.send("mg sojourn:probe O0\r\n", (line) => speaksMeta(line, where)),
    connection.send("stats settings\r\n", (line) => {
      if (line === "STAT cas_enabled no") throw unusable(where, "cannot tell versions apart. Start it without -C.");
      const [, bytes] = /^STAT item_size_max (\d{4,10})$/.exec(line) ?? [];
      if (bytes) maxItemBytes = Number(bytes);
      // Anything else is the end. A proxy may know no statistics.
      return line.startsWith("STAT ") ? undefined : true;
    }),
  ]);
  return maxItemBytes;
}

/** @param line the answer to a command that changes nothing */
function speaksMeta(line: string, where: string): true {
  if (line.endsWith(" O0")) return true;
  if (line === "CLIENT_ERROR unauthenticated") throw unusable(where, "wants a password, which is not supported.");
  if (line === "ERROR Too many open connections") throw unavailable(where, "has no connection left. Raise its -c.");
  // It has no meta commands, or does not repeat the opaque when it answers a miss (memcached#880).
  if (/^(ERROR|EN|OK|HD)/.test(line)) throw unusable(where, "is too old: 1.6.18 or later is needed.");
  throw new Error("not memcached");
}
