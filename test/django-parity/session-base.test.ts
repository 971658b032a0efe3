import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonCodec } from "../../src/codecs/json.ts";
import type { SessionStore } from "../../src/core/contracts.ts";
import type { Session } from "../../src/core/session.ts";
import { createSessions } from "../../src/core/sessions.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { memoryStore } from "../../src/stores/memory.ts";

/*
 * Django's SessionBaseTests. There is no base to inherit from: who writes a store implements an interface, and the
 * compiler says what is missing. `never` here does not compile.
 */

const REQUIRED: {
  readonly [Method in keyof SessionStore]-?: object extends Pick<SessionStore, Method> ? never : true;
} = { load: true, create: true, update: true, delete: true, deleteExpired: true };

const OPERATIONS: Readonly<Record<string, keyof SessionStore>> = {
  test_create: "create",
  test_delete: "delete",
  test_exists: "load",
  test_load: "load",
  test_save: "update",
};

for (const [name, method] of Object.entries(OPERATIONS)) {
  test(`${name}: a store without ${method} does not compile, and makes no engine`, () => {
    assert.equal(REQUIRED[method], true);
    const store = { ...memoryStore(), [method]: undefined } as never;
    assert.throws(() => storeEngine(store, jsonCodec()), { code: "ERR_CONFIG", message: new RegExp(`${method}\\.$`) });
  });
}

const session = (): Promise<Session> =>
  createSessions(storeEngine(memoryStore(), jsonCodec())).open(undefined).session();

test("test_test_cookie: set, it worked, deleted", async () => {
  const tested = await session();
  assert.equal(tested.has("testcookie"), false);
  tested.setTestCookie();
  assert.equal(tested.testCookieWorked(), true);
  tested.deleteTestCookie();
  assert.equal(tested.has("testcookie"), false);
});

test("test_is_empty: a new session is empty", async () => {
  assert.equal((await session()).isEmpty, true);
});
