import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, test } from "node:test";

/* Reads the imports and holds the floors apart: core <- (engines, stores, …) <- (front doors, cli). */

const ROOT = new URL("../../", import.meta.url).pathname;
const SRC = join(ROOT, "src");

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));

/** Every module that a file imports: paths below src for our own, names for others. */
function imports(file: string): string[] {
  const source = readFileSync(join(SRC, file), "utf8");
  const found = [
    ...source.matchAll(/^(?:import|export)\b[^;]*?\bfrom "([^"]+)"|\bimport\("([^"]+)"\)|^import "([^"]+)"/gm),
  ];
  return found
    .map((match) => (match[1] ?? match[2] ?? match[3])!)
    .map((name) => (name.startsWith(".") ? relative(SRC, resolve(SRC, dirname(file), name)) : name));
}

const { peerDependencies: peers } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

const floor = (file: string) => (file.includes("/") ? file.split("/")[0]! : "front door");

/** What each floor may import besides core and itself. */
const ALLOWED: Record<string, readonly string[]> = {
  core: [],
  engines: ["core"],
  stores: ["core"],
  codecs: ["core"],
  django: ["core"],
  users: ["core"],
  adapters: ["core"],
  testing: ["core"],
  connect: ["core", "stores"],
  cli: ["core", "django", "stores", "engines", "front door"],
  inspector: ["core", "django", "stores", "engines", "front door"],
  "front door": ["core", "django", "stores", "engines", "codecs", "users", "connect"],
};

describe("the floors of the house", () => {
  for (const file of files) {
    test(`src/${file} imports only its own floor and those below`, () => {
      const own = floor(file);
      assert.ok(Object.hasOwn(ALLOWED, own), `src/${own} is a new floor: give it its place in this test`);
      for (const name of imports(file)) {
        if (name.startsWith("node:") || (own === "connect" && Object.hasOwn(peers, name.replace(/(\w)\/.*/, "$1"))))
          continue;
        assert.ok(files.includes(name), `${name} is no file of ours; no runtime dependency without a decision record`);
        const other = floor(name);
        assert.ok(other === own || ALLOWED[own]!.includes(other), `${own} must not import ${other} (${name})`);
      }
    });
  }

  test("stores do not know each other", () => {
    for (const file of files.filter((name) => name.startsWith("stores/"))) {
      for (const name of imports(file).filter((imported) => imported.startsWith("stores/"))) {
        assert.equal(dirname(name), dirname(file), `src/${file} imports ${name}`);
        assert.notEqual(dirname(file), "stores", `src/${file} imports ${name}`);
      }
    }
  });

  test("only connect loads drivers", () => {
    const drivers =
      /(?:from |import\(|require\()["'](?:better-sqlite3|libsql|node:sqlite|pg|mysql2|redis|ioredis)["'/]/;
    for (const file of files.filter((name) => !name.startsWith("connect/"))) {
      // Not in examples of comments.
      const code = readFileSync(join(SRC, file), "utf8").replace(/\/\*.*?\*\//gs, "");
      assert.doesNotMatch(code, drivers, `src/${file}`);
    }
  });

  test("there are no classes but Session, its request and errors, and none inherits but errors", () => {
    const classes = files.flatMap((file) => [
      ...readFileSync(join(SRC, file), "utf8").matchAll(
        /^(?:export )?(?:abstract )?class (\w+)(?:<.*>)?(?: extends (\w+))?/gm,
      ),
    ]);
    assert.deepEqual(classes.map(([, name, parent]) => (parent ? `${name} extends ${parent}` : name)).sort(), [
      "Parser",
      "RequestSession",
      "Session",
      "SessionError extends Error",
    ]);
  });

  test("the package has no runtime dependencies and no install scripts", () => {
    const { dependencies, scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    assert.equal(dependencies, undefined);
    for (const name of ["preinstall", "install", "postinstall", "prepare"]) assert.equal(scripts[name], undefined);
  });

  test("every entry of the package is built from a file of src", () => {
    const { exports } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    for (const entry of Object.values(exports) as string[]) {
      // Types are found beside the JavaScript.
      const source = entry.replace("./dist/", "").replace(/\.js$/, ".ts");
      assert.ok(entry === "./package.json" || files.includes(source), entry);
    }
  });
});
