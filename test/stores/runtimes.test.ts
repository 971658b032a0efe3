import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const runtimes = `${root}test/runtimes/`;
const suite = fileURLToPath(new URL("./children/suite-on-driver.js", import.meta.url));

/** Where a driver is installed: better-sqlite3 13 beside the runtimes that can load it. */
const DRIVERS = { "node:sqlite": runtimes, "better-sqlite3": runtimes, libsql: root };

describe("SQLite under newer Nodes", () => {
  for (const runtime of ["node22", "node24"]) {
    const node = `${runtimes}node_modules/${runtime}/bin/node`;
    const skip = !existsSync(node) && "not installed: npm ci --prefix test/runtimes";

    for (const [driver, from] of Object.entries(DRIVERS)) {
      test(`${runtime} with ${driver} keeps the store contract`, { skip }, () => {
        const { stdout, stderr } = spawnSync(node, [suite, driver, from], { encoding: "utf8", timeout: 120_000 });
        const { cases, failed } = JSON.parse(stdout || `{"failed":${JSON.stringify([stderr])}}`);
        assert.deepEqual(failed, []);
        assert.ok(cases > 60);
      });
    }
  }
});
