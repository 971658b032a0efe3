import { chmodSync, chownSync, mkdirSync, readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { directory } from "./files.ts";

let directories = 0;

/** An empty directory for sessions. */
export function newDirectory(): string {
  const path = join(directory, `sessions${directories++}`);
  mkdirSync(path, { mode: 0o700 });
  return path;
}

/** All names in it, hidden ones too. */
export function list(path: string): string[] {
  return readdirSync(path).sort();
}

export function age(path: string, ms: number): void {
  const then = new Date(Date.now() - ms);
  utimesSync(path, then, then);
}

/** Root may read and write everything, so it becomes somebody else for the moment, to whom the files then belong. */
export async function asNobody(files: readonly string[], act: () => Promise<void>): Promise<void> {
  if (process.geteuid!() !== 0) return act();
  const nobody = 65534;
  chmodSync(directory, 0o711);
  for (const path of files) chownSync(path, nobody, nobody);
  process.seteuid!(nobody);
  try {
    await act();
  } finally {
    process.seteuid!(0);
  }
}
