import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  file,
  newStore,
  payload,
  secretKey,
  sessionKey,
  sojourn,
  start,
  storeWith,
  temporaryFolder,
} from "./support.ts";

const commands = ["migrate", "clearsessions", "decode", "show", "check"];

describe("sojourn", () => {
  for (const args of [[], ["--help"], ["-h"], ["help"]]) {
    test(`\`sojourn ${args.join(" ")}\` lists the commands, with an example`, () => {
      const { code, stdout, stderr } = sojourn(args);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      for (const command of commands) assert.match(stdout, new RegExp(`^  ${command} .*\\w`, "m"));
      assert.match(stdout, /^Example:\n {2}sojourn /m);
    });
  }

  for (const command of commands) {
    test(`\`sojourn help ${command}\` and \`sojourn ${command} --help\` say what it takes, with an example`, () => {
      const { code, stdout, stderr } = sojourn(["help", command]);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      assert.match(stdout, new RegExp(`^Usage: sojourn ${command}`));
      assert.match(stdout, /^Example:\n {2}.*sojourn /m);
      assert.equal(
        Math.max(
          ...stdout
            .split("\n")
            .slice(0, -2)
            .map((line) => line.length),
        ) <= 80,
        true,
      );
      assert.equal(sojourn([command, "--help"]).stdout, stdout);
    });
  }

  test("`sojourn --version` is the package's", () => {
    const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
    assert.deepEqual(sojourn(["--version"]), { code: 0, stdout: `${version}\n`, stderr: "" });
  });

  const misuses: [string[], RegExp][] = [
    [["clear"], /^sojourn: there is no command clear; there are migrate, clearsessions, decode, show, check\n$/],
    [["help", "clear"], /^sojourn: there is no command clear; /],
    [["--store", "x", "migrate"], /^sojourn: the command comes first, /],
    [["migrate", "--stroe", "x"], /^sojourn: migrate has no option --stroe; it has --store, --settings\n$/],
    [["migrate", "-s"], /^sojourn: migrate has no option like that; /],
    [["migrate", "--store"], /^sojourn: --store needs a value: --store URL\n$/],
    [["clearsessions", "--json=yes"], /^sojourn: --json takes no value\n$/],
    [["clearsessions", "--store", "--json"], /^sojourn: --store needs a value: --store URL\n$/],
    [["migrate", "x"], /^sojourn: migrate takes no argument; see `sojourn help migrate`\n$/],
    [
      ["decode"],
      /^sojourn: decode needs the payload, or - to read it from standard input; see `sojourn help decode`\n$/,
    ],
    [["show"], /^sojourn: show needs the session key, or - /],
    [["show", "a", "b"], /^sojourn: show takes one key; /],
    [["migrate", "--store", "a", "--settings", "b"], /^sojourn: --store and --settings both say where /],
  ];
  for (const [args, message] of misuses) {
    test(`\`sojourn ${args.join(" ")}\` is misuse: one line says what to do, exit code 2`, () => {
      const { code, stdout, stderr } = sojourn(args);
      assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
      assert.match(stderr, message);
    });
  }

  for (const option of [`--secret-key=${secretKey}`, `--secretKey=${secretKey}`, `--secret=${secretKey}`]) {
    test(`a secret key as ${option.replace(/=.*/, "")} is refused with the reason, and not repeated`, () => {
      const { code, stdout, stderr } = sojourn(["decode", "x", option]);
      assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
      assert.match(stderr, /process list.*--secret-key-file.*SOJOURN_SECRET_KEY\n$/);
      assert.equal(stderr.includes(secretKey), false);
    });
  }

  test("a key or payload in the wrong place is not repeated", () => {
    const text = payload();
    for (const args of [
      [sessionKey],
      [text],
      ["migrate", text],
      ["show", sessionKey, sessionKey],
      ["show", `-${sessionKey}`],
      ["show", `--${sessionKey}`],
    ]) {
      const { code, stdout, stderr } = sojourn(args);
      assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
      assert.equal(stderr.includes(text) || stderr.includes(sessionKey), false, stderr);
    }
  });

  test("a fault has no stack, but with NODE_DEBUG=sojourn it has", () => {
    const path = file("", "not a database");
    const run = (env: Record<string, string>) => sojourn(["clearsessions", "--store", `sqlite:${path}`], { env });
    assert.deepEqual({ ...run({}), stderr: run({}).stderr.split("\n").length }, { code: 1, stdout: "", stderr: 2 });
    assert.match(run({ NODE_DEBUG: "sojourn" }).stderr, /\n {4}at /);
  });

  test("a reader that closes the pipe ends the program without a stack", async () => {
    const big = file(payload(JSON.stringify({ a: Array.from({ length: 200_000 }, (_, index) => index * 7919) })));
    const child = start(["decode", "-"], { SOJOURN_SECRET_KEY: secretKey });
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text) => {
      stderr += text;
    });
    child.stdout.destroy();
    child.stdin.end(readFileSync(big));
    const code = await new Promise((resolve) => child.on("close", resolve));
    assert.deepEqual({ code, stderr }, { code: 141, stderr: "" });
  });
});

