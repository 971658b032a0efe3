import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonCodec } from "../../src/codecs/json.ts";
import type { LoadedRecord, SessionRecord, SessionStore } from "../../src/core/contracts.ts";
import type { Session } from "../../src/core/session.ts";
import { createSessions } from "../../src/core/sessions.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";

/*
 * Django's SessionBaseTests. There is no base to inherit from: who writes a store implements an interface, and the
 * compiler says what is missing. `never` here does not compile.
 */

const REQUIRED: {
  readonly [Method in keyof SessionStore]-?: object extends Pick<SessionStore, Method> ? never : true;
} = { load: true, create: true, update: true, delete: true, deleteExpired: true };

const record: SessionRecord = { payload: "{}", expiresAt: new Date(8e15) };

/** A store with a session, as JavaScript may pass it: without one of its methods. */
function sessionsWithout(method: keyof typeof REQUIRED) {
  const store: SessionStore = {
    load: async (): Promise<LoadedRecord> => record,
    create: async () => true,
    update: async () => true,
    delete: async () => true,
    deleteExpired: async () => 0,
  };
  return createSessions(storeEngine({ ...store, [method]: undefined } as never, jsonCodec()));
}

const OPERATIONS: Readonly<Record<string, [keyof SessionStore, () => Promise<unknown>]>> = {
  test_create: ["create", async () => (await sessionsWithout("create").open(undefined).session()).save()],
  test_delete: ["delete", () => sessionsWithout("delete").delete("abcdefgh")],
  test_exists: ["load", () => sessionsWithout("load").exists("abcdefgh")],
  test_load: ["load", () => sessionsWithout("load").open("sessionid=abcdefgh").session()],
  test_save: ["update", async () => (await sessionsWithout("update").open("sessionid=abcdefgh").session()).save()],
};

for (const [name, [method, operation]] of Object.entries(OPERATIONS)) {
  test(`${name}: a store without ${method} does not compile, and fails with its name`, async () => {
    assert.equal(REQUIRED[method], true);
    await assert.rejects(operation, (error: Error & { code: string }) => {
      assert.equal(error.code, "ERR_SESSION_UNAVAILABLE");
      assert.match((error.cause as Error).message, new RegExp(`${method} is not a function`));
      return true;
    });
  });
}

/** Nothing of it asks the store. */
const session = (): Promise<Session> =>
  createSessions(storeEngine({} as SessionStore, jsonCodec()))
    .open(undefined)
    .session();

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
