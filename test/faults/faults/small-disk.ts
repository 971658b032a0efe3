import { execFileSync } from "node:child_process";
import { closeSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../support/servers/server.ts";

export interface SmallDisk {
  /** Where it is mounted. */
  readonly directory: string;
  /** Leaves no room for another byte, or for another file. */
  fill(what: "bytes" | "files"): void;
  /** Takes back what filled it. */
  free(): void;
  setReadOnly(isReadOnly: boolean): void;
  remove(): void;
}

/**
 * A file system of our own, in memory. Mounting takes root.
 *
 * @param size as tmpfs has it, such as `64m`
 * @param files that there can be
 * @param user that it belongs to, and nobody else
 */
export function smallDisk(size: string, files: number, user = "root"): SmallDisk {
  const directory = temporaryDirectory();
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size},nr_inodes=${files},mode=700`, "tmpfs", directory]);
  execFileSync("chown", [user, directory]);
  let isMounted = true;
  function remove(): void {
    if (isMounted) execFileSync("umount", ["-l", directory]);
    isMounted = false;
  }
  // Also where the tests have failed at their start.
  process.prependOnceListener("exit", remove);
  const fillers = join(directory, "fillers");
  return {
    directory,
    fill(what) {
      if (what === "bytes") fillBytes(fillers);
      else fillFiles(directory, files);
    },
    free() {
      rmSync(fillers, { force: true });
      for (let n = 0; n < files; n++) rmSync(join(directory, `filler${n}`), { force: true });
    },
    setReadOnly: (isReadOnly) => {
      execFileSync("mount", ["-o", `remount,${isReadOnly ? "ro" : "rw"}`, directory], { stdio: "pipe" });
    },
    remove,
  };
}

function fillBytes(path: string): void {
  const file = openSync(path, "w");
  try {
    untilFull(() => writeSync(file, new Uint8Array(1 << 20)));
    // A write that does not fit is done in part, or not at all; tmpfs gives room by the page.
    untilFull(() => writeSync(file, new Uint8Array(4096)));
  } finally {
    closeSync(file);
  }
}

function fillFiles(directory: string, most: number): void {
  let n = 0;
  untilFull(() => {
    if (n >= most) throw new Error("the disk took more files than it can");
    writeFileSync(join(directory, `filler${n++}`), "");
  });
}

function untilFull(write: () => void): void {
  for (;;) {
    try {
      write();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOSPC") return;
      throw error;
    }
  }
}
