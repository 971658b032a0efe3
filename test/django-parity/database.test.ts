import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { djangoCodec } from "../../src/django/codec.ts";
import { file, sojourn } from "../cli/support.ts";
import { enginesWithDatabase } from "./engines.ts";
import { connected, type ParityEngine, SECRET_KEY } from "./parity-engine.ts";
import { rawSql } from "./raw-sql.ts";
import { data, defaultExpiry, expiryReset, type ParityCases, stored } from "./session-cases.ts";

/* Django's DatabaseSessionTests and CustomDatabaseSessionTests. A model's instance is a row, read beside the store. */

const codec = djangoCodec({ secretKey: SECRET_KEY });

const databaseCases: ParityCases = {
  "test_session_str: the session key is the row's own": async (engine) => {
    const { key } = await stored(engine, { x: 1 });
    assert.deepEqual(await column(engine, "session_key", key), key);
  },
  "test_session_get_decoded: the row's text is decoded without the store": async (engine) => {
    const { key } = await stored(engine, { x: 1 });
    assert.deepEqual({ ...codec.decode(await column(engine, "session_data", key))?.data }, { x: 1 });
  },
  "test_sessionmanager_save: what is written into the row is read": async (engine) => {
    const { key } = await stored(engine, { y: 1 });
    const text = codec.encode({ y: 2 }, new Date());
    await sql(engine, `UPDATE django_session SET session_data = '${text}' WHERE session_key = '${key}'`);
    assert.deepEqual(data(await engine.session(key)), { y: 2 });
  },
  "test_clearsessions_command: of two sessions, the one that has expired is deleted": (engine) =>
    clears(engine, async () => {
      const { DATABASES, USE_TZ = true, TIME_ZONE = "UTC" } = engine.django;
      const settings = file(JSON.stringify({ DATABASES, USE_TZ, TIME_ZONE, SECRET_KEY }));
      const { code, stdout, stderr } = sojourn(["clearsessions", "--settings", settings, "--json"]);
      assert.deepEqual({ code, stderr, deleted: JSON.parse(stdout).deleted }, { code: 0, stderr: "", deleted: 1 });
    }),
  "test_aclear_expired: also by sessions.clearExpired()": (engine) =>
    clears(engine, async () => assert.equal(await engine.sessions().clearExpired(), 1)),
};

for (const [name, django] of Object.entries(enginesWithDatabase("db"))) {
  describe(name, () => {
    const engine = connected(django);
    for (const [rule, body] of Object.entries(databaseCases)) test(rule, () => body(engine()));
  });
}

/** Django's custom store has an age of its own; here that is the setting. */
const customCases: ParityCases = {
  "test_extra_session_field: a further column is left alone": async (engine) => {
    await sql(engine, "ALTER TABLE django_session ADD COLUMN account_id integer NULL");
    try {
      const session = await stored(engine, { _auth_user_id: "42" });
      assert.equal(await column(engine, "account_id", session.key), null);
      await sql(engine, `UPDATE django_session SET account_id = 42 WHERE session_key = '${session.key}'`);
      session.pop("_auth_user_id");
      await session.save();
      assert.equal(await column(engine, "account_id", session.key), 42);
    } finally {
      await sql(engine, "ALTER TABLE django_session DROP COLUMN account_id");
    }
  },
  "test_custom_expiry_reset: null brings the project's age back": (engine) => expiryReset(engine, 86_400),
  "test_default_expiry: the project's age": (engine) => defaultExpiry(engine, 86_400),
};

for (const [name, django] of Object.entries(enginesWithDatabase("db"))) {
  describe(`${name}, with a table and an age of the project's own`, () => {
    const engine = connected({ ...django, SESSION_COOKIE_AGE: 86_400 });
    for (const [rule, body] of Object.entries({ ...databaseCases, ...customCases })) test(rule, () => body(engine()));
  });
}

/** Of two sessions, one in the past, the other is left. */
async function clears(engine: ParityEngine, clear: () => Promise<void>): Promise<void> {
  const count = async () => Number((await sql(engine, "SELECT COUNT(*) AS n FROM django_session"))[0]!.n);
  await sql(engine, "DELETE FROM django_session");
  const keys: string[] = [];
  for (const seconds of [3600, -3600]) {
    const session = await engine.session();
    session.set("foo", "bar");
    session.setExpiry(seconds);
    await session.save();
    keys.push(session.key!);
  }
  assert.equal(await count(), 2);
  await clear();
  assert.equal(await count(), 1);
  assert.equal(await engine.sessions().exists(keys[0]!), true);
}

async function column(engine: ParityEngine, name: string, key: string | null): Promise<any> {
  const rows = await sql(engine, `SELECT ${name} FROM django_session WHERE session_key = '${key}'`);
  assert.equal(rows.length, 1);
  return rows[0]![name];
}

function sql({ resolved }: ParityEngine, text: string): Promise<Record<string, unknown>[]> {
  return rawSql(resolved.engine.store!.url, text);
}
