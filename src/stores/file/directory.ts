import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { codeOf } from "./disk.ts";

const WRITABLE_BY_ALL = 0o002;
const STICKY = 0o1000;

/** Why sessions cannot be kept there, and what to do; `undefined` if they can. */
export async function problemOf(directory: string): Promise<string | undefined> {
  try {
    const stats = await stat(directory);
    if (!stats.isDirectory()) return `${directory} is no directory, and cannot hold sessions.`;
    if (stats.mode & WRITABLE_BY_ALL && !(stats.mode & STICKY)) {
      return `Everyone may replace the sessions in the directory ${directory}. Run \`chmod 700 ${directory}\`.`;
    }
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") {
      return `There is no session directory ${directory}. Create it with \`npx sojourn migrate --store file:${directory}\`, or mount it.`;
    }
    if (code === "EACCES") {
      return `The session directory ${directory} is not this process's to read and write. Make it the owner, with mode 700.`;
    }
    // A file system that is mounted for reading can be read.
    if (code !== "EROFS") throw error;
  }
  return undefined;
}
