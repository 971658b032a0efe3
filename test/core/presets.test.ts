import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { djangoCodec, djangoCookieCodec } from "../../src/django.ts";
import {
  cookieEngine,
  createSessions,
  encryptedCodec,
  memoryStore,
  type SessionStore,
  storeEngine,
} from "../../src/index.ts";

const secretKey = "a secret key for tests, 32 characters at least";

async function responseOf(options: Partial<Parameters<typeof createSessions>[0]>, cookie?: string) {
  const sessions = createSessions<Record<string, unknown>>({ secretKey, ...options } as never);
  const request = sessions.open(cookie);
  const session = await request.session();
  session.set("uid", "alice");
  const { setCookie } = await request.commit(200);
  return { session, setCookie: setCookie[0]! };
}

describe("the preset django", () => {
  test("is the default: Django's cookie and lifetime, and the key as Django finds it", async () => {
    for (const preset of [undefined, "django"] as const) {
      const store = memoryStore();
      const { session, setCookie } = await responseOf({ preset, store });
      assert.match(setCookie, /^sessionid=[a-z0-9]{32}; expires=.*; HttpOnly; Max-Age=1209600; Path=\/; SameSite=Lax$/);
      assert.ok(await store.load(session.key!));
    }
  });
});

describe("the preset strict", () => {
  test("sends its cookie to this host over HTTPS only, and for an hour", async () => {
    const { setCookie } = await responseOf({ preset: "strict", store: memoryStore() });
    assert.match(setCookie, /^__Host-sessionid=[a-z0-9]{32}; /);
    assert.match(setCookie, /; HttpOnly; Max-Age=3600; Path=\/; SameSite=Lax; Secure$/);
  });

  test("keeps no session key in the store", async () => {
    const keys: string[] = [];
    const inner = memoryStore();
    const store: SessionStore = {
      ...inner,
      create(key, record) {
        keys.push(key);
        return inner.create(key, record);
      },
    };
    const { session } = await responseOf({ preset: "strict", store });
    assert.equal(keys.length, 1);
    assert.notEqual(keys[0], session.key);
    assert.equal(await inner.load(session.key!), null);
  });

  test("ends a session an hour after its last request, also one that only read, and a day after its first", async () => {
    let now = new Date("2026-11-20T12:00:00Z");
    const clock = () => now;
    const sessions = createSessions<{ uid: string }>({
      preset: "strict",
      secretKey,
      store: memoryStore({ now: clock }),
      now: clock,
    });
    const login = sessions.open(undefined);
    (await login.session()).set("uid", "alice");
    await login.commit(200);
    const { key } = await login.session();
    let halfHours = 0;
    for (; halfHours < 100; halfHours++) {
      const request = sessions.open(`__Host-sessionid=${key}`);
      if ((await request.session()).get("uid") === undefined) break;
      await request.commit(200);
      now = new Date(now.getTime() + 1_800_000);
    }
    assert.equal(halfHours, 48);

    const second = sessions.open(undefined);
    (await second.session()).set("uid", "alice");
    await second.commit(200);
    now = new Date(now.getTime() + 3_600_000);
    const late = await sessions.open(`__Host-sessionid=${(await second.session()).key}`).session();
    assert.equal(late.key, null);
  });

  test("gives way to an option, but not to one that is undefined", async () => {
    const given = { preset: "strict", store: memoryStore(), cookieAge: 600, cookieName: undefined as never } as const;
    const { setCookie } = await responseOf(given);
    assert.match(setCookie, /^__Host-sessionid=.*Max-Age=600;/);
  });

  test("takes cookies that hold sessions only where nobody can read them", async () => {
    const engine = cookieEngine(encryptedCodec({ secretKey }));
    const { setCookie } = await responseOf({ preset: "strict", engine, secretKey: undefined as never });
    assert.match(setCookie, /^__Host-sessionid=/);
    const refused = [
      cookieEngine(djangoCookieCodec({ secretKey })),
      storeEngine(memoryStore(), djangoCodec({ secretKey })),
    ];
    for (const other of refused) {
      assert.throws(() => createSessions({ preset: "strict", engine: other }), {
        code: "ERR_CONFIG",
        message: /strict/,
      });
    }
  });
});

test("a preset that does not exist is refused", () => {
  const options = { preset: "paranoid" as never, secretKey, store: memoryStore() };
  assert.throws(() => createSessions(options), { code: "ERR_CONFIG", message: /django, strict/ });
});
