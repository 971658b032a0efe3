import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { installNewerDjangos, PYTHON_PACKAGES } from "./django/versions.ts";

/*
 * `npm test [path…]`: installs what the suite needs and the machine lacks, then runs it. What cannot be installed is
 * skipped by its tests, which say why.
 */

/** Debian packages, and a file by which each is recognized. */
const PACKAGES: Readonly<Record<string, string>> = {
  chromium: "/usr/bin/chromium",
  faketime: "/usr/bin/faketime",
  "mariadb-server": "/usr/sbin/mariadbd",
  memcached: "/usr/bin/memcached",
  openssl: "/usr/bin/openssl",
  postgresql: "/usr/lib/postgresql/15/bin/postgres",
  "redis-server": "/usr/bin/redis-server",
  ...PYTHON_PACKAGES,
};

const RUNTIMES = "test/runtimes";

/** A file that takes longer hangs, and is named as failed. */
const FILE_TIMEOUT_MS = 15 * 60_000;

installPackages();
installRuntimes();
installNewerDjangos();

const wanted = process.argv.slice(2).map((path) => path.replace(/\.ts$/, ".js"));
const files = readdirSync("build/test", { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".test.js"))
  .map((file) => join("build/test", file))
  .filter((file) => wanted.length === 0 || wanted.some((path) => file.includes(path)))
  .sort();
const { status } = spawnSync(
  process.execPath,
  [
    "--enable-source-maps",
    "--test",
    // Node's default on two cores is one file at a time; but half of what the tests do is waiting for a server.
    `--test-concurrency=${Math.max(2, availableParallelism() - 1)}`,
    `--test-timeout=${FILE_TIMEOUT_MS}`,
    "--test-reporter=./build/test/support/reporter.js",
    ...files,
  ],
  { stdio: "inherit" },
);
process.exitCode = status ?? 1;

/** The servers and the browser of the tests: Debian's. */
function installPackages(): void {
  const missing = Object.keys(PACKAGES).filter((name) => !existsSync(PACKAGES[name]!));
  if (missing.length === 0 || process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return;
  console.log(`Installing for the tests (apt-get, up to 350 MB): ${missing.join(", ")} …`);
  const apt = (...args: string[]) =>
    execFileSync("apt-get", ["-qq", "-o", "DPkg::Lock::Timeout=600", ...args], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
  // The tests start private servers; Debian would start one of each for the whole machine.
  const policy = "/usr/sbin/policy-rc.d";
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    apt("update");
    apt("install", "-y", "--no-install-recommends", ...missing);
  } catch {
    console.log("They could not be installed: their tests will be skipped.");
  } finally {
    if (isOurs) rmSync(policy);
  }
}

/** Newer Nodes, for the SQLite that is built into them: a package of its own, so that `npm install` stays small. */
function installRuntimes(): void {
  if (!existsSync(join(RUNTIMES, "package.json")) || existsSync(join(RUNTIMES, "node_modules"))) return;
  console.log("Installing newer Node versions for the runtime tests (npm) …");
  const { status } = spawnSync("npm", ["ci", "--prefix", RUNTIMES, "--no-audit", "--no-fund"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) console.log("They could not be installed: the runtime tests will be skipped.");
}
