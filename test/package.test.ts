import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { freePort } from "./support/servers/server.ts";

/* The package as a user gets it: packed, and installed into an empty folder. */

const ROOT = new URL("../../", import.meta.url).pathname;

/** Bytes of all files, and of the JavaScript that an Express application loads; see docs/decisions/0006. */
const LIMIT = 550_000;
const LOADED_LIMIT = 160_000;

interface Packed {
  filename: string;
  unpackedSize: number;
  files: { path: string; size: number }[];
}

describe("the packed package", () => {
  let folder: string;
  let packed: Packed;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "sojourn-package-"));
    const output = npm(ROOT, "pack", "--json", "--ignore-scripts", "--pack-destination", folder);
    packed = JSON.parse(output)[0];
    writeFileSync(join(folder, "package.json"), '{ "name": "hello", "private": true }');
    npm(folder, "install", `./${packed.filename}`, "express@5", "libsql@0.5");
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  test("holds the built files and what a reader needs, nothing else", () => {
    for (const { path } of packed.files) {
      assert.match(path, /^(dist\/.*(\.js|\.d\.ts)|README\.md|LICENSE|package\.json)$/);
    }
  });

  test(`is under ${LIMIT / 1000} KB unpacked`, () => {
    assert.ok(packed.unpackedSize < LIMIT, `${packed.unpackedSize} bytes`);
  });

  test(`makes an application load under ${LOADED_LIMIT / 1000} KB of it`, () => {
    const dist = join(folder, "node_modules/sojourn/dist");
    const loaded = new Map<string, string>();
    const load = (file: string) => {
      if (loaded.has(file)) return;
      loaded.set(file, readFileSync(file, "utf8"));
      const imports = loaded.get(file)!.matchAll(/^(?:import|export) .*?from "(\.[^"]+)"/gm);
      for (const [, path] of imports) load(join(dirname(file), path!));
    };
    for (const entry of ["index.js", "adapters/express.js"]) load(join(dist, entry));
    const bytes = [...loaded.values()].reduce((sum, text) => sum + text.length, 0);
    assert.ok(loaded.size > 20, "imports were not found");
    assert.ok(bytes < LOADED_LIMIT, `${bytes} bytes`);
  });

  test("brings no other package along", () => {
    const { packages } = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8"));
    assert.equal(packages["node_modules/sojourn"].dependencies, undefined);
  });

  test("can be imported, and required, by every entry that package.json names", () => {
    const { exports } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    const names = Object.keys(exports)
      .filter((name) => name !== "./package.json")
      .map((name) => `sojourn${name.slice(1)}`);
    run(folder, "-e", `Promise.all(${JSON.stringify(names)}.map((name) => import(name)))`);
    run(
      folder,
      "-e",
      `for (const name of ${JSON.stringify(names)}) if (Object.keys(require(name)).length === 0) throw name`,
    );
  });

  test("has types that a strict TypeScript project takes, and that refuse a forgotten await", () => {
    writeFileSync(
      join(folder, "app.mts"),
      `import { createSessions, memoryStore, SessionError } from "sojourn";
       import { connect } from "sojourn/connect";
       import { fetchSessions } from "sojourn/fetch";
       import { nodeSessions } from "sojourn/node";
       import { adapterSuite, codecSuite, engineSuite, storeSuite, type TestFunction } from "sojourn/testing";
       import { fromDjangoSettings, type DjangoEngine } from "sojourn/django";
       import { createServer } from "node:http";
       interface Data { uid: string; cart: string[] }
       const sessions = createSessions<Data>({ secretKey: "x", store: memoryStore() });
       createServer(nodeSessions(sessions, async (req, res) => {
         const session = await sessions.get(req);
         const uid: string | undefined = session.get("uid");
         const cart: string[] = session.get("cart", []);
         session.set("uid", "1").data.cart?.push(uid ?? "", ...cart);
         // @ts-expect-error: a promise has no get
         sessions.get(req).get("uid");
         // @ts-expect-error: not a key of Data
         session.get("nope");
         // @ts-expect-error: not a value of uid
         session.set("uid", 1);
         res.end();
       }));
       const handler: (request: Request) => Promise<Response> = fetchSessions(sessions, async () => new Response());
       const code: string = new SessionError("ERR_CONFIG", "").code;
       const test: TestFunction = (name, body) => void body();
       storeSuite(test, ({ now }) => memoryStore({ now }), { binary: true });
       export { adapterSuite, codecSuite, connect, engineSuite, fromDjangoSettings, handler, code, type DjangoEngine };`,
    );
    cpSync(join(ROOT, "node_modules/@types/node"), join(folder, "node_modules/@types/node"), { recursive: true });
    cpSync(join(ROOT, "node_modules/undici-types"), join(folder, "node_modules/undici-types"), { recursive: true });
    const options =
      "--noEmit --strict --exactOptionalPropertyTypes --module nodenext --target es2023 --types node".split(" ");
    run(folder, join(ROOT, "node_modules/typescript/bin/tsc"), ...options, "app.mts");
  });

  test("lets a stranger's store run the suite", () => {
    writeFileSync(
      join(folder, "store.test.mjs"),
      `import { test } from "node:test";
       import { memoryStore } from "sojourn";
       import { storeSuite } from "sojourn/testing";
       storeSuite(test, ({ now }) => memoryStore({ now }), { binary: true });`,
    );
    run(folder, "--test", "store.test.mjs");
  });

  test("runs the README's first application, which still knows its visitor after a restart", async () => {
    const readme = readFileSync(join(ROOT, "README.md"), "utf8");
    const source = /`app\.mjs`:\n\n```js\n(.*?)```/s.exec(readme)![1]!;
    const command = /^node -p .*$/m.exec(readme)![0];
    const port = await freePort();
    writeFileSync(join(folder, "app.mjs"), source.replace("8000", String(port)));
    execFileSync("sh", ["-c", command], { cwd: folder, env: environment() });

    let cookie = "";
    const visit = async () => {
      const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { cookie } });
      cookie = response.headers.getSetCookie()[0]!.split(";")[0]!;
      return response.text();
    };
    for (const [first, second] of [
      ["Visit number 1", "Visit number 2"],
      ["Visit number 3", "Visit number 4"],
    ]) {
      const app = spawn(process.execPath, ["--env-file=.env", "app.mjs"], {
        cwd: folder,
        env: environment(),
        stdio: "inherit",
      });
      try {
        await answering(port, app);
        assert.equal(await visit(), first);
        assert.equal(await visit(), second);
      } finally {
        app.kill();
        await once(app, "exit");
      }
    }
  });
});

/** As a user's shell has it: without what npm and the test runner add. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_)/i.test(name)));
}

function npm(cwd: string, ...args: string[]): string {
  return execFileSync("npm", args, { cwd, env: environment(), encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
}

function run(cwd: string, ...args: string[]): void {
  const stdio = ["ignore", "ignore", "pipe"] as const;
  execFileSync(process.execPath, args, { cwd, env: environment(), stdio: [...stdio], encoding: "utf8" });
}

/** Resolves when something listens at the port; fails if the process ends before. */
async function answering(port: number, app: ReturnType<typeof spawn>): Promise<void> {
  while (app.exitCode === null) {
    try {
      // A request that touches no session.
      await fetch(`http://127.0.0.1:${port}/favicon.ico`);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  throw new Error(`The application ended with ${app.exitCode}.`);
}
