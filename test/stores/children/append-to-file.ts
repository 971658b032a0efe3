import { writeSync } from "node:fs";
import { SessionError } from "../../../src/core/errors.ts";
import { fileStore } from "../../../src/stores/file/store.ts";

/* Appends numbers to one session, without end or as many as it is told; prints each that was acknowledged, at once. */

const [directory, key, name, count = "Infinity"] = process.argv.slice(2) as [string, string, string, string?];
const store = fileStore(directory);
const expiresAt = new Date(Date.now() + 3_600_000);

async function append(text: string): Promise<void> {
  for (;;) {
    try {
      const before = Buffer.from((await store.load(key))!.payload).toString();
      // An answer that was a fault does not say that nothing was written.
      if (before.includes(text)) return;
      if (await store.update(key, { payload: before + text, expiresAt }, before)) return;
    } catch (error) {
      // As a client does that was answered 503 with Retry-After.
      if (!(error instanceof SessionError && error.status === 503)) throw error;
    }
  }
}

for (let n = 0; n < Number(count); n++) {
  await append(`${name}.${n};`);
  writeSync(1, `${name}.${n};`);
}
