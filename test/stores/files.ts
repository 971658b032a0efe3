import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

/** A directory of this test file's own, removed at its end. */
export const directory: string = realpathSync(mkdtempSync(join(tmpdir(), "sojourn-")));
after(() => rmSync(directory, { recursive: true, force: true }));

let files = 0;

/** A path where there is no file yet. */
export function newFile(): string {
  return join(directory, `${files++}.sqlite3`);
}
