import { constants } from "node:os";
import { type Command, command } from "./command.ts";
import { EXIT, misuse } from "./faults.ts";
import { count, print, printJson } from "./output.ts";
import { progressBar } from "./progress-bar.ts";
import { expiresByItself, SETTINGS_OPTION, STORE_OPTION, shownUrl, source, withExistingStore } from "./source.ts";

export const clearsessions: Command = command({
  name: "clearsessions",
  summary: "delete expired sessions, in batches",
  options: {
    ...STORE_OPTION,
    ...SETTINGS_OPTION,
    "batch-size": { type: "string", value: "N", help: "sessions deleted in one step (default 100 to 1000, by store)" },
    json: { type: "boolean", help: 'print {"deleted":N,"seconds":S}' },
  },
  notes: [
    "Live sessions are not touched, and live traffic gets its turn between two batches. Several may run at once.",
    "Ctrl-C stops after the current batch: what was deleted stays deleted, and the exit code is 130.",
  ],
  example: "sojourn clearsessions --store sqlite:db.sqlite3 --batch-size 500",
  async run(_, options) {
    const batchSize = readBatchSize(options["batch-size"]);
    const from = source(options);
    if (expiresByItself(from.url)) {
      if (options.json) printJson({ deleted: 0, seconds: 0 });
      else print(`There is nothing to do: ${shownUrl(from.url)} removes expired sessions by itself.`);
      return EXIT.done;
    }
    const stop = stopOnSignal();
    const start = performance.now();
    const deleted = await withExistingStore(from, async (store) => {
      // Without a bar nobody asks how many there are to delete, which costs a scan.
      if (!process.stderr.isTTY) return store.deleteExpired({ batchSize, signal: stop.signal });
      const bar = progressBar(process.stderr);
      try {
        return await store.deleteExpired({ batchSize, signal: stop.signal, onProgress: bar.show });
      } finally {
        bar.clear();
      }
    });
    const seconds = Math.round(performance.now() - start) / 1000;
    const exitCode = stop.exitCode();
    if (options.json) printJson({ deleted, seconds });
    else {
      const result = `Deleted ${count(deleted, "expired session")} in ${seconds} s.`;
      print(exitCode === EXIT.done ? result : `Stopped. ${result} Run it again for the rest.`);
    }
    return exitCode;
  },
});

function readBatchSize(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const size = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(size) || size === 0) {
    throw misuse("--batch-size must be a whole number of sessions, from 1");
  }
  return size;
}

/** Stops on the first signal, after the batch at hand; a second one ends the process at once. */
function stopOnSignal(): { signal: AbortSignal; exitCode(): number } {
  const controller = new AbortController();
  let exitCode: number = EXIT.done;
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => {
      // A shell's number for a command that a signal ended.
      exitCode = 128 + constants.signals[name];
      controller.abort();
    });
  }
  return { signal: controller.signal, exitCode: () => exitCode };
}
