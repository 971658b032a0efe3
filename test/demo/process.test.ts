import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { demoClient } from "./demo-client.ts";

const SERVER = fileURLToPath(new URL("../../examples/demo/server.js", import.meta.url));

describe("The demo's process", () => {
  let folder: string;
  let running: ChildProcess[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "sojourn-demo-"));
    running = [];
  });
  afterEach(() => {
    for (const child of running) child.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  });

  /** Starts it, and waits until it listens or ends. */
  async function start(environment: Record<string, string> = {}) {
    const child = spawn(process.execPath, [SERVER], {
      cwd: folder,
      env: { PATH: process.env.PATH, PORT: "0", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.push(child);
    const output = { stdout: "", stderr: "" };
    const closed = once(child, "close").then(([code]) => code as number | null);
    child.stderr.setEncoding("utf8").on("data", (text) => {
      output.stderr += text;
    });
    const listening = new Promise<void>((resolve) => {
      child.stdout.setEncoding("utf8").on("data", (text) => {
        output.stdout += text;
        if (output.stdout.includes("kept in")) resolve();
      });
    });
    await Promise.race([listening, closed]);
    const address = /http:\S+/.exec(output.stdout)?.[0] ?? "";
    const stop = (signal: "SIGTERM" | "SIGINT" = "SIGTERM") => {
      child.kill(signal);
      return closed;
    };
    return { output, closed, stop, address, client: demoClient(address || "http://localhost") };
  }

  async function refusal(environment: Record<string, string>): Promise<string> {
    const { output, closed } = await start(environment);
    assert.equal(await closed, 1);
    assert.equal(output.stdout, "");
    assert.match(output.stderr, /^The demo cannot start: .+\n$/, "one line, no stack");
    return output.stderr;
  }

  function settingsFile(text: string): string {
    const path = join(folder, "settings.json");
    writeFileSync(path, text);
    return path;
  }

  test("says its address and where the data lie", async () => {
    const { output, stop } = await start();
    assert.match(output.stdout, /http:\/\/127\.0\.0\.1:\d+\//);
    assert.ok(output.stdout.includes(join("data", "sessions.sqlite3")));
    assert.equal(await stop(), 0);
  });

  test("keeps the sessions over a restart", async () => {
    const first = await start();
    await first.client.get("/set_session/?uid=42");
    assert.equal(await first.stop("SIGTERM"), 0);
    const second = await start();
    second.client.cookies.set("sessionid", first.client.cookies.get("sessionid")!);
    assert.deepEqual((await second.client.get("/get_session/")).json, { data: { uid: 42 } });
    assert.equal(await second.stop("SIGINT"), 0);
  });

  test("finishes the answer it is giving when it is stopped", async () => {
    const { client, stop } = await start();
    await client.get("/set_session/");
    const slow = client.get("/slow/?s=0.3&k=1");
    // The answer to a later request shows that the slow one has arrived.
    await client.get("/noop/");
    const closed = stop();
    assert.equal((await slow).status, 200);
    assert.equal(await closed, 0);
  });

  test("makes a secret once, for nobody else to read", async () => {
    await (await start()).stop();
    const path = join(folder, "data", "secret-key");
    const secret = readFileSync(path, "utf8");
    assert.match(secret, /^[\w-]{64}\n$/);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    await (await start()).stop();
    assert.equal(readFileSync(path, "utf8"), secret);
  });

  test("shows neither the secret nor a session key in its output or on the page", async () => {
    const { client, output, stop } = await start();
    for (const path of ["/set_session/", "/cycle/", "/interrupted/", "/error/", "/status/?code=503"]) {
      await client.get(path);
    }
    const page = await client.get("/");
    await stop();
    const secret = readFileSync(join(folder, "data", "secret-key"), "utf8").trim();
    for (const hidden of [secret, client.cookies.get("sessionid")!]) {
      for (const text of [output.stdout, output.stderr, page.text]) assert.ok(!text.includes(hidden));
    }
  });

  test("takes its settings from the file that SOJOURN_SETTINGS names", async () => {
    const settings = {
      SECRET_KEY: "a-secret-of-the-settings-file-0123456789",
      DATABASES: { default: { ENGINE: "django.db.backends.sqlite3", NAME: join(folder, "db.sqlite3") } },
      SESSION_COOKIE_NAME: "sid",
      SESSION_COOKIE_AGE: 60,
    };
    const { client, output, stop } = await start({ SOJOURN_SETTINGS: settingsFile(JSON.stringify(settings)) });
    const answer = await client.get("/set_session/");
    assert.match(answer.headers.get("Set-Cookie")!, /^sid=.*; Max-Age=60;/);
    assert.ok(output.stdout.includes(join(folder, "db.sqlite3")));
    assert.ok(!output.stdout.includes(settings.SECRET_KEY));
    await stop();
  });

  test("with another secret reads sessions as empty, and loses none", async () => {
    const first = await start();
    await first.client.get("/set_session/?uid=42");
    await first.stop();
    const key = first.client.cookies.get("sessionid")!;

    const other = await start({ SOJOURN_SECRET_KEY: "another-secret-for-the-demo-0123456789" });
    other.client.cookies.set("sessionid", key);
    assert.deepEqual((await other.client.get("/get_session/")).json, { data: {} });
    assert.equal((await other.client.get("/")).status, 200);
    assert.equal(other.client.cookies.get("sessionid"), key);
    await other.stop();

    const again = await start();
    again.client.cookies.set("sessionid", key);
    assert.deepEqual((await again.client.get("/get_session/")).json, { data: { uid: 42 } });
    await again.stop();
  });

  test("does not start with a setting that it does not know, and names it", async () => {
    const message = await refusal({ SOJOURN_SETTINGS: settingsFile('{"SESSION_COOKIE_NAEM":"sid"}') });
    assert.match(message, /SESSION_COOKIE_NAEM/);
  });

  test("does not start with a setting that it cannot honour, and names it", async () => {
    assert.match(await refusal({ SOJOURN_SETTINGS: settingsFile('{"SESSION_COOKIE_AGE":-1}') }), /SESSION_COOKIE_AGE/);
    const nowhere = { default: { ENGINE: "django.db.backends.sqlite3", NAME: join(folder, "no", "folder", "db") } };
    assert.match(
      await refusal({ SOJOURN_SETTINGS: settingsFile(JSON.stringify({ DATABASES: nowhere })) }),
      /no.folder/,
    );
  });

  test("does not start with a settings file that is missing or no JSON, and quotes nothing of it", async () => {
    assert.match(await refusal({ SOJOURN_SETTINGS: "missing.json" }), /SOJOURN_SETTINGS=missing\.json cannot be read/);
    const message = await refusal({ SOJOURN_SETTINGS: settingsFile('{"SECRET_KEY":"hush" oops}') });
    assert.match(message, /is not valid JSON/);
    assert.doesNotMatch(message, /hush/);
    assert.match(await refusal({ SOJOURN_SETTINGS: settingsFile("[]") }), /is not a JSON object/);
  });

  test("does not start with a weak secret, and says where it came from but not what it is", async () => {
    const fromEnvironment = await refusal({ SOJOURN_SECRET_KEY: "hush" });
    assert.match(fromEnvironment, /SOJOURN_SECRET_KEY must be/);
    assert.doesNotMatch(fromEnvironment, /hush/);
    const fromFile = await refusal({ SOJOURN_SETTINGS: settingsFile('{"SECRET_KEY":"hush"}') });
    assert.match(fromFile, / SECRET_KEY must be/);
    assert.doesNotMatch(fromFile, /hush/);
  });

  test("does not start on a port that is taken or none, and names PORT", async () => {
    const squatter = createServer().listen(0, "127.0.0.1");
    await once(squatter, "listening");
    try {
      const { port } = squatter.address() as AddressInfo;
      assert.match(await refusal({ PORT: String(port) }), /taken.*PORT/);
    } finally {
      squatter.close();
    }
    assert.match(await refusal({ PORT: "http" }), /PORT=http/);
  });
});
