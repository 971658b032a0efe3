import assert from "node:assert/strict";
import { inspect } from "node:util";
import { SessionError, type SessionErrorCode } from "../../src/core/errors.ts";

export const KEY = "k3y0fas3ss10nk3y0fas3ss10nk3y0fa";

/** Stands in the payloads of tests, and must stand nowhere else. */
export const SECRET = "s3cr3t-p4yl04d";

/** The operation fails in a way that says where, and neither shows the session's key nor what is in it. */
export async function fails(
  operation: Promise<unknown>,
  message: RegExp,
  code: SessionErrorCode = "ERR_SESSION_UNAVAILABLE",
): Promise<void> {
  await assert.rejects(operation, (error) => {
    assert.ok(error instanceof SessionError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.match(error.message, /memcached at (127\.0\.0\.1:\d+|localhost:\d+|\[::1\]:\d+|\/\w+)/);
    const shown = inspect(error, { depth: 10, showHidden: true });
    assert.ok(!shown.includes(KEY) && !shown.includes(SECRET), shown);
    return true;
  });
}
