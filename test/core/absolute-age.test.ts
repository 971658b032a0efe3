import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SessionEngine } from "../../src/core/contracts.ts";
import { createSessions } from "../../src/core/sessions.ts";
import type { SessionSettings } from "../../src/core/settings.ts";
import { djangoCodec, djangoCookieCodec } from "../../src/django/codec.ts";
import { cookieEngine } from "../../src/engines/cookie-engine.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { memoryStore } from "../../src/stores/memory.ts";

const secretKey = "a secret key for tests, 32 characters at least";
const HOUR = 3600;

const ENGINES: Record<string, (now: () => Date) => SessionEngine> = {
  "in a store": (now) => storeEngine(memoryStore({ now }), djangoCodec({ secretKey })),
  "in a cookie": () => cookieEngine(djangoCookieCodec({ secretKey })),
};

for (const [where, engineOf] of Object.entries(ENGINES)) {
  describe(`a session of limited length, ${where}`, () => {
    function application(settings: Partial<SessionSettings> = {}) {
      let now = new Date("2026-11-20T12:00:00Z");
      const clock = () => now;
      const given = { cookieAge: HOUR, absoluteAge: 3 * HOUR, now: clock, ...settings };
      const sessions = createSessions<Record<string, any>>(engineOf(clock), given);
      return {
        open: async (key?: string | null) => {
          const request = sessions.open(key ? `sessionid=${key}` : undefined);
          return { request, session: await request.session() };
        },
        pass(seconds: number) {
          now = new Date(now.getTime() + seconds * 1000);
        },
      };
    }

    /** Uses the session every half hour; says after how many hours it was gone. */
    async function lifeOf(app: ReturnType<typeof application>, use: (session: any, n: number) => unknown) {
      const { session } = await app.open();
      session.set("uid", "alice");
      await session.save();
      let { key } = session;
      for (let n = 1; n < 20; n++) {
        app.pass(HOUR / 2);
        const { session: next } = await app.open(key);
        if (next.key === null) return n / 2;
        await use(next, n);
        await next.save();
        key = next.key;
      }
      return Number.POSITIVE_INFINITY;
    }

    const uses: Record<string, (session: any, n: number) => unknown> = {
      "is saved": (session, n) => session.set("n", n),
      "is moved to a new key": (session) => session.cycleKey(),
      "is emptied": (session, n) => {
        session.clear();
        session.set("n", n);
      },
      "is given an expiry of its own": (session) => session.setExpiry(24 * HOUR),
      "is set never to expire": (session) => session.setExpiry(Number.POSITIVE_INFINITY),
      "ends with the browser": (session) => session.setExpiry(0),
    };
    for (const [name, use] of Object.entries(uses)) {
      test(`ends in time, however often it ${name}`, async () => {
        assert.equal(await lifeOf(application(), use), 3);
      });
    }

    test("ends for want of activity before that", async () => {
      const app = application();
      const { session } = await app.open();
      session.set("uid", "alice");
      await session.save();
      app.pass(HOUR);
      assert.equal((await app.open(session.key)).session.key, null);
    });

    test("has a cookie that lives no longer", async () => {
      const app = application();
      const { session, request } = await app.open();
      session.set("uid", "alice");
      session.setExpiry(24 * HOUR);
      const { setCookie } = await request.commit(200);
      assert.match(setCookie[0]!, /Max-Age=10800;/);
    });

    test("begins anew after a logout", async () => {
      const app = application();
      const { session } = await app.open();
      session.set("uid", "alice");
      await session.save();
      app.pass(HOUR / 2);
      await session.flush();
      session.set("uid", "bob");
      assert.equal(session.expiryAge(), HOUR);
      session.setExpiry(24 * HOUR);
      await session.save();
      assert.equal(session.expiryAge(), 3 * HOUR);
    });

    test("that says it started in the future, or nonsense, starts when it was saved", async () => {
      for (const started of [4e9, -1e15, Number.NaN, "yesterday", null]) {
        const app = application();
        const { session } = await app.open();
        session.set("_session_started", started);
        session.setExpiry(24 * HOUR);
        assert.equal(session.expiryAge(), 3 * HOUR);
      }
    });

    test("is the setting's doing: without it, nothing is kept and nothing ends", async () => {
      const app = application({ absoluteAge: null });
      const { session } = await app.open();
      session.set("uid", "alice");
      await session.save();
      assert.deepEqual([...session.keys()], ["uid"]);
      assert.equal(await lifeOf(app, (each, n) => each.set("n", n)), Number.POSITIVE_INFINITY);
    });
  });
}
