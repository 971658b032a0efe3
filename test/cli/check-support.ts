import assert from "node:assert/strict";
import type { DjangoSettings } from "../../src/django.ts";
import { file, type Result, secretKey, sojourn } from "./support.ts";

/* `sojourn check`, and that nothing secret is ever printed by it. */

/** A value in the sessions of these tests, which must never be seen. */
export const hidden = "hidden-value-of-the-session";

export interface Checked {
  readonly readable: boolean;
  /** `step: text` of what is wrong; `""` if nothing is. */
  readonly problem: string;
  readonly warnings: readonly string[];
  /** All texts, in order, by their steps. */
  readonly told: Readonly<Record<string, string>>;
}

export const BACKENDS = "django.contrib.sessions.backends";

export interface Given {
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
  /** What must not be seen either. */
  readonly secrets?: readonly string[];
}

/** With the secret key of the tests, if the settings have none. */
export function check(
  settings: DjangoSettings,
  token: string,
  { args = [], env = {}, secrets = [] }: Given = {},
): Checked {
  const path = file(JSON.stringify({ SECRET_KEY: secretKey, ...settings }), "settings.json");
  const result = sojourn(["check", "-", "--settings", path, "--json", ...args], { input: token, env });
  assertShowsNoSecret(result, [settings.SECRET_KEY ?? secretKey, token, hidden, ...secrets]);
  assert.equal(result.stderr, "");
  const { readable, steps } = JSON.parse(result.stdout) as {
    readable: boolean;
    steps: { step: string; mark: string; text: string }[];
  };
  assert.equal(result.code, readable ? 0 : 1);
  const marked = (mark: string) =>
    steps.filter((each) => each.mark === mark).map(({ step, text }) => `${step}: ${text}`);
  const [problem = "", ...more] = marked("problem");
  assert.deepEqual({ more, readable }, { more: [], readable: problem === "" });
  const told: Record<string, string> = {};
  for (const { step, text } of steps) told[step] = `${told[step] ?? ""}${text}\n`;
  return { readable, problem, warnings: marked("warning"), told };
}

export function assertShowsNoSecret({ stdout, stderr }: Result, secrets: readonly string[]): void {
  for (const secret of secrets.flatMap((each) => [each, each.trim()])) {
    assert.equal(secret.length >= 8 && `${stdout}${stderr}`.includes(secret), false, `${stdout}${stderr}`);
  }
}
