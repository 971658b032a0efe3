import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fingerprint } from "../../src/core/key.ts";
import { signer, timestampSign } from "../../src/django/signing.ts";
import { connected, SECRET_KEY } from "./parity-engine.ts";
import { corrupted, data, flags, type ParityCases, stored } from "./session-cases.ts";

/* Django's CookieSessionTests, and what else differs where the cookie is the session and nothing is at the server. */

const SALT = "django.contrib.sessions.backends.signed_cookies";

const cookieCases: ParityCases = {
  "test_save: what was signed exists, what was changed does not": async ({ session, sessions }) => {
    const saved = await session();
    await saved.save();
    assert.equal(await sessions().exists(saved.key!), true);
    assert.equal(await sessions().exists(saved.key!.replace(/.$/, (last) => (last === "A" ? "B" : "A"))), false);
  },
  "test_cycle: keeps the data, and cannot end the former cookie": async (engine) => {
    const session = await stored(engine, { a: "c", b: "d" });
    const before = session.key;
    await session.cycleKey();
    for (const key of [before, session.key]) {
      assert.deepEqual(data(await engine.session(key)), { a: "c", b: "d" });
    }
  },
  "test_delete: by key it is ERR_CONFIG, for nothing would be deleted": async ({ session, sessions }) => {
    const deleted = await session();
    await deleted.save();
    await assert.rejects(sessions().delete(deleted.key!), { code: "ERR_CONFIG" });
  },
  "test_flush: empties the session, forgets its cookie and deletes it in the browser": async (engine) => {
    const { key } = await stored(engine, { foo: "bar" });
    const request = engine.sessions().open(`sessionid=${key}`);
    const session = await request.session();
    await session.flush();
    assert.equal(session.key, null);
    assert.deepEqual(flags(session), { modified: true, accessed: true });
    assert.match((await request.commit(200)).setCookie.join(), /^sessionid="";.* Max-Age=0/);
  },
  "test_session_key_valid_string_saved: a key of eight characters is no cookie of ours": async (engine) => {
    assert.equal(engine.engine.isToken("12345678"), false);
    assert.equal((await engine.session("12345678")).key, null);
  },
  "test_decode_failure_logged_to_security: what does not verify is no session, and reported": async (engine) => {
    const token = `bad:encoded:${"v".repeat(43)}`;
    assert.deepEqual(await corrupted(engine, token), [{ session: fingerprint(token) }]);
  },
  "test_decode_serializer_exception: what verifies and cannot be read is no session": unreadable,
  "test_unpickling_exception: nothing is thrown": unreadable,
  "test_session_save_does_not_resurrect_session_logged_out_in_other_context: a copied cookie outlives a logout": async (
    engine,
  ) => {
    const session = await stored(engine, { test_data: "value1" });
    await (await engine.session(session.key)).flush();
    session.set("test_data", "value2");
    await session.save();
    assert.deepEqual(data(await engine.session(session.key)), { test_data: "value2" });
  },
};

async function unreadable(engine: Parameters<typeof corrupted>[0]): Promise<void> {
  const token = timestampSign("invalid-data", new Date(), signer(SECRET_KEY, SALT));
  assert.equal(engine.engine.isToken(token), true);
  assert.deepEqual(await corrupted(engine, token), [{ session: fingerprint(token) }]);
}

describe("signed_cookies", () => {
  const engine = connected({ SESSION_ENGINE: SALT });
  for (const [rule, body] of Object.entries(cookieCases)) test(rule, () => body(engine()));
});
