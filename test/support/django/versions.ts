import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

/*
 * The Djangos of the tests. 3.2 is the one that Debian 12 packages. Newer ones are Debian's as well, from later releases:
 * unpacked into a folder of their own, and nothing of the machine is changed.
 */

const DEBIAN = "/usr/lib/python3/dist-packages";

/** Debian packages of Python's side, and a file by which each is recognized. */
export const PYTHON_PACKAGES: Readonly<Record<string, string>> = {
  "python3-django": `${DEBIAN}/django/__init__.py`,
  "python3-django-redis": `${DEBIAN}/django_redis/__init__.py`,
  "python3-django-redis-sessions": `${DEBIAN}/redis_sessions/__init__.py`,
  "python3-mysqldb": `${DEBIAN}/MySQLdb/__init__.py`,
  "python3-psycopg2": `${DEBIAN}/psycopg2/__init__.py`,
  "python3-pylibmc": `${DEBIAN}/pylibmc/__init__.py`,
  "python3-pymemcache": `${DEBIAN}/pymemcache/__init__.py`,
  "python3-redis": `${DEBIAN}/redis/__init__.py`,
};

const FOLDER = resolve("test/runtimes/django");

/** Packages by the Debian release that they are taken from. */
type Packages = Readonly<Record<string, readonly string[]>>;

const NEWER: Readonly<Record<string, Packages>> = {
  "4.2": { "bookworm-backports": ["python3-django"] },
  "5.2": { "trixie-backports": ["python3-django"], trixie: ["python3-asgiref", "python3-sqlparse"] },
  // Django 6 needs a newer Python than Debian 12 has, and that one a newer C library.
  "6.1": {
    experimental: ["python3-django"],
    trixie: [
      "libbz2-1.0",
      "libc6",
      "libexpat1",
      "libffi8",
      "liblzma5",
      "libpython3.13-minimal",
      "libpython3.13-stdlib",
      "libsqlite3-0",
      "libssl3t64",
      "libuuid1",
      "libzstd1",
      "python3-asgiref",
      "python3-django-redis",
      "python3-pymemcache",
      "python3-redis",
      "python3-sqlparse",
      "python3.13-minimal",
      "zlib1g",
    ],
  },
};

export type DjangoVersion = "3.2" | "4.2" | "5.2" | "6.1";

export const DJANGO_VERSIONS: readonly DjangoVersion[] = ["3.2", "4.2", "5.2", "6.1"];

/** How to run Python so that `import django` finds this version. */
export interface Python {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export function python(version: DjangoVersion): Python {
  if (version === "3.2") return { command: "/usr/bin/python3", args: [], env: {} };
  const root = join(FOLDER, version);
  const PYTHONPATH = join(root, DEBIAN);
  if (!existsSync(PYTHONPATH)) throw new Error(`Django ${version} is not installed: run npm test once`);
  const own = join(root, "usr/bin/python3.13");
  if (!existsSync(own)) return { command: "/usr/bin/python3", args: [], env: { PYTHONPATH } };
  const libraries = readdirSync(join(root, "usr/lib"))
    .filter((name) => name.endsWith("-linux-gnu"))
    .map((name) => join(root, "usr/lib", name));
  const loader = libraries.flatMap((path) =>
    readdirSync(path)
      .filter((name) => name.startsWith("ld-linux"))
      .map((name) => join(path, name)),
  )[0]!;
  return {
    command: loader,
    args: ["--library-path", libraries.join(":"), own],
    env: { PYTHONPATH, PYTHONHOME: join(root, "usr") },
  };
}

/** Downloads and unpacks what is missing. */
export function installNewerDjangos(): void {
  const missing = Object.keys(NEWER).filter((version) => !existsSync(join(FOLDER, version)));
  if (missing.length === 0 || !existsSync("/usr/bin/apt-get")) return;
  console.log(`Downloading Django ${missing.join(", ")} for the tests (apt-get, about 25 MB) …`);
  const work = join(FOLDER, "download");
  const lists = join(work, "lists/partial");
  mkdirSync(lists, { recursive: true });
  const sources = join(work, "sources.list");
  const suites = new Set(missing.flatMap((version) => Object.keys(NEWER[version]!)));
  const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
  const lines = [...suites].map((suite) => `deb [signed-by=${keyring}] http://deb.debian.org/debian ${suite} main\n`);
  writeFileSync(sources, lines.join(""));
  // A package index of our own: the machine's stays as it is.
  const options = {
    "Dir::Etc::sourcelist": sources,
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::State::lists": join(work, "lists"),
    "Dir::Cache": join(work, "cache"),
    "Acquire::Languages": "none",
    "Acquire::Retries": "3",
    "APT::Sandbox::User": "root",
  };
  const apt = (cwd: string, ...args: string[]) =>
    execFileSync(
      "apt-get",
      ["-qq", ...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]), ...args],
      {
        cwd,
        stdio: ["ignore", "ignore", "inherit"],
      },
    );
  try {
    apt(work, "update");
    for (const version of missing) unpack(version, work, apt);
  } catch {
    console.log("They could not be downloaded: the tests against them will fail.");
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** All of a version or nothing of it: the folder gets its name when it is complete. */
function unpack(version: string, work: string, apt: (cwd: string, ...args: string[]) => unknown): void {
  const [packages, root] = [join(work, `${version}-packages`), join(work, version)];
  mkdirSync(packages);
  for (const [suite, names] of Object.entries(NEWER[version]!)) {
    apt(packages, "download", ...names.map((name) => `${name}/${suite}`));
  }
  for (const file of readdirSync(packages)) execFileSync("dpkg", ["-x", join(packages, file), root]);
  renameSync(root, join(FOLDER, version));
}
