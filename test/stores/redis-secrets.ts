import assert from "node:assert/strict";
import { inspect } from "node:util";

/** What no error may hold. */
export const SECRETS = {
  key: "s3cr3tkeys3cr3tkeys3cr3tkeys3cr3",
  payload: "s3cr3t payload",
  expected: "s3cr3t expectation",
  password: "s3cr3t/p@ss:w%rd",
  sentinelPassword: "s3cr3t s&ntinel",
};

/** A fault of the store in words, with nothing secret however deep one looks. */
export async function failsWithoutSecrets(operation: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(operation, (error: Error & { code?: string }) => {
    assert.equal(error.name, "SessionError");
    assert.equal(error.code, "ERR_SESSION_UNAVAILABLE");
    assert.match(error.message, message);
    hasNoSecrets(error);
    return true;
  });
}

export function hasNoSecrets(error: unknown): void {
  const shown = inspect(error, { depth: 10, showHidden: true });
  for (const secret of Object.values(SECRETS)) {
    for (const form of [secret, encodeURIComponent(secret)]) assert.ok(!shown.includes(form), shown);
  }
}
