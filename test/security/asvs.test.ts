import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { DEFAULT_SETTINGS } from "../../src/core/settings.ts";
import { REQUIREMENTS } from "./requirements.ts";

/* Holds docs/security.md and docs/threat-model.md to the tests and the source that there are. */

const ROOT = new URL("../../../", import.meta.url).pathname;
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const security = read("docs/security.md");
const threats = read("docs/threat-model.md");

/** A page's section by its title, without the ones below the same level. */
function section(page: string, title: string): string {
  const found = page.split(/^## /m).find((each) => each.startsWith(title));
  assert.ok(found, `there is no section ${title}`);
  return found;
}

/** The cells of a page's table rows. */
function rows(text: string): string[][] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** A test's title as a document may cite it: what differs from run to run is `…`. */
const normal = (title: string) =>
  title
    .replace(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, "…")
    .replace(/\\(["'`])/g, "$1")
    .trim();

const titles = new Map<string, Set<string>>();

/** Of `test(…)`, and of the cases of a suite: names with functions, in an object. */
function titlesOf(file: string): Set<string> {
  let found = titles.get(file);
  if (found === undefined) {
    const source = read(file);
    const cited = [
      ...source.matchAll(/\btest\(\s*(["'`])((?:\\.|(?!\1)[^\\])*)\1/gs),
      ...source.matchAll(/^ {2,}(?:async )?(["'`])((?:\\.|(?!\1)[^\\\n])*)\1(?::|\()/gm),
    ];
    found = new Set(cited.map(([, , title]) => normal(title!)));
    titles.set(file, found);
  }
  return found;
}

/** Every `file` with its “titles” in a text. */
function cited(text: string): [file: string, title: string][] {
  return [...text.matchAll(/`((?:test|src)\/[\w/.-]+\.ts)`((?:,? “[^”]+”)+)/g)].flatMap(([, file, quoted]) =>
    [...quoted!.matchAll(/“([^”]+)”/g)].map(([, title]): [string, string] => [file!, title!]),
  );
}

function assertCited(text: string): void {
  for (const [file, title] of cited(text)) {
    assert.ok(existsSync(join(ROOT, file)), `${file} is not there`);
    assert.ok(titlesOf(file).has(title), `${file} has no test “${title}”`);
  }
}

describe("docs/security.md, OWASP ASVS 5.0.0", () => {
  const asvs = rows(section(security, "OWASP ASVS 5.0.0")).filter(([first]) => /^\d/.test(first!));

  test("answers every requirement of the list once, in order", () => {
    const numbers = asvs.map(([requirement]) => requirement!.split(" ")[0]!);
    assert.deepEqual(numbers, Object.keys(REQUIREMENTS));
  });

  test("knows all of V3 and V7", () => {
    const count = (chapter: string) =>
      Object.keys(REQUIREMENTS).filter((each) => each.startsWith(`${chapter}.`)).length;
    assert.deepEqual([count("3"), count("7")], [31, 19]);
  });

  for (const [requirement, level, how, here, tests, ...rest] of asvs) {
    test(`${requirement}`, () => {
      assert.deepEqual(rest, []);
      const number = requirement!.split(" ")[0]!;
      assert.equal(Number(level), REQUIREMENTS[number], "level");
      assert.match(how!, /^(?:default|option|application)$/);
      assert.ok(here!.length > 3, "says nothing");
      assert.ok(requirement!.length > number.length + 5, "has no words of its own");
      // What the application has to do we cannot show.
      if (tests === "—") assert.equal(how, "application");
      else assert.ok(cited(tests!).length > 0, `cites no test: ${tests}`);
      assertCited(tests!);
    });
  }
});

describe("the documents of security", () => {
  for (const [name, page] of Object.entries({ "docs/security.md": security, "docs/threat-model.md": threats })) {
    test(`${name} cites tests that there are`, () => {
      assertCited(page);
      // And every file that is named at all.
      for (const [, file] of page.matchAll(/`((?:test|src|docs)\/[\w/.-]+\.(?:ts|md))`/g)) {
        assert.ok(existsSync(join(ROOT, file!)), `${file} is not there`);
      }
    });
  }

  test("docs/security.md names limits as they stand in the source", () => {
    const limits = rows(section(security, "Limits")).filter(([, , place]) => place?.includes("`src/"));
    assert.ok(limits.length > 20);
    for (const [what, , place] of limits) {
      const [, constant, file] = /^`(\w+)` in `(src\/[\w/.-]+\.ts)`$/.exec(place!) ?? [];
      assert.ok(constant && file, `${what}: ${place}`);
      assert.match(read(file), new RegExp(`\\b${constant}\\b`), `${constant} is not in ${file}`);
    }
  });

  test("docs/security.md names only settings that there are", () => {
    const known = [
      ...Object.keys(DEFAULT_SETTINGS),
      ...["secretKey", "secretKeyFallbacks", "store", "engine", "preset", "chunks", "readLegacy", "onUnavailable"],
    ];
    for (const [, name] of section(security, "Lifetimes").matchAll(/`(\w+)(?:: [^`]+)?`/g)) {
      assert.ok(
        known.includes(name!) || /^(?:strict|django|setExpiry|cycleKey|flush|Infinity|null)$/.test(name!),
        name,
      );
    }
  });

  test("docs/security.md lists every event and every error code", () => {
    const events = [
      ...read("src/core/events.ts").matchAll(/^ {2}"(sojourn:[\w-]+)": \{|^ {2}"(sojourn:[\w-]+)": Record/gm),
    ];
    assert.ok(events.length >= 7);
    for (const [, one, other] of events) assert.ok(security.includes(`\`${one ?? other}\``), one ?? other);
    const codes = [...read("src/core/errors.ts").matchAll(/^ {2}(ERR_\w+): (\d+),/gm)];
    for (const [, code, status] of codes) {
      assert.ok(
        rows(section(security, "What failures answer")).some(
          (cells) => cells.includes(`\`${code}\``) && cells.includes(status!),
        ),
        code,
      );
    }
  });

  test("every test of security that is not a document's is cited by one", () => {
    const own = readdirSync(join(ROOT, "test/security")).filter((file) =>
      /^(?:headers|leaks|tokens|lifetimes|source).*\.test\.ts$/.test(file),
    );
    assert.ok(own.length >= 6);
    for (const file of own) assert.ok(`${security}${threats}`.includes(`test/security/${file}`), file);
  });

  test("docs/threat-model.md has every kind of threat for every flow, and an answer to each", () => {
    const flows = section(threats, "Data flows").match(/^\d+\. /gm)!.length;
    const answered = rows(section(threats, "Threats")).filter(([flow]) => /^\d/.test(flow!));
    for (let flow = 1; flow <= flows; flow++) {
      const kinds = answered.filter(([number]) => Number(number) === flow).map(([, kind]) => kind);
      assert.ok(kinds.length > 0, `flow ${flow}`);
    }
    for (const kind of ["S", "T", "R", "I", "D", "E"])
      assert.ok(
        answered.some((cells) => cells[1] === kind),
        kind,
      );
    for (const cells of answered) assert.ok(cells.length === 5 && cells.every((cell) => cell.length > 0), cells.join());
  });

  test("SECURITY.md names the versions that the package has, and no address of its own invention", () => {
    const policy = read("SECURITY.md");
    const { version } = JSON.parse(read("package.json"));
    assert.ok(policy.includes(version.split(".").slice(0, 2).join(".")));
    assert.doesNotMatch(policy, /[\w.]+@[\w.]+\.\w+/);
  });
});
