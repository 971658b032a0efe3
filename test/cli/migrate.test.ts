import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { open, sojourn, temporaryFolder } from "./support.ts";

describe("sojourn migrate", () => {
  test("creates Django's table and index, and says that Django needs --fake-initial", () => {
    const path = join(temporaryFolder(), "new.sqlite3");
    const { code, stdout, stderr } = sojourn(["migrate", "--store", `sqlite:${path}`]);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, /^Created the table django_session and its index on expire_date in sqlite:.*new\.sqlite3\.$/m);
    assert.match(stdout, /Django does not know of them yet.*migrate sessions --fake-initial$/m);

    const database = open(path);
    const names = database.prepare("SELECT name FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").all();
    database.close();
    assert.deepEqual(
      names.map((row) => (row as { name: string }).name),
      ["django_session", "django_session_expire_date_a5c62663"],
    );
  });

  test("repeated, it changes nothing and says that the table was there", () => {
    const cwd = temporaryFolder();
    sojourn(["migrate"], { cwd });
    const database = open(join(cwd, "sessions.sqlite3"));
    database.prepare("INSERT INTO django_session VALUES ('somekey0', 'x', '2999-01-01 00:00:00')").run();
    const { code, stdout } = sojourn(["migrate"], { cwd });
    assert.equal(code, 0);
    assert.match(stdout, /the table was there before\.\n.*--fake-initial\n$/);
    assert.equal(database.prepare("SELECT * FROM django_session").all().length, 1);
    database.close();
  });

  test("creates a session directory for this user alone, once", () => {
    const path = join(temporaryFolder(), "sessions");
    const migrate = () => sojourn(["migrate", "--store", `file:${path}`]);
    assert.deepEqual(migrate(), { code: 0, stdout: `Created the directory file:${path}.\n`, stderr: "" });
    assert.equal(statSync(path).mode & 0o777, 0o700);
    assert.equal(migrate().stdout, `The directory file:${path} was there before.\n`);
  });

  test("in a folder that does not exist it fails in one line", () => {
    const { code, stdout, stderr } = sojourn(["migrate", "--store", "sqlite:no/such/folder/db.sqlite3"]);
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    assert.match(stderr, /^sojourn: .*no\/such\/folder\/db\.sqlite3.*\n$/);
  });
});
