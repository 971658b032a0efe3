import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { djangoCodec } from "../../src/django/codec.ts";
import { file, sojourn } from "../cli/support.ts";
import { temporaryDirectory } from "../support/servers/server.ts";
import { connected, type ParityEngine, SECRET_KEY } from "./parity-engine.ts";
import type { ParityCases } from "./session-cases.ts";

/* Django's FileSessionTests. */

const SESSION_ENGINE = "django.contrib.sessions.backends.file";

const directory = temporaryDirectory();

const fileCases: ParityCases = {
  "test_invalid_key_backslash: is no session, and reaches no file": (engine) => noPath(engine, "a\\b\\c"),
  "test_invalid_key_forwardslash: is no session, and reaches no file": (engine) => noPath(engine, "a/b/c"),
  "test_clearsessions_command: of three sessions, the two that have expired are deleted": async ({ sessions }) => {
    const count = () => readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile()).length;
    assert.equal(count(), 0);
    const keys: string[] = [];
    // The third is past the cookie's age, which cannot be 0 here.
    for (const [expiry, secondsAgo] of [
      [3600, 0],
      [-3600, 0],
      [null, 60],
    ] as const) {
      const session = await sessions({}, () => new Date(Date.now() - secondsAgo * 1000))
        .open(undefined)
        .session();
      session.set("foo", "bar");
      session.setExpiry(expiry);
      await session.save();
      keys.push(session.key!);
    }
    assert.equal(count(), 3);
    const settings = { SESSION_ENGINE, SESSION_FILE_PATH: directory, SESSION_COOKIE_AGE: 30, SECRET_KEY };
    const { code, stdout, stderr } = sojourn(["clearsessions", "--settings", file(JSON.stringify(settings)), "--json"]);
    assert.deepEqual({ code, stderr, deleted: JSON.parse(stdout).deleted }, { code: 0, stderr: "", deleted: 2 });
    assert.equal(count(), 1);
    assert.equal(await sessions().exists(keys[0]!), true);
  },
};

describe("file", () => {
  const engine = connected({ SESSION_ENGINE, SESSION_FILE_PATH: directory, SESSION_COOKIE_AGE: 30 });
  for (const [rule, body] of Object.entries(fileCases)) test(rule, () => body(engine()));
});

describe("file, in a directory that is not there", () => {
  const engine = connected({ SESSION_ENGINE, SESSION_FILE_PATH: join(directory, "missing") }, "as it is");

  test("test_configuration_check: ERR_CONFIG when a session is asked for, or saved", async () => {
    const expected = { code: "ERR_CONFIG", message: /missing/ };
    await assert.rejects(engine().session("abcdefgh"), expected);
    const session = await engine().session();
    await assert.rejects(session.save(), expected);
  });
});

/** Although the file is there, and holds a session. */
async function noPath({ engine, session, store }: ParityEngine, key: string): Promise<void> {
  const path = join(directory, `sessionid${key}`);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, djangoCodec({ secretKey: SECRET_KEY }).encode({ uid: "1" }, new Date()));
  try {
    assert.equal(engine.isToken(key), false);
    assert.equal((await session(key)).key, null);
    assert.equal(await store!.load(key), null);
    assert.equal(await store!.delete(key), false);
  } finally {
    rmSync(path);
  }
}
