import assert from "node:assert/strict";
import { inspect } from "node:util";
import { connect } from "../../src/connect.ts";
import type { SessionStore } from "../../src/core/contracts.ts";
import { SessionError } from "../../src/core/errors.ts";
import { DATABASE_PASSWORD } from "../support/servers/database.ts";

export const KEY = "k3y0fas3ss10nk3y0fas3ss10nk3y0fa";
export const PAYLOAD = "c0nfidential-payload";
export const record = { payload: PAYLOAD, expiresAt: new Date(8e15) };

export const OPERATIONS: Readonly<Record<string, (store: SessionStore) => Promise<unknown>>> = {
  load: (store) => store.load(KEY),
  create: (store) => store.create(KEY, record),
  update: (store) => store.update(KEY, record),
  "update with expectation": (store) => store.update(KEY, record, PAYLOAD),
  delete: (store) => store.delete(KEY),
  "delete with expectation": (store) => store.delete(KEY, PAYLOAD),
  deleteExpired: (store) => store.deleteExpired({ onProgress: () => {} }),
};

/** Ends in a SessionError that says this, and nothing that is secret, however it is printed. */
export async function failsSaying(
  message: RegExp,
  operation: () => Promise<unknown>,
  code = "ERR_SESSION_UNAVAILABLE",
): Promise<void> {
  await assert.rejects(operation, (error) => {
    assert.ok(error instanceof SessionError, inspect(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assertHoldsNoSecret(error);
    return true;
  });
}

/** Every operation fails so. */
export async function allFailSaying(
  message: RegExp,
  store: SessionStore,
  operations: readonly string[] = Object.keys(OPERATIONS),
): Promise<void> {
  for (const name of operations) await failsSaying(message, () => OPERATIONS[name]!(store));
}

function assertHoldsNoSecret(error: Error): void {
  const shown = inspect(error, { depth: 10, showHidden: true }) + JSON.stringify(error) + error.stack;
  for (const secret of [KEY, PAYLOAD, DATABASE_PASSWORD, encodeURIComponent(DATABASE_PASSWORD)]) {
    assert.ok(!shown.includes(secret), `${secret} is shown:\n${shown}`);
  }
}

/** All five operations, through a connection of its own. */
export async function keepsSessions(url: string): Promise<void> {
  const store = await connect(url);
  assert.equal(await store.create(KEY, record), true);
  assert.equal((await store.load(KEY))?.payload, PAYLOAD);
  assert.equal(await store.update(KEY, record, "other"), false);
  assert.equal(await store.delete(KEY, PAYLOAD), true);
  assert.equal(await store.deleteExpired(), 0);
  await store.close();
}
