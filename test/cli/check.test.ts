import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fingerprint } from "../../src/core/key.ts";
import { type DjangoSettings, djangoCodec } from "../../src/django.ts";
import { type DjangoPeer, type Step, startDjango } from "../support/django/peer.ts";
import { assertShowsNoSecret, BACKENDS, check, hidden } from "./check-support.ts";
import { file, formerKey, open, payload, secretKey, sojourn, strangersKey, temporaryFolder } from "./support.ts";

const nobody = "nobodyskey0123456789nobodyskey01";

/** A project with a database, and Django at work in it. */
async function project(more: object = {}): Promise<{ settings: DjangoSettings; django: DjangoPeer; path: string }> {
  const path = join(temporaryFolder(), "db.sqlite3");
  const DATABASES = { default: { ENGINE: "django.db.backends.sqlite3", NAME: path } };
  const settings = { SECRET_KEY: secretKey, DATABASES, ...more };
  const django = await startDjango(settings);
  await django.migrate();
  return { settings, django, path };
}

/** The key of a session that Django saved. */
async function saved(django: DjangoPeer, data: object, ...steps: Step[]): Promise<string> {
  const { key, results } = await django.session(null, ["update", data], ...steps, ["save"]);
  assert.deepEqual(
    results.filter(({ error }) => error),
    [],
  );
  return key!;
}

/** Another payload in the row. */
function rewrite(key: string, text: string): void {
  const database = open(db.path);
  database.prepare(`UPDATE django_session SET session_data = '${text}' WHERE session_key = '${key}'`).run();
  database.close();
}

const db = await project();
const key = await saved(db.django, { cart: [hidden], "\u001b[31m": 1 });

describe("sojourn check", () => {
  test("takes the steps of a server, one line each, and says that the session can be read", () => {
    const path = file(JSON.stringify(db.settings), "settings.json");
    const result = sojourn(["check", "-", "--settings", path], { input: `${key}\n` });
    assert.deepEqual([result.code, result.stderr], [0, ""]);
    const lines = [
      `✓ settings   by ${path}: db, sqlite:${db.path}`,
      `✓ key        it may be one, and is called ${fingerprint(key)} here`,
      "✓ server     it answers",
      "✓ found      \\d+ bytes",
      "✓ expiry     it has not expired",
      "✓ format     it is what the settings say",
      `✓ signature  good, by the secret key \\(SECRET_KEY of ${path}\\)`,
      "✓ contents   2 keys: cart, \\\\u001b\\[31m",
      "✓ session    it lives until \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d UTC \\(in 1[34] days\\)",
      "✓ session    nobody is logged in \\(there is no _auth_user_id\\)",
      "✓ cookie     browsers send sessionid only to the host that set it, at any port, for paths below /",
      "",
      "The session can be read.",
    ];
    assert.match(result.stdout, new RegExp(`^${lines.join("\n")}\n$`));
    assertShowsNoSecret(result, [key, secretKey, hidden]);
  });

  test("stops at the first step that fails, exit code 1", () => {
    const path = file(JSON.stringify(db.settings), "settings.json");
    const env = { NODE_DEBUG: "sojourn" };
    const result = sojourn(["check", "-", "--settings", path], { input: nobody, env });
    const { code, stdout } = result;
    assert.equal(code, 1);
    assertShowsNoSecret(result, [nobody, secretKey]);
    assert.match(stdout, /✓ server .*\n✗ found {6}there is no such session: .*\n\nThe session cannot be read\.\n$/);
  });

  test("--json prints one line of JSON", () => {
    const env = { SOJOURN_SETTINGS: file(JSON.stringify(db.settings)) };
    const { code, stdout } = sojourn(["check", key, "--json"], { env });
    assert.equal(code, 0);
    const { readable, fingerprint: name, steps } = JSON.parse(stdout);
    assert.deepEqual([readable, name, stdout.indexOf("\n")], [true, fingerprint(key), stdout.length - 1]);
    assert.deepEqual(steps[2], { step: "server", mark: "ok", text: "it answers" });
  });

  test("without settings it is misuse", () => {
    const { code, stderr } = sojourn(["check", key]);
    assert.deepEqual(
      [code, stderr],
      [2, "sojourn: check needs Django's settings: --settings FILE, or SOJOURN_SETTINGS\n"],
    );
  });

  test("writes nothing: a database that is missing is not created", () => {
    const folder = temporaryFolder();
    const DATABASES = { default: { ENGINE: "django.db.backends.sqlite3", NAME: join(folder, "db.sqlite3") } };
    assert.match(check({ DATABASES }, key).problem, /^server: there is no file .*db\.sqlite3; .*`sojourn migrate`$/);
    assert.deepEqual(readdirSync(folder), []);
  });
});

