import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { legacyDjangoCodec } from "../../src/django/codec.ts";
import { dumps, signer } from "../../src/django/signing.ts";
import { file, formerKey, hasTerminal, onTerminal, payload, secretKey, sojourn, strangersKey } from "./support.ts";

const env = { SOJOURN_SECRET_KEY: secretKey };
const signedAt = new Date("2023-11-14T22:13:20Z");
const exact =
  '{"b":1.0,"10":{"x":-0.0,"e":{},"l":[]},"2":10000000000000000000000,"n":NaN,"s":"\\u00e9\\u001b[31m\\",{"}';

/** Signed as sessions are, whatever it holds. */
function signed(text: string, salt = "django.contrib.sessions.SessionStore"): string {
  return dumps(text, signedAt, signer(secretKey, salt), true);
}

describe("sojourn decode", () => {
  test("prints when the payload was signed and by which key, and its data over lines", () => {
    const { code, stdout, stderr } = sojourn(["decode", payload('{"uid":"123","l":[1,{}]}', secretKey, signedAt)], {
      env,
    });
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(
      stdout,
      /^signed {2}2023-11-14 22:13:20 UTC \([\d,]+ days ago\)\nby {6}the secret key \(SOJOURN_SECRET_KEY\)\n\n/,
    );
    assert.equal(stdout.slice(stdout.indexOf("{")), '{\n  "uid": "123",\n  "l": [\n    1,\n    {}\n  ]\n}\n');
  });

  test("--json prints one line of JSON", () => {
    const { code, stdout, stderr } = sojourn(["decode", payload('{"uid":"123"}', secretKey, signedAt), "--json"], {
      env,
    });
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.deepEqual(JSON.parse(stdout), {
      signedAt: "2023-11-14T22:13:20.000Z",
      signedBy: "secretKey",
      data: { uid: "123" },
    });
    assert.equal(stdout.indexOf("\n"), stdout.length - 1);
  });

  test("data are written as Python writes them, digit by digit and in order, and cannot steer a terminal", () => {
    const compact = sojourn(["decode", "-", "--json"], { env, input: payload(exact) });
    assert.equal(compact.stdout.endsWith(`"data":${exact}}\n`), true, compact.stdout);
    const { stdout } = sojourn(["decode", "-"], { env, input: payload(exact) });
    assert.equal(stdout.includes("\x1b"), false);
    const withoutBlanks = stdout.slice(stdout.indexOf("{")).replace(/\n */g, "").replaceAll('": ', '":');
    assert.equal(withoutBlanks, exact);
  });

  test("- reads the payload from standard input, with or without a newline", () => {
    for (const end of ["", "\n", "\r\n"])
      assert.equal(sojourn(["decode", "-"], { env, input: payload() + end }).code, 0);
  });

  describe("takes the secret key", () => {
    const decode = (args: string[], more: Record<string, string> = {}, key = secretKey) =>
      sojourn(["decode", "-", ...args], { env: more, input: payload("{}", key) });

    test("from a file, which may end with a newline", () => {
      for (const end of ["", "\n", "\r\n"]) {
        assert.equal(decode(["--secret-key-file", file(secretKey + end)]).code, 0);
      }
    });

    test("from the environment", () => assert.equal(decode([], env).code, 0));

    test("from Django's settings", () => {
      const settings = file(JSON.stringify({ SECRET_KEY: secretKey }));
      assert.match(decode(["--settings", settings]).stdout, /by +the secret key \(SECRET_KEY of /);
      assert.equal(decode([], { SOJOURN_SETTINGS: settings }).code, 0);
    });

    test("from the file before the environment, and from the environment before the settings", () => {
      const settings = file(JSON.stringify({ SECRET_KEY: strangersKey }));
      assert.equal(decode(["--settings", settings], env).code, 0);
      assert.equal(decode(["--secret-key-file", file(secretKey)], { SOJOURN_SECRET_KEY: strangersKey }).code, 0);
    });

    test("and its fallbacks from the environment or the settings, and says which one it was", () => {
      const fallbacks = JSON.stringify([strangersKey, formerKey]);
      const byVariable = decode([], { ...env, SOJOURN_SECRET_KEY_FALLBACKS: fallbacks }, formerKey);
      assert.match(byVariable.stdout, /by +fallback key 2 of 2 \(SOJOURN_SECRET_KEY_FALLBACKS\[1\]\)\n/);
      const settings = file(JSON.stringify({ SECRET_KEY: secretKey, SECRET_KEY_FALLBACKS: [formerKey] }));
      const bySettings = decode(["--settings", settings, "--json"], {}, formerKey);
      assert.equal(JSON.parse(bySettings.stdout).signedBy, "secretKeyFallbacks[0]");
    });

    const faults: [string, string[], Record<string, string>, RegExp][] = [
      ["missing", [], {}, /^sojourn: there is no secret key .*SOJOURN_SECRET_KEY/],
      ["empty", [], { SOJOURN_SECRET_KEY: "" }, /^sojourn: there is no secret key /],
      ["too short", [], { SOJOURN_SECRET_KEY: "hush" }, /^sojourn: SOJOURN_SECRET_KEY must be a string of at least 32/],
      [
        "in a file that is missing",
        ["--secret-key-file", "no.key"],
        {},
        /^sojourn: there is no file no\.key \(--secret-key-file\)/,
      ],
      [
        "in a file that is a folder",
        ["--secret-key-file", "/"],
        {},
        /^sojourn: \/ \(--secret-key-file\) cannot be read: EISDIR/,
      ],
      [
        "in a file with more",
        ["--secret-key-file", file("hush\nhush\n")],
        {},
        /^sojourn: .* must hold the secret key alone/,
      ],
      [
        "in an empty file",
        ["--secret-key-file", file("\n")],
        {},
        /^sojourn: the secret key in .* must be a string of at least/,
      ],
      [
        "beside fallbacks that are no JSON",
        [],
        { ...env, SOJOURN_SECRET_KEY_FALLBACKS: "hush" },
        /^sojourn: SOJOURN_SECRET_KEY_FALLBACKS is not JSON/,
      ],
      [
        "beside fallbacks that are no list",
        [],
        { ...env, SOJOURN_SECRET_KEY_FALLBACKS: '"hush"' },
        /^sojourn: SOJOURN_SECRET_KEY_FALLBACKS must be a list of strings/,
      ],
      [
        "beside a fallback too short",
        [],
        { ...env, SOJOURN_SECRET_KEY_FALLBACKS: '["hush"]' },
        /^sojourn: SOJOURN_SECRET_KEY_FALLBACKS\[0\] must be a string/,
      ],
    ];
    for (const [what, args, more, message] of faults) {
      test(`or says in one line that it is ${what}, and shows none`, () => {
        const { code, stdout, stderr } = decode(args, more);
        assert.deepEqual({ code, stdout, lines: stderr.split("\n").length }, { code: 1, stdout: "", lines: 2 });
        assert.match(stderr, message);
        assert.equal(stderr.includes("hush") || stderr.includes(secretKey), false);
      });
    }
  });

  describe("says why a payload does not verify", () => {
    const legacy = legacyDjangoCodec({ secretKey }).encode({ uid: "123" }, signedAt) as string;
    const reasons: [string, string, RegExp][] = [
      ["empty", "", /is empty/],
      ["no payload", "hello", /is not signed at all/],
      ["JSON", '{"uid":{"a":"b"}}', /is not signed at all/],
      ["base64 alone", Buffer.from('{"uid":"123"}').toString("base64url"), /is not signed at all/],
      ["a session key", "abcdefghij0123456789abcdefghij01", /looks like a session key: `sojourn show -`/],
      ["cut off", payload().slice(0, -3), /is cut off or changed: its signature has 40 characters/],
      [
        "another key's",
        payload("{}", strangersKey),
        /does not verify: it was signed with another key or salt than SOJOURN_SECRET_KEY \(it unfolds/,
      ],
      ["another salt's", signed("{}", "mine"), /another key or salt/],
      [
        "another key's, by a line break",
        payload("{}", `${secretKey}\n`),
        /signed with SOJOURN_SECRET_KEY with a line break/,
      ],
      ["changed", `x${payload()}`, /does not verify, and does not unfold either: it was cut off or changed/],
      ["a signed cookie", signed("{}", "django.contrib.sessions.backends.signed_cookies"), /signed_cookies engine/],
      ["Django 3.0's", legacy, /format of Django before 3\.1.* SHA-1 signature is good, by SOJOURN_SECRET_KEY/],
      [
        "Django 3.0's, of another key",
        legacyDjangoCodec({ secretKey: strangersKey }).encode({}, signedAt) as string,
        /format of Django before 3\.1.* SHA-1 signature is not by SOJOURN_SECRET_KEY/,
      ],
      ["signed but no JSON", signed("hello"), /is signed, but does not hold JSON/],
      ["a signed list", signed("[1]"), /is signed, but holds a list, not a dict/],
      ["a signed number", signed("1"), /is signed, but holds a single value, not a dict/],
      ["a signed pickle", signed("\x80\x04}\x94."), /is signed, but holds a Python pickle, not JSON/],
      [
        "too large when unfolded",
        signed(`{"a":"${"x".repeat(5_000_000)}"}`),
        /is signed, but unfolds to more than 4194304 bytes/,
      ],
      ["too large", "x".repeat(7_000_000), /is too large: 7000000 characters/],
    ];
    for (const [what, text, reason] of reasons) {
      test(`${what}: in one line, exit code 1, with nothing of it`, () => {
        const { code, stdout, stderr } = sojourn(["decode", "-"], { env, input: text });
        assert.deepEqual({ code, stdout, lines: stderr.split("\n").length }, { code: 1, stdout: "", lines: 2 });
        assert.match(stderr, reason);
        assert.match(stderr, /^sojourn: the payload /);
        for (const secret of [secretKey, strangersKey, text.slice(0, 30)]) {
          assert.equal(secret !== "" && text !== "hello" && stderr.includes(secret), false, stderr);
        }
      });
    }

    test("standard input without end is not read to the end", () => {
      const { code, stderr } = sojourn(["decode", "-"], { env, input: "x".repeat(20_000_000) });
      assert.deepEqual(
        { code, stderr },
        { code: 1, stderr: "sojourn: standard input is too large to be the payload\n" },
      );
    });
  });

  test("--salt is for a store class of another name", () => {
    const input = signed('{"uid":"123"}', "django.contrib.sessions.MyStore");
    assert.equal(sojourn(["decode", "-"], { env, input }).code, 1);
    assert.equal(sojourn(["decode", "-", "--salt", "django.contrib.sessions.MyStore"], { env, input }).code, 0);
  });

  describe("on a terminal", { skip: !hasTerminal && "no `script` here" }, () => {
    test("labels are faint, but not with NO_COLOR or on a dumb terminal", async () => {
      assert.match((await onTerminal(["decode", payload()], env)).screen, /␛\[2msigned␛\[22m/);
      for (const more of [{ NO_COLOR: "1" }, { TERM: "dumb" }]) {
        assert.equal((await onTerminal(["decode", payload()], { ...env, ...more })).screen.includes("␛"), false);
      }
    });

    test("- says what to type", async () => {
      let typed = false;
      const { code, screen } = await onTerminal(["decode", "-"], env, (type) => {
        if (!typed) type(`${payload()}\n\x04`);
        typed = true;
      });
      assert.equal(code, 0);
      assert.match(screen, /^Enter the payload, and end with Ctrl-D on a line of its own:\r\n/);
    });
  });
});
