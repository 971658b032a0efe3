import assert from "node:assert/strict";
import { test } from "node:test";
import { file, sojourn } from "../cli/support.ts";
import { SECRET_KEY } from "./parity-engine.ts";

/* Django's ClearSessionsCommandTests. */

test("test_clearsessions_unsupported: an engine that cannot be cleared is refused by name", () => {
  for (const [SESSION_ENGINE, message] of [
    ["sessions_tests.no_clear_expired", /SESSION_ENGINE "sessions_tests\.no_clear_expired" is not supported/],
    ["django.contrib.sessions.backends.signed_cookies", /nothing of them is stored at the server/],
  ] as const) {
    const settings = file(JSON.stringify({ SESSION_ENGINE, SECRET_KEY }));
    const { code, stdout, stderr } = sojourn(["clearsessions", "--settings", settings]);
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    assert.match(stderr, message);
  }
});
