import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fingerprint } from "../../src/core/key.ts";
import { payload, type Result, secretKey, sessionKey, sojourn, storeWith, strangersKey } from "./support.ts";

const env = { SOJOURN_SECRET_KEY: secretKey };
const name = fingerprint(sessionKey);

function assertShowsNoSecret({ stdout, stderr }: Result, ...secrets: string[]) {
  for (const secret of [sessionKey, secretKey, ...secrets]) {
    assert.equal(`${stdout}${stderr}`.includes(secret), false, `${stdout}${stderr}`);
  }
}

describe("sojourn show", () => {
  test("prints fingerprint, size, times and data, and neither key nor payload", async () => {
    const text = payload('{"uid":"123","n":10000000000000000000000}');
    const result = sojourn(["show", sessionKey, "--store", await storeWith(text)], { env });
    assert.deepEqual([result.code, result.stderr], [0, ""]);
    assert.match(
      result.stdout,
      new RegExp(
        [
          `^session  ${name}`,
          `stored   ${text.length} bytes`,
          "signed   \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d UTC \\(.*\\), by the secret key \\(SOJOURN_SECRET_KEY\\)",
          "expires  \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d UTC \\(in .*\\).*",
          "",
          "\\{",
          '  "uid": "123",',
          '  "n": 10000000000000000000000',
          "\\}\n$",
        ].join("\n"),
      ),
    );
    assertShowsNoSecret(result, text);
  });

  test("- reads the key from standard input", async () => {
    const url = await storeWith(payload());
    const result = sojourn(["show", "-", "--store", url], { env, input: `${sessionKey}\n` });
    assert.equal(result.code, 0);
    assertShowsNoSecret(result);
  });

  test("--json prints one line of JSON", async () => {
    const signedAt = new Date(Math.floor(Date.now() / 1000) * 1000);
    const text = payload('{"uid":"123"}', secretKey, signedAt);
    const result = sojourn(["show", sessionKey, "--json", "--store", await storeWith(text)], { env });
    const { expiresAt, ...rest } = JSON.parse(result.stdout);
    assert.deepEqual(rest, {
      fingerprint: name,
      storedBytes: text.length,
      signedAt: signedAt.toISOString(),
      signedBy: "secretKey",
      data: { uid: "123" },
    });
    assert.match(expiresAt, /^\d{4}-.*Z$/);
    assertShowsNoSecret(result, text);
  });

  test("the expiry is the row's", async () => {
    const url = await storeWith(payload(), new Date("2999-12-31T23:59:58.765Z"));
    const { stdout } = sojourn(["show", sessionKey, "--json", "--store", url], { env });
    assert.equal(JSON.parse(stdout).expiresAt, "2999-12-31T23:59:58.765Z");
  });

  test("an expiry in the data that is none does not keep the rest from being shown", async () => {
    const url = await storeWith(payload('{"_session_expiry":"tomorrow"}'));
    const { code, stdout } = sojourn(["show", sessionKey, "--store", url], { env });
    assert.equal(code, 0);
    assert.match(stdout, /"_session_expiry": "tomorrow"/);
  });

  const faults: [string, () => Promise<string>, string, RegExp][] = [
    [
      "is not there",
      () => storeWith(payload()),
      "nobodyskey0123456789",
      /there is no session [0-9a-f]{12}, or it has expired\n$/,
    ],
    [
      "has expired",
      () => storeWith(payload(), new Date(Date.now() - 1000)),
      sessionKey,
      /there is no session [0-9a-f]{12}, or it has expired\n$/,
    ],
    [
      "is of another key",
      () => storeWith(payload("{}", strangersKey)),
      sessionKey,
      /the payload of session [0-9a-f]{12} does not verify: it was signed with another key/,
    ],
    [
      "is not signed",
      () => storeWith("garbage!"),
      sessionKey,
      /the payload of session [0-9a-f]{12} is not signed at all/,
    ],
  ];
  for (const [what, url, key, message] of faults) {
    test(`a session that ${what}: one line, exit code 1, without the key`, async () => {
      const result = sojourn(["show", key, "--store", await url()], { env });
      assert.deepEqual([result.code, result.stdout], [1, ""]);
      assert.match(result.stderr, message);
      assert.equal(result.stderr.split("\n").length, 2);
      assertShowsNoSecret(result, key, strangersKey);
    });
  }

  for (const key of ["SHOUTING1", "short", "a".repeat(41), "../../etc/passwd", "' OR 1=1 --", ""]) {
    test(`${JSON.stringify(key)} is no session key, and no store is asked`, () => {
      const result = sojourn(["show", "-", "--store", "sqlite:missing"], { env, input: key });
      assert.deepEqual([result.code, result.stdout], [1, ""]);
      assert.equal(result.stderr, "sojourn: that is no session key: those are 8 to 40 characters of a-z and 0-9\n");
    });
  }

  test("without a secret key it says so, and asks no store", () => {
    const result = sojourn(["show", sessionKey, "--store", "sqlite:missing"]);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /^sojourn: there is no secret key /);
    assertShowsNoSecret(result);
  });
});
