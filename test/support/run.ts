import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/*
 * `npm test [path…]`: installs what the suite needs and the machine lacks, then runs it. What cannot be installed is
 * skipped by its tests, which say why.
 */

const CHROMIUM = "/usr/bin/chromium";
const RUNTIMES = "test/runtimes";

installChromium();
installRuntimes();

const wanted = process.argv.slice(2).map((path) => path.replace(/\.ts$/, ".js"));
const files = readdirSync("build/test", { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".test.js"))
  .map((file) => join("build/test", file))
  .filter((file) => wanted.length === 0 || wanted.some((path) => file.includes(path)))
  .sort();
const { status } = spawnSync(
  process.execPath,
  ["--enable-source-maps", "--test", "--test-reporter=./build/test/support/reporter.js", ...files],
  { stdio: "inherit" },
);
process.exitCode = status ?? 1;

/** The browser of the page tests: Debian's. */
function installChromium(): void {
  if (existsSync(CHROMIUM) || process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return;
  console.log("Installing Chromium for the page tests (apt-get, about 130 MB) …");
  const apt = (...args: string[]) =>
    execFileSync("apt-get", ["-qq", "-o", "DPkg::Lock::Timeout=600", ...args], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
  try {
    apt("update");
    apt("install", "-y", "--no-install-recommends", "chromium");
  } catch {
    console.log("Chromium could not be installed: its tests will be skipped.");
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