describe("sojourn check: settings", () => {
  const wrong = (path: string) => {
    const { code, stdout } = sojourn(["check", "-", "--settings", path], { input: key });
    assert.equal(code, 1);
    assert.equal(stdout.includes(secretKey), false);
    return stdout.split("\n")[0]!;
  };

  for (const [what, path, problem] of [
    ["a missing file", "nowhere.json", /^✗ settings {3}there is no file nowhere\.json \(--settings\)$/],
    ["no JSON", file(`{"SECRET_KEY": "${secretKey}", oops`), /is not JSON, at line 1, column \d+$/],
    [
      "a setting that is refused",
      file(`{"SECRET_KEY": "${secretKey}", "SESSION_ENGINE": "mine"}`),
      /SESSION_ENGINE "mine" is not/,
    ],
    [
      "SameSite=None without Secure",
      file(`{"SECRET_KEY": "${secretKey}", "SESSION_COOKIE_SAMESITE": "None"}`),
      /"None" needs SESSION_COOKIE_SECURE: true/,
    ],
    ["no secret key", file("{}"), /there is no secret key to verify with/],
    ["a secret key that is too short", file('{"SECRET_KEY": "hush"}'), /must be a string of at least 32/],
  ] as const) {
    test(`${what} is the first problem`, () => assert.match(wrong(path), problem));
  }

  test("a cache of each process's own memory is none that two servers could share", () => {
    const { problem } = check({ SESSION_ENGINE: `${BACKENDS}.cache` }, key);
    assert.match(problem, /^server: a memory: store lives inside the server's process/);
  });
});

describe("sojourn check: what the browser brought", () => {
  const cookie = payload("{}");
  const keys: [string, string, RegExp][] = [
    ["nothing", " ", /nothing was given/],
    ["too short", "abc1234", /is too short for a session key: 7 characters, where Django makes 32/],
    ["too long", "a".repeat(41), /is too long for a session key: 41 characters/],
    ["in capital letters", key.toUpperCase(), /has capital letters/],
    ["a csrftoken", "Q7x".repeat(21), /is too long for a session key/],
    ["of other characters", "../../etc/passwd", /is no session key: those are characters of a-z and 0-9 only/],
    ["in quotes", `"${key}"`, /is in quotes/],
    ["two words", `${key} ${key}`, /has white space in it/],
    ["a signed cookie, where sessions are in a database", cookie, /is signed data, not a session key/],
    ["URL-encoded", encodeURIComponent(cookie), /is URL-encoded \(%3A stands for a colon\)/],
    ["express-session's", `s%3A${key}.c2lnbmF0dXJlb2ZleHByZXNz`, /is a cookie of express-session/],
    [
      "a payload of Django before 3.1",
      Buffer.from(`${"0".repeat(40)}:{}`).toString("base64"),
      /Django before 3\.1 keeps/,
    ],
    [
      "another cookie's header",
      `csrftoken=${nobody}; sid=${nobody}`,
      /no cookie sessionid, but csrftoken, sid\. Either SESSION_COOKIE_NAME/,
    ],
    ["a header that shows a key for a name", `${key}=1`, /^key: the header has no cookie sessionid\. Either/],
  ];
  for (const [what, token, problem] of keys) {
    test(`${what}: that is said, and no server is asked`, () => {
      const checked = check(
        { ...db.settings, DATABASES: { default: { ENGINE: "django.db.backends.sqlite3", NAME: "/no" } } },
        token,
      );
      assert.match(checked.problem, /^key: /);
      assert.match(checked.problem, problem);
    });
  }

  for (const header of [
    `sessionid=${key}`,
    `Cookie: a=b; sessionid=${key}; csrftoken=x`,
    `sessionid="${key}"`,
    `Set-Cookie: sessionid=${key}; HttpOnly; Path=/`,
  ]) {
    test(`a header is taken: ${header.replace(key, "…")}`, () => assert.equal(check(db.settings, header).problem, ""));
  }

  test("of several cookies of that name the last is looked at, as Django does, with a warning", () => {
    const { problem, warnings } = check(db.settings, `sessionid=${nobody}; sessionid=${key}`);
    assert.equal(problem, "");
    assert.match(warnings[0]!, /^key: 2 cookies of that name came/);
    assert.match(check(db.settings, `sessionid=${key}; sessionid=${nobody}`).problem, /^found: /);
  });

  test("SESSION_COOKIE_NAME names the cookie", () => {
    const settings = { ...db.settings, SESSION_COOKIE_NAME: "sid" };
    assert.equal(check(settings, `sid=${key}; sessionid=x`).problem, "");
    assert.match(check(settings, `sessionid=${key}`).problem, /no cookie sid, but sessionid/);
  });
});

describe("sojourn check: in the store", () => {
  test("a table that is missing: both ways to create it", async () => {
    const path = file("", "empty.sqlite3");
    const DATABASES = { default: { ENGINE: "django.db.backends.sqlite3", NAME: path } };
    const { problem } = check({ DATABASES }, key);
    assert.match(problem, /^server: SQLite has no table django_session\. .*sojourn migrate.*Django's migrate/);
  });

  test("a session that is gone: why that may be", () => {
    assert.match(check(db.settings, nobody).problem, /^found: .*was deleted \(by a logout, .*or never was here/);
  });

  test("one that has expired, since when", async () => {
    const expired = await saved(db.django, { uid: hidden }, ["setExpiry", -7200]);
    assert.match(check(db.settings, expired).problem, /^expiry: it expired at \d{4}-.* UTC \(2 hours ago\)/);
  });

  test("a payload that was damaged in the row", async () => {
    const damaged = await saved(db.django, { uid: hidden });
    rewrite(damaged, (await db.django.encode({ uid: hidden })).slice(2));
    assert.match(
      check(db.settings, damaged).problem,
      /^signature: the payload does not verify, and does not unfold either/,
    );
  });

  test("of another secret key, and of a fallback", async () => {
    const other = await project({ SECRET_KEY: formerKey });
    const theirs = await saved(other.django, { uid: hidden });
    const with_ = (more: object) =>
      check({ ...other.settings, SECRET_KEY: secretKey, ...more }, theirs, { secrets: [formerKey] });
    assert.match(
      with_({}).problem,
      /^signature: the payload does not verify: it was signed with another key or salt .*; if they have it, .*--salt "django/,
    );
    const { problem, told } = with_({ SECRET_KEY_FALLBACKS: [strangersKey, formerKey] });
    assert.equal(problem, "");
    assert.match(told.signature!, /^good, by fallback key 2 of 2 \(SECRET_KEY_FALLBACKS\[1\]/);
  });

  test("a session whose store class has another name needs --salt, and others do not", async () => {
    const salt = "django.contrib.sessions.MyStore";
    const args = ["--salt", salt];
    const theirs = await saved(db.django, { uid: hidden });
    assert.match(
      check(db.settings, theirs, { args }).problem,
      /^signature: .*signed under Django's own salt: leave out --salt/,
    );
    rewrite(theirs, djangoCodec({ secretKey, salt }).encode({ uid: hidden }, new Date()) as string);
    assert.match(check(db.settings, theirs).problem, /^signature: .*give --salt "django/);
    assert.equal(check(db.settings, theirs, { args }).problem, "");
  });
});

describe("sojourn check: session files", () => {
  const root = temporaryFolder();
  const SESSION_FILE_PATH = join(root, "sessions");
  mkdirSync(SESSION_FILE_PATH, { mode: 0o700 });
  const settings: DjangoSettings = { SECRET_KEY: secretKey, SESSION_ENGINE: `${BACKENDS}.file`, SESSION_FILE_PATH };

  test("read, expired, not there, another cookie's, another user's, without directory", async () => {
    const django = await startDjango(settings);
    const live = await saved(django, { uid: hidden });
    assert.equal(check(settings, live).problem, "");
    assert.match(
      check({ ...settings, SESSION_COOKIE_NAME: "sid" }, live).problem,
      /^found: .* in a file that begins with "sessionid"/,
    );
    assert.match(check(settings, nobody).problem, /^found: .*it was deleted/);

    const expired = await saved(django, { uid: hidden }, ["setExpiry", -86_400]);
    assert.match(check(settings, expired).problem, /^expiry: it expired at .*\(24 hours ago\)/);

    if (process.geteuid!() === 0) {
      const path = join(SESSION_FILE_PATH, `sessionid${live}`);
      chownSync(path, 65534, 65534);
      assert.match(
        check(settings, live).problem,
        /^found: .* its file belongs to user 65534, and this process is user 0/,
      );
    }

    assert.match(
      check({ ...settings, SESSION_FILE_PATH: join(root, "no") }, live).problem,
      /^server: There is no session directory/,
    );
    chmodSync(SESSION_FILE_PATH, 0o777);
    assert.match(check(settings, live).problem, /^server: Everyone may replace the sessions/);
    chmodSync(SESSION_FILE_PATH, 0o700);
  });
});

describe("sojourn check: what the session says", () => {
  const login = {
    _auth_user_id: hidden,
    _auth_user_backend: "django.contrib.auth.backends.ModelBackend",
    _auth_user_hash: hidden,
  };
  const { _auth_user_hash: _, ...withoutHash } = login;
  const logins: [string, object, object, readonly RegExp[]][] = [
    ["a login", login, {}, []],
    [
      "a login of a backend that the project has not",
      login,
      { AUTHENTICATION_BACKENDS: ["mine"] },
      [/not in AUTHENTICATION_BACKENDS/],
    ],
    [
      "an id alone",
      { _auth_user_id: hidden },
      {},
      [/no _auth_user_backend: Django takes nobody/, /no _auth_user_hash: Django ends the session/],
    ],
    ["a login without its hash", withoutHash, {}, [/no _auth_user_hash/]],
  ];
  for (const [what, data, more, warnings] of logins) {
    test(`${what}: somebody is logged in${warnings.length > 0 ? ", with a warning" : ""}`, async () => {
      const checked = check({ ...db.settings, ...more } as DjangoSettings, await saved(db.django, data));
      assert.equal(checked.problem, "");
      assert.match(checked.told.session!, /somebody is logged in/);
      assert.equal(checked.warnings.length, warnings.length, checked.warnings.join("\n"));
      for (const [index, warning] of warnings.entries()) assert.match(checked.warnings[index]!, warning);
    });
  }

  const naive = "2999-01-01T00:00:00";
  const expiries: [unknown, object, RegExp][] = [
    [`${naive}+00:00`, {}, /^$/],
    [`${naive}+00:00`, { DJANGO_VERSION: "4.1", USE_TZ: true }, /^$/],
    [
      `${naive}+00:00`,
      { DJANGO_VERSION: "4.0.3", USE_TZ: true },
      /is an instant as text, on which Django before 4\.1 fails/,
    ],
    [naive, {}, /is an instant without an offset, as a server with USE_TZ false writes it\. Here USE_TZ is true/],
    [naive, { USE_TZ: false, TIME_ZONE: "UTC" }, /^$/],
    [
      `${naive}+00:00`,
      { USE_TZ: false, TIME_ZONE: "UTC" },
      /is an instant with an offset, as a server with USE_TZ true/,
    ],
    ["tomorrow", {}, /is neither seconds nor an instant/],
    [[1], {}, /is neither seconds nor an instant/],
    [3600, { DJANGO_VERSION: "3.2", USE_TZ: true }, /^$/],
  ];
  for (const [expiry, more, problem] of expiries) {
    test(`_session_expiry ${JSON.stringify(expiry)} with ${JSON.stringify(more)}`, async () => {
      const expiring = await saved(db.django, { uid: hidden });
      rewrite(expiring, await db.django.encode({ _session_expiry: expiry }));
      assert.match(
        check({ ...db.settings, ...more } as DjangoSettings, expiring).problem.replace(
          /^contents: its _session_expiry /,
          "",
        ),
        problem,
      );
    });
  }

  test("a cookie that ends with the browser", async () => {
    const short = await saved(db.django, { uid: hidden }, ["setExpiry", 0]);
    assert.match(check(db.settings, short).told.session!, /its cookie ends with the browser/);
    const { told } = check({ ...db.settings, SESSION_EXPIRE_AT_BROWSER_CLOSE: true }, key);
    assert.match(told.session!, /its cookie ends with the browser/);
  });

  const cookies: [object, RegExp, RegExp][] = [
    [{ SESSION_COOKIE_DOMAIN: "example.com" }, /to the hosts of example\.com/, /^$/],
    [{ SESSION_COOKIE_SECURE: true }, /browsers send/, /over http they neither keep nor send it/],
    [{ SESSION_COOKIE_SAMESITE: "Strict" }, /browsers send/, /from another site is logged out on the first page/],
    [{ SESSION_COOKIE_PATH: "/app" }, /for paths below \/app/, /not below \/app never gets it/],
    [{ USE_TZ: false, TIME_ZONE: "UTC" }, /browsers send/, /USE_TZ is false/],
  ];
  for (const [more, told, warning] of cookies) {
    test(`${JSON.stringify(more)} says when the cookie comes`, () => {
      const checked = check({ ...db.settings, ...more } as DjangoSettings, key);
      assert.match(checked.told.cookie!, told);
      assert.match(checked.warnings.join(), warning);
    });
  }
});
