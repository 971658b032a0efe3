import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { mapStore } from "../examples/store/map-store.ts";
import { storeSuite } from "../src/testing/index.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

const PAGES = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  "bench/stores/README.md",
  ...["docs", "docs/decisions"].flatMap((folder) => markdown(folder)),
];

function markdown(folder: string): string[] {
  return readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `${folder}/${name}`);
}

describe("the store of CONTRIBUTING", () => {
  test("stands there as it is in examples/store", () => {
    assert.ok(read("CONTRIBUTING.md").includes(read("examples/store/map-store.ts")));
  });

  storeSuite(test, ({ now }) => mapStore(now));
});

describe("the documents", () => {
  for (const page of PAGES) {
    test(`${page} links only to what is there`, () => {
      for (const [, target] of read(page).matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)) {
        assert.ok(existsSync(join(ROOT, dirname(page), target!)), `${page} links to ${target}`);
      }
    });

    test(`${page} names only entries that the package has`, () => {
      const { exports } = JSON.parse(read("package.json"));
      for (const [, name] of read(page).matchAll(/from "sojourn(\/[a-z]+)?"/g)) {
        assert.ok(`.${name ?? ""}` in exports, `sojourn${name ?? ""}`);
      }
    });
  }

  test("README's settings are the settings there are, with their defaults", async () => {
    const { DEFAULT_SETTINGS } = await import("../src/core/settings.ts");
    const readme = read("README.md");
    for (const [name, value] of Object.entries(DEFAULT_SETTINGS)) {
      if (name === "now") continue;
      const row = readme.split("\n").find((line) => line.startsWith("|") && line.includes(`\`${name}\``));
      assert.ok(row, `${name} has no row in the README`);
      assert.ok(
        row.includes(`\`${JSON.stringify(value)}\``),
        `the README's default of ${name} is not ${JSON.stringify(value)}`,
      );
    }
  });

  test("README's error codes are the codes there are, with their status", async () => {
    const source = read("src/core/errors.ts");
    const codes = [...source.matchAll(/^ {2}(ERR_\w+): (\d+),/gm)];
    assert.ok(codes.length >= 7);
    for (const [, code, status] of codes) assert.ok(read("README.md").includes(`| \`${code}\` | ${status} |`), code);
  });

  for (const page of ["docs/django-differences.md", "docs/django-versions.md"]) {
    test(`every row of ${page} names a test that there is`, () => citesTests(page));
  }

  function citesTests(page: string): void {
    const names = readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".test.ts"))
      .map((file) => file.replace(/^.*\//, "").replace(".test.ts", ""));
    const rows = read(page)
      .split("\n")
      .filter((line) => line.startsWith("| ") && !/^\| (?:Django|what) \|/.test(line));
    assert.ok(rows.length > 10);
    for (const row of rows) {
      const cited = row.split("|").at(-2)!;
      for (const [, name] of cited.matchAll(/`([a-z-]+)`/g)) assert.ok(names.includes(name!), `${name} in ${row}`);
      assert.match(cited, /`[a-z-]+`/, row);
    }
  }

  test("no document tells a machine's paths or a registry", () => {
    for (const page of PAGES) assert.doesNotMatch(read(page), /\/(?:work|root|home)\/|registry\.npmjs|node_modules\//);
  });
});
