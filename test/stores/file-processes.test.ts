import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { SessionStore } from "../../src/core/contracts.ts";
import { fileStore } from "../../src/stores/file/store.ts";
import { pseudoRandom } from "../../src/testing/codec-values.ts";
import { until } from "../support/servers/server.ts";
import { list, newDirectory } from "./file-directory.ts";

const key = "abcdefghijklmnopqrstuvwxyz012345";
const expiresAt = new Date(Date.now() + 3_600_000);

const running = new Set<ChildProcess>();
afterEach(() => {
  for (const child of running) child.kill("SIGKILL");
});

interface Writer {
  readonly process: ChildProcess;
  /** What was acknowledged to it so far. */
  acknowledged(): string[];
  /** Resolves at its first acknowledged write, or its end. */
  readonly begun: Promise<unknown>;
  readonly ended: Promise<unknown>;
}

function startWriter(directory: string, name: string, ...count: string[]): Writer {
  const path = fileURLToPath(new URL("./children/append-to-file.js", import.meta.url));
  const child = spawn(process.execPath, [path, directory, key, name, ...count], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.add(child);
  let output = "";
  child.stdout.on("data", (text) => (output += text));
  const ended = once(child, "close").then(() => running.delete(child));
  return {
    process: child,
    acknowledged: () => output.split(";").slice(0, -1),
    begun: Promise.race([once(child.stdout, "data"), ended]),
    ended,
  };
}

async function contentOf(store: SessionStore): Promise<string[]> {
  const loaded = await store.load(key);
  assert.ok(loaded, "the session is gone");
  const text = Buffer.from(loaded.payload).toString();
  assert.match(text, /^(\w+\.\d+;)*$/, "the session is torn");
  return text.split(";").slice(0, -1);
}

async function withSession(): Promise<{ directory: string; store: SessionStore }> {
  const directory = newDirectory();
  const store = fileStore(directory);
  await store.create(key, { payload: "", expiresAt });
  return { directory, store };
}

describe("several processes on one session file", () => {
  test("lose no write, and leave nothing behind", async () => {
    const { directory, store } = await withSession();
    const writers = [0, 1, 2, 3].map((n) => startWriter(directory, `writer${n}`, "25"));
    await Promise.all(writers.map(({ ended }) => ended));
    const expected = writers.flatMap((_, writer) => Array.from({ length: 25 }, (_, n) => `writer${writer}.${n}`));
    assert.deepEqual((await contentOf(store)).sort(), expected.sort());
    assert.deepEqual(list(directory), [`sessionid${key}`]);
  });

  test("lose no acknowledged write while 60 of them are killed, and readers always see a whole session", async () => {
    const { directory, store } = await withSession();
    const writers: Writer[] = [];
    let isOver = false;

    async function killAgainAndAgain(chain: number): Promise<void> {
      const next = pseudoRandom(chain);
      for (let round = 0; round < 20; round++) {
        const writer = startWriter(directory, `writer${chain}x${round}`);
        writers.push(writer);
        await writer.begun;
        // In the middle of one of its next writes.
        await sleep(next() * 30);
        writer.process.kill("SIGKILL");
        await writer.ended;
      }
    }
    async function readAgainAndAgain(): Promise<void> {
      for (let before = 0; !isOver; ) {
        const { length } = await contentOf(store);
        assert.ok(length >= before, "an older session came back");
        before = length;
      }
    }

    const reading = readAgainAndAgain();
    await Promise.all([0, 1, 2].map(killAgainAndAgain));
    isOver = true;
    await reading;

    // One last writer has to get past what the killed have left.
    const last = startWriter(directory, "last", "1");
    await last.ended;
    const written = await contentOf(store);
    const acknowledged = [...writers, last].flatMap((writer) => writer.acknowledged());
    assert.deepEqual(
      acknowledged.filter((entry) => !written.includes(entry)),
      [],
      "acknowledged, and lost",
    );
    assert.equal(new Set(written).size, written.length, "written twice");
    // Each of the killed may have written one more than it could tell.
    assert.ok(written.length <= acknowledged.length + 60);
    assert.ok(acknowledged.length > 60);
    assert.deepEqual(
      list(directory).filter((name) => !name.startsWith(".")),
      [`sessionid${key}`],
    );
  });

  test("lose no write of a process that was stopped for long, nor of those that went on", async () => {
    const { directory, store } = await withSession();
    const writers = [0, 1].map((n) => startWriter(directory, `writer${n}`));
    await Promise.all(writers.map(({ begun }) => begun));
    const next = pseudoRandom(1);
    for (let round = 0; round < 6; round++) {
      await sleep(next() * 20);
      const [stopped, other] = round % 2 ? [writers[0]!, writers[1]!] : [writers[1]!, writers[0]!];
      stopped.process.kill("SIGSTOP");
      // If it has the lock, this waits until it is taken away.
      const before = other.acknowledged().length;
      await until(async () => other.acknowledged().length >= before + 3, "the other writer");
      stopped.process.kill("SIGCONT");
    }
    for (const { process } of writers) process.kill("SIGKILL");
    await Promise.all(writers.map(({ ended }) => ended));
    const written = await contentOf(store);
    for (const entry of writers.flatMap((writer) => writer.acknowledged())) assert.ok(written.includes(entry), entry);
    assert.equal(new Set(written).size, written.length);
  });
});
