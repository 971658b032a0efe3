import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encryptedCodec } from "../../src/codecs/encrypted.ts";
import { jsonCodec } from "../../src/codecs/json.ts";
import { structuredCodec } from "../../src/codecs/structured.ts";
import type { LoadedSession, SessionEngine, SessionStore, StoredSession } from "../../src/core/contracts.ts";
import { djangoCodec, djangoCookieCodec } from "../../src/django/codec.ts";
import { cookieEngine } from "../../src/engines/cookie-engine.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { type EngineMaker, type EngineSuiteOptions, engineSuite } from "../../src/testing/index.ts";

const secretKey = "a secret key for tests, 32 characters at least";

const ENGINES: Record<string, [EngineMaker, EngineSuiteOptions["kind"]]> = {
  "the store engine with Django's format": [
    ({ now, breakable }) => storeEngine(breakable(memoryStore({ now })), djangoCodec({ secretKey })),
    "store",
  ],
  "the store engine with JSON": [
    ({ now, breakable }) => storeEngine(breakable(memoryStore({ now })), jsonCodec()),
    "store",
  ],
  "the store engine with structured clones": [
    ({ now, breakable }) => storeEngine(breakable(memoryStore({ now })), structuredCodec()),
    "store",
  ],
  "the store engine with encryption": [
    ({ now, breakable }) => storeEngine(breakable(memoryStore({ now })), encryptedCodec({ secretKey })),
    "store",
  ],
  "the cookie engine with Django's format": [() => cookieEngine(djangoCookieCodec({ secretKey })), "cookie"],
  "the cookie engine with encryption": [() => cookieEngine(encryptedCodec({ secretKey })), "cookie"],
  "the cookie engine with several cookies": [
    () => cookieEngine(encryptedCodec({ secretKey }), { chunks: 3 }),
    "cookie",
  ],
};

for (const [name, [makeEngine, kind]] of Object.entries(ENGINES)) {
  describe(name, () => engineSuite(test, makeEngine, { kind }));
}

