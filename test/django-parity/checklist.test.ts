import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

/* Reads docs/django-parity.md and the tests beside this file: neither knows a test of Django's that the other lacks. */

const ROOT = new URL("../../../", import.meta.url).pathname;
const HERE = join(ROOT, "test/django-parity");

interface Row {
  /** Django's function, and its async twin. */
  readonly names: readonly string[];
  readonly files: readonly string[];
  readonly difference: string;
}

const classes = readFileSync(join(ROOT, "docs/django-parity.md"), "utf8")
  .split(/^## /m)
  .slice(1)
  .map((section) => {
    const [, name, count] = /^(\w+) \((\d+)\)$/m.exec(section)!;
    const lines = section.split("\n").filter((line) => line.startsWith("| `"));
    return { name: name!, count: Number(count), rows: lines.map(readRow) };
  });

/** The tests in a file, by the names of Django's functions. */
const written = new Map(
  readdirSync(HERE)
    .filter((file) => file !== "checklist.test.ts")
    .map((file) => {
      const source = readFileSync(join(HERE, file), "utf8");
      const names = [...source.matchAll(/["`](test_\w+): |^ {2}(test_\w+): ["[]/gm)].map(
        ([, title, key]) => title ?? key!,
      );
      return [file.replace(/(?:\.test)?\.ts$/, ""), new Set(names)] as const;
    }),
);

test("all 126 test functions of Django's are listed, as many as their class has", () => {
  for (const { name, count, rows } of classes) assert.equal(rows.flatMap(({ names }) => names).length, count, name);
  assert.equal(
    classes.reduce((sum, { count }) => sum + count, 0),
    126,
  );
  assert.deepEqual(
    classes.map(({ name, count }) => [name, count]),
    [
      ["SessionTestsMixin", 65],
      ["DatabaseSessionTests", 5],
      ["CustomDatabaseSessionTests", 5],
      ["CacheDBSessionTests", 5],
      ["FileSessionTests", 4],
      ["CacheSessionTests", 5],
      ["SessionMiddlewareTests", 12],
      ["CookieSessionTests", 11],
      ["ClearSessionsCommandTests", 1],
      ["SessionBaseTests", 13],
    ],
  );
});

for (const { name, rows } of classes) {
  describe(name, () => {
    test("lists each function once", () => {
      const names = rows.flatMap((row) => row.names);
      assert.equal(new Set(names).size, names.length);
    });

    for (const { names, files, difference } of rows) {
      test(`${names[0]} is in ${files.join(" and ") || "no file, for a reason"}`, () => {
        assert.ok(files.length > 0 || difference !== "", "has neither a test nor a reason");
        for (const file of files) assert.ok(written.get(file)?.has(names[0]!), `${file} has no ${names[0]}`);
        for (const twin of names.slice(1)) assert.ok(isTwin(twin, names[0]!), twin);
      });
    }
  });
}

test("every test that bears a name of Django's is in the table", () => {
  for (const [file, names] of written) {
    for (const name of names) {
      const isListed = classes.some(({ rows }) =>
        rows.some((row) => row.names[0] === name && row.files.includes(file)),
      );
      assert.ok(isListed, `${name} of ${file}`);
    }
  }
});

/** `…_async`, `…_async_…`, or an `a` before one of the words. */
function isTwin(twin: string, name: string): boolean {
  if (twin.replace("_async", "") === name) return true;
  const words = twin.split("_");
  return words.some((word, index) => word.startsWith("a") && words.with(index, word.slice(1)).join("_") === name);
}

function readRow(line: string): Row {
  const [, names, files, difference] = line.split("|").map((cell) => cell.trim());
  const quoted = (cell: string) => [...cell.matchAll(/`([\w-]+)`/g)].map(([, name]) => name!);
  return { names: quoted(names!), files: quoted(files!), difference: difference! };
}
