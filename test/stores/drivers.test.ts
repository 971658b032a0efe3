import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { directory } from "./files.ts";

const dist = fileURLToPath(new URL("../../../dist", import.meta.url));
const runtimes = fileURLToPath(new URL("../../../test/runtimes/node_modules", import.meta.url));
const hasNodeApi10 = Number(process.versions.napi) >= 10;

const LOADS = `
  module.exports = class {
    constructor(path) { console.log(NAME, "opened", path); }
    exec(sql) { if (sql.includes("busy_timeout")) console.log(NAME, "waits", sql.split(" = ")[1]); }
    prepare() { return { all: () => [], run: () => ({ changes: 0 }) }; }
    close() { console.log(NAME, "closed"); }
  };`;
const CRASHES = `process.kill(process.pid, "SIGSEGV");`;
const THROWS = `throw new Error("no native binding for this platform");`;

interface Driver {
  version?: string;
  code: string;
}

let installations = 0;

/** The package as npm lays it out, with stand-ins for drivers beside it. */
function installation(drivers: Record<string, Driver | { link: string }>): string {
  const root = join(directory, `installation${installations++}`);
  const modules = join(root, "node_modules");
  mkdirSync(join(modules, "sojourn"), { recursive: true });
  cpSync(dist, join(modules, "sojourn", "dist"), { recursive: true });
  writeFileSync(join(modules, "sojourn", "package.json"), `{"type":"module"}`);
  for (const [name, driver] of Object.entries(drivers)) {
    if ("link" in driver) {
      symlinkSync(driver.link, join(modules, name));
      continue;
    }
    mkdirSync(join(modules, name));
    writeFileSync(join(modules, name, "package.json"), JSON.stringify({ name, version: driver.version ?? "0.5.29" }));
    writeFileSync(join(modules, name, "index.js"), driver.code.replaceAll("NAME", JSON.stringify(name)));
  }
  return root;
}

/** Connects in a process of its own, where `node:sqlite` is what `builtin` says; what it printed. */
function connecting(root: string, builtin = "undefined", url = "sqlite:file.sqlite3"): string {
  const script = `
    const getBuiltinModule = process.getBuiltinModule;
    process.getBuiltinModule = (name) => name === "node:sqlite" ? ${builtin} : getBuiltinModule(name);
    const { connect } = await import("./node_modules/sojourn/dist/connect.js");
    try {
      const store = await connect(${JSON.stringify(url)});
      await store.migrate();
      await store.close();
    } catch (error) {
      console.log(error.name, error.code, error.message);
    }`;
  const { stdout, stderr, status, signal } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: root,
    encoding: "utf8",
    timeout: 60_000,
  });
  assert.deepEqual({ status, signal }, { status: 0, signal: null }, stderr);
  return stdout.trim();
}

/** No driver waits for a lock by itself, for then the whole process waits; better-sqlite3 would for 5 s. */
const uses = (name: string) => `${name} opened file.sqlite3\n${name} waits 0\n${name} closed`;

describe("the SQLite driver", () => {
  test("is node:sqlite where Node has it, and no other is loaded", () => {
    const root = installation({ "better-sqlite3": { version: "12.11.1", code: CRASHES }, libsql: { code: CRASHES } });
    const builtin = `{ DatabaseSync: (() => { const module = {};${LOADS.replaceAll("NAME", '"node:sqlite"')}; return module.exports; })() }`;
    assert.equal(connecting(root, builtin), uses("node:sqlite"));
  });

  test("is else better-sqlite3", () => {
    const root = installation({ "better-sqlite3": { version: "12.11.1", code: LOADS }, libsql: { code: CRASHES } });
    assert.equal(connecting(root), uses("better-sqlite3"));
  });

  test("is else libsql", () => {
    assert.equal(connecting(installation({ libsql: { code: LOADS } })), uses("libsql"));
  });

  test("is better-sqlite3 13 only where Node has the Node-API 10 that it crashes without", () => {
    const root = installation({
      "better-sqlite3": { version: "13.2.0", code: hasNodeApi10 ? LOADS : CRASHES },
      libsql: { code: LOADS },
    });
    assert.equal(connecting(root), uses(hasNodeApi10 ? "better-sqlite3" : "libsql"));
  });

  test("is missing where better-sqlite3 13 would crash and nothing else is installed", { skip: hasNodeApi10 }, () => {
    const root = installation({ "better-sqlite3": { version: "13.2.0", code: CRASHES } });
    assert.match(connecting(root), /^SessionError ERR_CONFIG .*npm install libsql/);
  });

  test("never is the real better-sqlite3 13 where it would crash", {
    skip: hasNodeApi10 || (!existsSync(join(runtimes, "better-sqlite3")) && "test/runtimes is not installed"),
  }, () => {
    const root = installation({
      "better-sqlite3": { link: join(runtimes, "better-sqlite3") },
      libsql: { code: LOADS },
    });
    assert.equal(connecting(root), uses("libsql"));
  });

  test("says what to install where there is none", () => {
    const message = connecting(installation({}));
    assert.match(message, /^SessionError ERR_CONFIG .*npm install libsql/);
    assert.match(message, /better-sqlite3@12/);
    assert.match(message, /Node 22\.13/);
  });

  for (const name of ["better-sqlite3", "libsql"]) {
    test(`says why where ${name} is installed but broken`, () => {
      const root = installation({ [name]: { version: "12.11.1", code: THROWS } });
      assert.equal(
        connecting(root),
        `SessionError ERR_CONFIG ${name} is installed but does not load: no native binding for this platform`,
      );
    });
  }
});

describe("the driver of a server", () => {
  for (const [url, name] of [
    ["postgres://me@127.0.0.1:1/a", "pg"],
    ["mysql://me@127.0.0.1:1/a", "mysql2"],
    ["redis://127.0.0.1:1", "redis"],
  ] as const) {
    test(`of ${url} is missing in one line that says what to install`, () => {
      const said = connecting(installation({}), "undefined", url);
      assert.match(said, new RegExp(`^SessionError ERR_CONFIG [^\\n]*\\bnpm install ${name}\\b[^\\n]*$`));
    });

    // Of mysql2 another file is loaded, which a stand-in would have to have.
    if (name === "mysql2") continue;
    test(`of ${url} says why where it is installed but broken`, () => {
      const said = connecting(installation({ [name]: { code: THROWS } }), "undefined", url);
      assert.equal(
        said,
        `SessionError ERR_CONFIG ${name} is installed but does not load: no native binding for this platform`,
      );
    });
  }
});