describe("the engine suite", () => {
  async function failures(makeEngine: EngineMaker, kind: EngineSuiteOptions["kind"]): Promise<string[]> {
    const cases: [string, () => Promise<void>][] = [];
    engineSuite((name, body) => cases.push([name, body]), makeEngine, { kind });
    const failed: string[] = [];
    for (const [name, body] of cases) await body().catch(() => failed.push(name));
    return failed;
  }

  type Sabotage = (engine: SessionEngine, store: SessionStore) => Partial<SessionEngine>;
  type Mistakes = Record<string, { found: RegExp; by: Sabotage }>;

  const codec = djangoCodec({ secretKey });

  const IN_A_STORE: Mistakes = {
    "isToken accepts everything": { found: /junk is none/, by: () => ({ isToken: () => true }) },
    "isToken refuses its own": { found: /what the engine issued/, by: () => ({ isToken: () => false }) },
    "tokens are cut off": {
      found: /no changed token/,
      by: (engine) => ({
        async load(token) {
          const first = [...issued].find((key) => key.startsWith(token.slice(0, 20)));
          return engine.load(first ?? token);
        },
        async create(data, saving) {
          const stored = await engine.create(data, saving);
          issued.add(stored.token);
          return stored;
        },
      }),
    },
    "load shares its objects": {
      found: /the caller's/,
      by(engine) {
        const shared = new Map<string, LoadedSession | "missing" | "corrupted">();
        return {
          async load(token) {
            if (!shared.has(token)) shared.set(token, await engine.load(token));
            return shared.get(token)!;
          },
        };
      },
    },
    "update does not say what it wrote": {
      found: /can be repeated/,
      by: (engine) => ({
        async update(stored, data, saving, reconcile) {
          await engine.update(stored, data, saving, reconcile);
          return stored;
        },
      }),
    },
    "update creates what is gone": {
      found: /brings it back/,
      by: (engine, store) => ({
        async update(stored, data, saving, reconcile) {
          await store.create(stored.token, { payload: stored.payload, expiresAt: saving.expiresAt(data) });
          return engine.update(stored, data, saving, reconcile);
        },
      }),
    },
    "update does not compare": {
      found: /none is lost/,
      by(_engine, store) {
        const careless = storeEngine({ ...store, update: (key, record) => store.update(key, record) }, codec);
        return { update: careless.update };
      },
    },
    "update loads again, and overwrites": {
      found: /reconciled with what it overtook/,
      by: (engine, store) => ({
        async update(stored, data, saving, reconcile) {
          const payload = (await store.load(stored.token))?.payload ?? stored.payload;
          return engine.update({ ...stored, payload }, data, saving, reconcile);
        },
      }),
    },
    "update reconciles without need": {
      found: /can be repeated/,
      by: (engine) => ({
        async update(stored, data, saving, reconcile) {
          await reconcile(data, {}, {});
          return engine.update(stored, data, saving, reconcile);
        },
      }),
    },
    "reconcile is given both sides in the wrong order": {
      found: /reconciled with what it overtook/,
      by: (engine) => ({
        update: (stored, data, saving, reconcile) =>
          engine.update(stored, data, saving, (mine, base, theirs) => reconcile(mine, theirs ?? {}, base)),
      }),
    },
    "expiry is that of the data before they were merged": {
      found: /merged ones too/,
      by: (engine) => ({
        update(stored, data, saving, reconcile) {
          const expiresAt = saving.expiresAt({ ...data });
          return engine.update(stored, data, { ...saving, expiresAt: () => expiresAt }, reconcile);
        },
      }),
    },
    "update keeps the expiry": {
      found: /when its last save said/,
      by(engine) {
        const ends = new Map<string, Date>();
        return {
          async create(data, saving) {
            const stored = await engine.create(data, saving);
            ends.set(stored.token, saving.expiresAt(data));
            return stored;
          },
          update: (stored, data, saving, reconcile) =>
            engine.update(stored, data, { ...saving, expiresAt: () => ends.get(stored.token)! }, reconcile),
        };
      },
    },
    "cycle leaves the old token alive": {
      found: /old token is dead/,
      by: (engine) => ({ cycle: (_stored, data, saving) => engine.create(data, saving) }),
    },
    "cycle keeps the token": {
      found: /cycle keeps the data/,
      by: (engine) => ({ cycle: engine.update }),
    },
    "cycle drops what others wrote": {
      found: /carries over/,
      by: (engine) => ({
        async cycle(stored, data, saving) {
          if ((await engine.load(stored.token)) === "missing") return engine.update(stored, data, saving, () => {});
          await engine.delete(stored.token);
          return engine.create(data, saving);
        },
      }),
    },
    "cycle looks before it leaps": {
      found: /parallel cycles/,
      by: (engine) => ({
        async cycle(stored, data, saving, reconcile) {
          if ((await engine.load(stored.token)) === "missing") return engine.update(stored, data, saving, reconcile);
          const created = await engine.create(data, saving);
          await engine.delete(stored.token);
          return created;
        },
      }),
    },
    "delete does nothing": { found: /a deleted session is missing/, by: () => ({ async delete() {} }) },
    "delete throws the second time": {
      found: /deleting twice/,
      by: (engine) => ({
        async delete(token) {
          if ((await engine.load(token)) === "missing") throw new Error("gone");
          await engine.delete(token);
        },
      }),
    },
    "faults come as they are": {
      found: /ERR_SESSION_UNAVAILABLE/,
      by: (_engine, store) => ({ deleteExpired: (options) => store.deleteExpired(options) }),
    },
    "faults show the key": {
      found: /tells no key/,
      by: (engine) => ({
        load: (token) =>
          engine.load(token).catch((error) => {
            throw Object.assign(error, { args: ["GET", token] });
          }),
      }),
    },
    "clean-up removes everything": {
      found: /leaves live sessions alone/,
      by: (engine) => ({
        async create(data, saving) {
          const stored = await engine.create(data, saving);
          issued.add(stored.token);
          return stored;
        },
        async deleteExpired(options) {
          for (const token of issued) await engine.delete(token);
          return engine.deleteExpired(options);
        },
      }),
    },
    "assertValue accepts everything": { found: /refused with its path/, by: () => ({ assertValue() {} }) },
  };
  const issued = new Set<string>();

  const write = async (data: object): Promise<StoredSession> => {
    const token = Buffer.from(JSON.stringify(data)).toString("base64url").padEnd(60, "A");
    return { token, payload: token, origin: undefined };
  };

  const IN_A_COOKIE: Mistakes = {
    "tokens are not signed": {
      found: /no changed token/,
      by: () => ({
        create: write,
        async load(token) {
          const text = Buffer.from(token, "base64url").toString().replace(/\0+$/, "");
          try {
            return { token, payload: token, origin: undefined, data: JSON.parse(text), savedAt: new Date() };
          } catch {
            return "corrupted";
          }
        },
      }),
    },
    "the time of writing is not told": {
      found: /tells when it was written/,
      by: (engine) => ({
        async load(token) {
          const session = await engine.load(token);
          return typeof session === "string" ? session : { ...session, savedAt: undefined };
        },
      }),
    },
    "the time of writing is that of the first save": {
      found: /begins its life anew/,
      by(engine) {
        let first: Date | undefined;
        return {
          create(data, saving) {
            first = saving.now;
            return engine.create(data, saving);
          },
          update: (stored, data, saving, reconcile) =>
            engine.update(stored, data, { ...saving, now: first! }, reconcile),
        };
      },
    },
    "what does not verify is missing": {
      found: /log everybody out/,
      by: (engine) => ({
        async load(token) {
          const session = await engine.load(token);
          return session === "corrupted" ? "missing" : session;
        },
      }),
    },
    "the expiry is not looked at": {
      found: /expiry that nobody could read/,
      by: (engine) => ({
        create: (data, saving) => engine.create(data, { ...saving, expiresAt: () => saving.now }),
      }),
    },
  };

  for (const [mistake, { found, by }] of Object.entries(IN_A_STORE)) {
    test(`finds it when, in a store, ${mistake}`, async () => {
      const failed = await failures(({ now, breakable }) => {
        issued.clear();
        const store = breakable(memoryStore({ now }));
        const engine = storeEngine(store, codec);
        return { ...engine, ...by(engine, store) };
      }, "store");
      assert.match(failed.join("; "), found);
    });
  }

  for (const [mistake, { found, by }] of Object.entries(IN_A_COOKIE)) {
    test(`finds it when, in a cookie, ${mistake}`, async () => {
      const engine = cookieEngine(djangoCookieCodec({ secretKey }));
      const failed = await failures(() => ({ ...engine, ...by(engine, memoryStore()) }), "cookie");
      assert.match(failed.join("; "), found);
    });
  }

  test("closes the engine after each case, also after one that failed", async () => {
    let open = 0;
    await failures(() => {
      open++;
      const engine = cookieEngine(djangoCookieCodec({ secretKey }));
      return { ...engine, load: () => Promise.reject(new Error("down")), close: () => open-- };
    }, "cookie");
    assert.equal(open, 0);
  });
});
