import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { countSessions, hasTerminal, newStore, onTerminal, sojourn, start, storeWithExpired } from "./support.ts";

/** So many that a clean-up one by one is never done before a signal has arrived. */
const MANY = 30_000;

describe("sojourn clearsessions", () => {
  test("deletes what has expired and nothing else; without a terminal it prints one line", async () => {
    const { url, path } = await storeWithExpired(2500);
    const { code, stdout, stderr } = sojourn(["clearsessions", "--store", url]);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, /^Deleted 2,500 expired sessions in [\d.]+ s\.\n$/);
    assert.deepEqual([countSessions(path, "expired"), countSessions(path, "live")], [0, 3]);
  });

  test("--json prints the count and the seconds", async () => {
    const { url } = await storeWithExpired(7);
    const { code, stdout, stderr } = sojourn(["clearsessions", "--store", url, "--json", "--batch-size", "2"]);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    const { deleted, seconds, ...rest } = JSON.parse(stdout);
    assert.deepEqual({ deleted, rest, seconds: typeof seconds }, { deleted: 7, rest: {}, seconds: "number" });
  });

  test("with nothing to delete it says so", async () => {
    const { url } = await newStore();
    assert.match(sojourn(["clearsessions", "--store", url]).stdout, /^Deleted 0 expired sessions in /);
  });

  for (const url of ["redis://:hush@127.0.0.1:1/0", "memcached://127.0.0.1:1"]) {
    test(`${url.split(":")[0]} expires sessions by itself: that is said, and the server not even asked`, () => {
      const { code, stdout, stderr } = sojourn(["clearsessions", "--store", url]);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      assert.equal(
        stdout,
        `There is nothing to do: ${url.replace("hush", "***")} removes expired sessions by itself.\n`,
      );
      assert.equal(sojourn(["clearsessions", "--store", url, "--json"]).stdout, '{"deleted":0,"seconds":0}\n');
    });
  }

  for (const size of ["0", "-1", "1.5", "many", "", "1e3"]) {
    test(`--batch-size=${size} is misuse`, async () => {
      const { url, path } = await storeWithExpired(1);
      const { code, stdout, stderr } = sojourn(["clearsessions", "--store", url, `--batch-size=${size}`]);
      assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
      assert.match(stderr, /^sojourn: --batch-size must be a whole number of sessions, from 1\n$/);
      assert.equal(countSessions(path, "expired"), 1);
    });
  }

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    test(`${signal} stops it after a batch, with what was deleted reported, exit code ${code}`, async () => {
      const { url, path } = await storeWithExpired(MANY);
      const child = start(["clearsessions", "--store", url, "--batch-size", "1", "--json"]);
      let stdout = "";
      child.stdout.setEncoding("utf8").on("data", (text) => {
        stdout += text;
      });
      const closed = new Promise((resolve) => child.on("close", resolve));
      while (countSessions(path, "expired") === MANY && child.exitCode === null) await setImmediate();
      child.kill(signal);
      assert.equal(await closed, code);
      const { deleted } = JSON.parse(stdout);
      assert.equal(deleted > 0 && deleted < MANY, true, stdout);
      assert.deepEqual([countSessions(path, "expired"), countSessions(path, "live")], [MANY - deleted, 3]);
    });
  }

  describe("on a terminal", { skip: !hasTerminal && "no `script` here" }, () => {
    test("shows a bar with percent, count and rate, and leaves only the result", async () => {
      const { url } = await storeWithExpired(2500);
      const { code, screen } = await onTerminal(["clearsessions", "--store", url, "--batch-size", "100"]);
      assert.equal(code, 0);
      assert.match(screen, /^\r█+░+ +4 % {2}100 of 2,500 {2}[\d,]+\/s␛\[K/);
      assert.match(screen, /\r█{40} 100 % {2}2,500 of 2,500 {2}[\d,]+\/s␛\[K/);
      assert.match(screen, /\r␛\[KDeleted 2,500 expired sessions in [\d.]+ s\.\r\n$/);
    });

    test("with nothing to delete there is no bar", async () => {
      const { url } = await newStore();
      const { screen } = await onTerminal(["clearsessions", "--store", url]);
      assert.match(screen, /^Deleted 0 expired sessions in [\d.]+ s\.\r\n$/);
    });

    test("Ctrl-C stops it after a batch and says how to go on", async () => {
      const { url, path } = await storeWithExpired(MANY);
      let typed = false;
      const { code, screen } = await onTerminal(["clearsessions", "--store", url, "--batch-size", "1"], {}, (type) => {
        if (!typed) type("\x03");
        typed = true;
      });
      assert.equal(code, 130);
      const deleted = Number(/Stopped\. Deleted ([\d,]+) expired session/.exec(screen)?.[1]?.replaceAll(",", ""));
      assert.match(screen, /Run it again for the rest\.\r\n$/);
      assert.equal(countSessions(path, "expired"), MANY - deleted);
    });
  });
});
