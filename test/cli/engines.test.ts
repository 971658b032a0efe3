import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSessions } from "sojourn";
import { connectDjango, resolveDjangoSettings } from "sojourn/django";
import { DJANGO_ENGINES } from "../support/django-engines.ts";
import { file, secretKey, sojourn } from "./support.ts";

/* The command line on every engine, by nothing but a Django project's settings. */

/** What `migrate` says the first time; the second time it says that all was there, or again that there is nothing to do. */
const MIGRATE: Readonly<Record<string, RegExp>> = {
  table: /^Created the table django_session and its index on expire_date in (?:sqlite:|[a-z]+:\/\/[a-z]+:\*\*\*@127)/,
  directory: /^(?:Created the|The) directory file:/,
  nothing: /^There is nothing to create in (?:redis|memcached)/,
};

for (const [name, settings] of Object.entries(DJANGO_ENGINES)) {
  // Of these no command can see anything.
  if (/locmem|signed_cookies/.test(name)) continue;
  const needs = /^(?:db|cached_db)/.test(name) ? "table" : name === "file" ? "directory" : "nothing";
  const piles = needs !== "nothing";

  describe(`the command line with ${name}`, () => {
    const path = file(JSON.stringify({ ...settings, SECRET_KEY: secretKey }), "settings.json");
    const run = (args: readonly string[], input = "") => {
      const result = sojourn([...args, "--settings", path], { input });
      assert.deepEqual({ code: result.code, stderr: result.stderr }, { code: 0, stderr: "" });
      return result.stdout;
    };

    /** A session as a server stores it, and the server gone. */
    async function store(data: Record<string, unknown>, age = 3600): Promise<string> {
      const resolved = resolveDjangoSettings({ SECRET_KEY: secretKey, ...settings });
      const { engine, store: connected } = await connectDjango(resolved);
      const now = new Date(Date.now() + (age < 0 ? age * 1000 : 0));
      const sessions = createSessions({ engine, ...resolved.settings, now: () => now });
      const session = await sessions.open(undefined).session();
      session.update(data);
      session.setExpiry(Math.abs(age) / 2);
      await session.save();
      await connected?.close();
      return session.key!;
    }

    test("migrate creates what is needed, once", () => {
      // Two engines share a database.
      if (!name.startsWith("cached_db")) assert.match(run(["migrate"]), MIGRATE[needs]!);
      assert.match(run(["migrate"]), piles ? /was there before/ : MIGRATE.nothing!);
    });

    test("show prints a session that a server stored", async () => {
      const key = await store({ uid: "123", cart: ["apple"], big: 2n ** 64n });
      const shown = run(["show", "-"], key);
      assert.match(shown, /"uid": "123"/);
      assert.match(shown, /"big": 18446744073709551616/);
      assert.ok(!shown.includes(key), "the key is shown");
    });

    test("check says that it can be read", async () => {
      const checked = run(["check", "-"], await store({ uid: "123" }));
      assert.match(checked, /^✓ contents +2 keys: uid, _session_expiry$/m);
      assert.match(checked, /\n\nThe session can be read\.\n$/);
    });

    test("clearsessions removes what has expired, and says how many", async () => {
      const live = await store({ uid: "live" });
      const expired = piles ? [await store({ uid: "1" }, -7200), await store({ uid: "2" }, -7200)] : [];
      assert.equal(JSON.parse(run(["clearsessions", "--json"])).deleted, expired.length);
      assert.equal(JSON.parse(run(["clearsessions", "--json"])).deleted, 0);
      assert.match(run(["show", "-"], live), /"uid": "live"/);
    });
  });
}

test("a signed cookie is nowhere that a command could look", () => {
  const settings = { ...DJANGO_ENGINES.signed_cookies, SECRET_KEY: secretKey };
  const { code, stderr } = sojourn(["clearsessions", "--settings", file(JSON.stringify(settings))]);
  assert.equal(code, 1);
  assert.match(stderr, /signed cookies: nothing of them is stored at the server/);
});

test("a directory alone does not say when its sessions expire, so nothing is deleted there", () => {
  const { code, stderr } = sojourn(["clearsessions", "--store", "file:/tmp"]);
  assert.equal(code, 1);
  assert.match(stderr, /name the settings with --settings instead of the directory/);
});
