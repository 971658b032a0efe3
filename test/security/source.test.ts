import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

/* What no run can show: the source holds nothing that it must not. OWASP ASVS 5.0 V1.3.2, V1.5.2, V7.2.1, V11, V15.2.3. */

const ROOT = new URL("../../../", import.meta.url).pathname;
const files = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => `src/${file}`);

/** Without comments; what a text says counts. */
const code = new Map(
  files.map((file) => {
    const source = readFileSync(join(ROOT, file), "utf8");
    return [file, source.replace(/\/\*.*?\*\//gs, "").replace(/^\s*\/\/.*$/gm, "")];
  }),
);

const filesWith = (pattern: RegExp) => files.filter((file) => pattern.test(code.get(file)!));

describe("the source", () => {
  test("uses cryptography where docs/security.md says, and nowhere else", () => {
    const inventory = readFileSync(join(ROOT, "docs/security.md"), "utf8")
      .split("## Cryptography")[1]!
      .split("\n## ")[0]!;
    const listed = [...inventory.matchAll(/`(src\/[\w/-]+\.ts)`/g)].map(([, file]) => file!);
    assert.deepEqual(
      [...new Set(listed)].sort(),
      filesWith(/from "(?:node:)?crypto"|crypto\.subtle|globalThis\.crypto/).sort(),
    );
  });

  test("draws nothing secret with Math.random: only pauses", () => {
    for (const file of filesWith(/Math\.random/)) {
      for (const line of code
        .get(file)!
        .split("\n")
        .filter((each) => each.includes("Math.random"))) {
        assert.match(line, /sleep\(|Math\.min\(|Atomics\.wait\(|pause|delay|Ms\b/i, `${file}: ${line}`);
      }
    }
  });

  test("hashes with SHA-2; with SHA-1 what Django before 3.1 did, and Redis' names of scripts; with MD5 nothing", () => {
    assert.deepEqual(filesWith(/md5|"md4"|ripemd/i), []);
    const sha1 = filesWith(/"sha1"/).filter((file) => !file.startsWith("src/cli/"));
    assert.deepEqual(sha1.sort(), [
      "src/django/auth.ts",
      "src/django/codec.ts",
      "src/django/signing.ts",
      "src/stores/redis/store.ts",
    ]);
  });

  test("encrypts with AES-256-GCM and a tag of 16 bytes, and nothing else", () => {
    assert.deepEqual(filesWith(/createCipher|createDecipher/), ["src/codecs/encrypted.ts"]);
    const calls = [...code.get("src/codecs/encrypted.ts")!.matchAll(/create(?:Dec|C)ipheriv\(([^)]*)\)/g)];
    assert.equal(calls.length, 2);
    for (const [, given] of calls) assert.match(given!, /^"aes-256-gcm", .*, OPTIONS$/);
  });

  test("compares signatures, hashes and secrets in constant time: in one function, and by no operator", () => {
    assert.deepEqual(filesWith(/timingSafeEqual/), ["src/django/signing.ts"]);
    const secret = String.raw`\b(?:signature|hmac|digest|mac|tag|hash|password|secret\w*)\b`;
    const harmless = String.raw`(?!\s|=|undefined|null|"|\w+\.length)`;
    const compared = new RegExp(`${secret}(?:\\(.*?\\))?\\s*[!=]==?\\s*${harmless}|[!=]==?\\s*${secret}`, "i");
    assert.match("if (signature === given)", compared);
    assert.match("return given !== hash(password)", compared);
    for (const file of files) {
      for (const line of code.get(file)!.split("\n")) assert.doesNotMatch(line, compared, `${file}: ${line}`);
    }
  });

  test("executes no text, and revives nothing by the name of a type", () => {
    assert.deepEqual(
      filesWith(/\beval\(|new Function\b|node:vm|setTimeout\(\s*["'`]|child_process|worker_threads/),
      [],
    );
    // V8's format is for the codec that says so, never read from cookies or by default.
    assert.deepEqual(filesWith(/node:v8/), ["src/codecs/structured.ts"]);
    assert.deepEqual(filesWith(/structuredCodec\(/), ["src/codecs/structured.ts"]);
  });

  test("asks no header but the cookie's what to do: no proxy's, no client's", () => {
    assert.deepEqual(
      filesWith(/x-forwarded|forwarded-|x-real|"host"\]|headers\.host|remoteAddress|encrypted\b.*socket/i),
      [],
    );
  });

  test("puts no session key into a URL, and writes no storage of a browser's", () => {
    assert.deepEqual(filesWith(/localStorage|sessionStorage|document\.cookie|searchParams\.(?:set|append)\(.*key/), []);
  });

  test("is for servers: no entry of the package is for a browser", () => {
    const { exports, browser, module } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    assert.deepEqual([browser, module], [undefined, undefined]);
    for (const entry of Object.values(exports)) assert.equal(typeof entry, "string");
  });

  test("makes SQL of no session key: values are parameters, names are the table's", () => {
    for (const file of files.filter((each) => each.startsWith("src/stores/sql/"))) {
      for (const [, name] of code.get(file)!.matchAll(/(?:SELECT|INSERT|UPDATE|DELETE)\b[^`"]*\$\{([^}]*)\}/g)) {
        assert.doesNotMatch(name!, /key|payload|expires/i, `${file}: ${name}`);
      }
    }
  });
});
