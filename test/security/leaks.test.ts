import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "../support/servers/server.ts";

/*
 * A session key, a payload or a secret reaches no body, header, log, error or event: OWASP ASVS 5.0 V14.2.1, V16.2.5 and
 * V16.5.1; Spring Session CVE-2023-20866 printed them. `leaks-script.ts` does everything, this looks for what it left.
 */

type Kind = "key" | "payload" | "value" | "secret key" | "password";

export interface Evidence {
  readonly secrets: Record<Kind, string[]>;
  /** Where, and what could be seen there. */
  readonly surfaces: [where: string, text: string][];
  /** The one place where a key belongs. */
  readonly cookies: string[];
  readonly events: Record<string, number>;
}

const SCRIPT = fileURLToPath(new URL("./leaks-script.js", import.meta.url));

/** A long secret is found by any of its pieces: errors cut texts off. */
const PIECE = 24;

function pieces(secret: string): string[] {
  if (secret.length <= PIECE) return [secret];
  const last = secret.length - PIECE;
  return [...new Set([0, last >> 1, last])].map((start) => secret.slice(start, start + PIECE));
}

/** A text as it may appear elsewhere. */
function forms(text: string): string[] {
  const bytes = Buffer.from(text);
  // Base64 of a text differs by where in three bytes it begins; the ends depend on the neighbours.
  const base64 = [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
    return encoded.slice(offset === 0 ? 0 : 4, -4);
  });
  const encodings = [
    text,
    encodeURIComponent(text),
    JSON.stringify(text).slice(1, -1),
    bytes.toString("hex"),
    ...base64,
    ...base64.map((each) => each.replaceAll("+", "-").replaceAll("/", "_")),
    [...bytes].join(", "),
    [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" "),
  ];
  return [...new Set(encodings)].filter((form) => form.length >= 8);
}

/** What of `kinds` is in which surface. */
function scan({ secrets, surfaces }: Evidence, kinds: readonly Kind[], among = /(?:)/): string[] {
  const needles = kinds.flatMap((kind) =>
    [...new Set(secrets[kind].flatMap(pieces))].flatMap((piece) => forms(piece).map((form) => [kind, form] as const)),
  );
  return surfaces
    .filter(([where]) => among.test(where))
    .flatMap(([where, text]) =>
      needles.filter(([, form]) => text.includes(form)).map(([kind]) => `${kind} in ${where}: ${text.slice(0, 500)}`),
    );
}

const NONE: Evidence = {
  secrets: { key: [], payload: [], value: [], "secret key": [], password: [] },
  surfaces: [],
  cookies: [],
  events: {},
};

describe("the scanner", () => {
  test("finds a planted secret in any form, also a piece of it", () => {
    for (const kind of Object.keys(NONE.secrets) as Kind[]) {
      for (const secret of [randomBytes(24).toString("base64url"), `${randomBytes(60).toString("base64")}:/?"`]) {
        const bytes = Buffer.from(secret);
        for (const text of [
          secret,
          `Error: (${secret})`,
          encodeURIComponent(secret),
          JSON.stringify({ a: secret }),
          bytes.toString("hex"),
          bytes.toString("base64"),
          Buffer.from(`ab${secret}cd`).toString("base64url"),
          `<Buffer ${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")}>`,
          `Uint8Array [ ${[...bytes].join(", ")} ]`,
          `${secret.slice(0, 30)}…`,
          `…${secret.slice(-30)}`,
        ]) {
          const evidence = { ...NONE, secrets: { ...NONE.secrets, [kind]: [secret] }, surfaces: [["x", text]] };
          assert.equal(scan(evidence as Evidence, [kind]).length > 0, true, `${secret} in ${text}`);
        }
        const other = { ...NONE, secrets: { ...NONE.secrets, [kind]: [secret] }, surfaces: [["x", "nothing at all"]] };
        assert.deepEqual(scan(other as Evidence, [kind]), []);
      }
    }
  });
});

describe("everything that a server does, in good times and bad", { timeout: 120_000 }, () => {
  let evidence: Evidence;

  before(async () => {
    const path = join(temporaryDirectory(), "evidence.json");
    const child = spawn(process.execPath, ["--enable-source-maps", SCRIPT, path], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const printed = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (text: string) => {
        printed[stream] += text;
      });
    }
    const [code] = await once(child, "close");
    assert.equal(code, 0, printed.stderr.slice(-4000));
    evidence = JSON.parse(readFileSync(path, "utf8"));
    evidence.surfaces.push(...Object.entries(printed));
  });

  test("was done: every kind of answer, error, event and secret is there", () => {
    const count = (pattern: RegExp) => evidence.surfaces.filter(([where]) => pattern.test(where)).length;
    for (const status of [200, 400, 500, 503]) assert.ok(count(new RegExp(`^body: .* ${status}$`)) > 20, `${status}`);
    assert.ok(count(/^error: /) > 60);
    assert.ok(count(/^(?:command|data shown)/) > 30);
    for (const event of ["conflict", "corrupted", "ambiguous", "interrupted", "unavailable", "cache-failed"]) {
      assert.ok(evidence.events[event]! > 0, event);
    }
    for (const [kind, secrets] of Object.entries(evidence.secrets)) assert.ok(secrets.length > 0, kind);
    assert.ok(new Set(evidence.secrets.key).size > 100);
    for (const stream of ["stdout", "stderr"]) {
      assert.ok(evidence.surfaces.find(([where]) => where === stream)![1].length > 1000, stream);
    }
    assert.equal(count(/^unhandled rejection/), 0);
  });

  test("sends keys in Set-Cookie, and shows them nowhere else", () => {
    const sent = evidence.cookies.join("\n");
    assert.ok(evidence.secrets.key.filter((key) => sent.includes(key)).length > 100);
    assert.deepEqual(scan(evidence, ["key"]), []);
  });

  test("shows no payload", () => assert.deepEqual(scan(evidence, ["payload"]), []));

  test("shows no secret key, and no password of a store", () => {
    assert.deepEqual(scan(evidence, ["secret key", "password"]), []);
  });

  test("shows no value of a session, but where an operator asked for the data", () => {
    assert.deepEqual(scan(evidence, ["value"], /^(?!data shown)/), []);
    assert.ok(scan(evidence, ["value"], /^data shown/).length > 0);
  });
});