describe("where the sessions are", () => {
  const env = { SOJOURN_SECRET_KEY: secretKey };
  const django = (path: string, more = {}) =>
    JSON.stringify({ DATABASES: { default: { ENGINE: "django.db.backends.sqlite3", NAME: path } }, ...more });

  test("by default: sessions.sqlite3 in the current directory", () => {
    const cwd = temporaryFolder();
    assert.equal(sojourn(["migrate"], { cwd }).code, 0);
    assert.equal(existsSync(join(cwd, "sessions.sqlite3")), true);
  });

  for (const args of [["clearsessions"], ["show", sessionKey]]) {
    test(`${args[0]} creates no file, and says that there is none`, () => {
      const cwd = temporaryFolder();
      const { code, stdout, stderr } = sojourn([...args, "--store", "sqlite:missing.sqlite3"], { cwd, env });
      assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
      assert.match(stderr, /^sojourn: there is no file missing\.sqlite3; .*`sojourn migrate`\n$/);
      assert.equal(existsSync(join(cwd, "missing.sqlite3")), false);
    });

    test(`${args[0]} on a file without the table says how to create it`, () => {
      const { code, stdout, stderr } = sojourn([...args, "--store", `sqlite:${file("")}`], { env });
      assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
      assert.match(stderr, /^sojourn: SQLite has no table django_session\. .*sojourn migrate.*\n$/);
    });

    test(`${args[0]} on a file that is no database says so in one line`, () => {
      const path = file("no database ".repeat(1000));
      const { code, stdout, stderr } = sojourn([...args, "--store", `sqlite:${path}`], { env });
      assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
      assert.match(stderr, /^sojourn: .*not a database.*\n$/);
    });
  }

  test("--store, SOJOURN_STORE, --settings and SOJOURN_SETTINGS name the same store", async () => {
    const url = await storeWith(payload());
    const settings = file(django(url.replace("sqlite:", "")));
    for (const [args, more] of [
      [["--store", url], {}],
      [["--settings", settings], {}],
      [[], { SOJOURN_STORE: url }],
      [[], { SOJOURN_SETTINGS: settings }],
      [["--store", url], { SOJOURN_STORE: "sqlite:elsewhere", SOJOURN_SETTINGS: "elsewhere" }],
      [["--settings", settings], { SOJOURN_STORE: "sqlite:elsewhere", SOJOURN_SETTINGS: "elsewhere" }],
    ] as [string[], object][]) {
      const { code, stderr } = sojourn(["show", sessionKey, ...args], { env: { ...env, ...more } });
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    }
  });

  test("both variables at once are refused", () => {
    const { code, stderr } = sojourn(["migrate"], { env: { SOJOURN_STORE: "sqlite:a", SOJOURN_SETTINGS: "b" } });
    assert.equal(code, 1);
    assert.match(stderr, /^sojourn: SOJOURN_STORE and SOJOURN_SETTINGS both /);
  });

  test("migrate and clearsessions need no secret key, in settings or elsewhere", async () => {
    const { path } = await newStore();
    const settings = file(django(path));
    assert.equal(sojourn(["migrate", "--settings", settings]).code, 0);
    assert.equal(sojourn(["clearsessions", "--settings", settings]).code, 0);
  });

  test("memory: is another process's, and refused", () => {
    const { code, stderr } = sojourn(["clearsessions", "--store", "memory:"]);
    assert.equal(code, 1);
    assert.match(stderr, /inside the server's process/);
  });

  test("an unknown store is refused without its password", () => {
    const { code, stderr } = sojourn(["migrate", "--store", "oracle://scott:tiger@host/db"]);
    assert.equal(code, 1);
    assert.match(stderr, /^sojourn: .*oracle:.*\n$/);
    assert.equal(stderr.includes("tiger"), false);
  });

  for (const [what, text, message] of [
    ["is not JSON", `{\n  "SECRET_KEY": "${secretKey}",\n  oops }`, /is not JSON, at line 3, column 3\n$/],
    ["ends early", `{"SECRET_KEY": "${secretKey}`, /is not JSON/],
    ["is not an object", `["${secretKey}"]`, /must be a JSON object of Django's settings/],
    [
      "has an unknown setting",
      `{"SECRET_KEY": "${secretKey}", "SESSION_COOKIE_NAM": "x"}`,
      /SESSION_COOKIE_NAM is not supported/,
    ],
    ["has a wrong setting", `{"SECRET_KEY": "${secretKey}", "SESSION_COOKIE_AGE": "x"}`, /SESSION_COOKIE_AGE must be/],
  ] as const) {
    test(`a settings file that ${what} is a fault that shows none of its secrets`, () => {
      const { code, stdout, stderr } = sojourn(["migrate", "--settings", file(text)], {
        env: { NODE_DEBUG: "sojourn" },
      });
      assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
      assert.match(stderr.split("    at ")[0]!.split("\n")[0]!.concat("\n"), message);
      assert.equal(/secret key for/.test(stderr), false, stderr);
    });
  }

  test("a settings file that is missing is a fault that names it", () => {
    const { code, stderr } = sojourn(["migrate", "--settings", "nowhere.json"]);
    assert.deepEqual({ code, stderr }, { code: 1, stderr: "sojourn: there is no file nowhere.json (--settings)\n" });
  });
});
