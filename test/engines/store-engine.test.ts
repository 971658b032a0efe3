import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type {
  DeleteExpiredOptions,
  DeleteExpiredProgress,
  Payload,
  Reconcile,
  Saving,
  SessionData,
  SessionStore,
  StoredSession,
} from "../../src/core/contracts.ts";
import { SessionError } from "../../src/core/errors.ts";
import { isSessionKey } from "../../src/core/key.ts";
import { merge } from "../../src/core/merge.ts";
import { djangoCodec } from "../../src/django/codec.ts";
import { parse } from "../../src/django/python-json.ts";
import { loads, signer } from "../../src/django/signing.ts";
import { isForwarding } from "../../src/engines/forwarding.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { memoryStore } from "../../src/stores/memory.ts";

const secretKey = "a secret key for tests, 32 characters at least";
const codec = djangoCodec({ secretKey });
const now = new Date("2026-11-20T12:00:00Z");
const saving: Saving = { now, expiresAt: () => new Date(now.getTime() + 60_000) };
const interrupted = { name: "SessionError", code: "ERR_SESSION_INTERRUPTED" };

const merging: Reconcile = (mine, base, theirs) => {
  if (theirs === null) throw new SessionError("ERR_SESSION_INTERRUPTED", "gone");
  merge(base, mine, theirs);
};

/** A store that counts what it keeps, with some of its operations replaced. */
function doctored(change: (store: SessionStore) => Partial<SessionStore> = () => ({})) {
  const inner = memoryStore({ now: () => now });
  const keys = new Set<string>();
  const calls: string[] = [];
  const recorded: SessionStore = {
    ...inner,
    async create(key, record) {
      keys.add(key);
      return inner.create(key, record);
    },
  };
  const outer = { ...recorded, ...change(recorded) };
  const called = (name: string) => {
    calls.push(name);
    return outer;
  };
  const store: SessionStore = {
    load: (key) => called("load").load(key),
    create: (key, record) => called("create").create(key, record),
    update: (key, record, expected) => called("update").update(key, record, expected),
    delete: (key, expected) => called("delete").delete(key, expected),
    deleteExpired: (options) => outer.deleteExpired(options),
  };
  return {
    inner,
    calls,
    engine: storeEngine(store, codec),
    /** The sessions that lie in the store, under whatever key. */
    async sessions(): Promise<SessionData[]> {
      const found = await Promise.all([...keys].map(async (key) => (await inner.load(key))?.payload));
      const all = found.filter((payload) => payload !== undefined).map(decoded);
      return all.filter((data) => !isForwarding(data));
    },
  };
}

function decoded(payload: Payload): SessionData {
  return { ...codec.decode(payload)!.data };
}

function json(payload: Payload): string | null {
  return loads(payload as string, [signer(secretKey, "django.contrib.sessions.SessionStore")]);
}

/** What another process does to the session meanwhile. */
async function change(store: SessionStore, key: string, change: (data: SessionData) => void): Promise<void> {
  const { data, origin } = codec.decode((await store.load(key))!.payload)!;
  change(data);
  await store.update(key, { payload: codec.encode(data, now, origin), expiresAt: saving.expiresAt(data) });
}

describe("the store engine creates", () => {
  test("a session under a new key of 32 random characters", async () => {
    const { engine, inner } = doctored();
    const { token, payload } = await engine.create({ a: 1 }, saving);
    assert.match(token, /^[a-z0-9]{32}$/);
    assert.deepEqual(await inner.load(token), { payload, expiresAt: saving.expiresAt({}) });
    assert.deepEqual(decoded(payload), { a: 1 });
  });

  test("with another key where the first is taken, and leaves what is there", async () => {
    const tried: string[] = [];
    const { engine } = doctored((store) => ({
      async create(key, record) {
        tried.push(key);
        return tried.length > 2 && store.create(key, record);
      },
    }));
    const { token } = await engine.create({ a: 1 }, saving);
    assert.equal(tried.length, 3);
    assert.equal(new Set(tried).size, 3);
    assert.equal(token, tried[2]);
  });

  test("nothing, as unavailable, where every key is taken", async () => {
    const { engine, calls } = doctored(() => ({ create: async () => false }));
    await assert.rejects(engine.create({}, saving), { code: "ERR_SESSION_UNAVAILABLE" });
    assert.equal(calls.length, 5);
  });

  test("nothing, without asking the store, where the data cannot be encoded", async () => {
    const { engine, calls } = doctored();
    await assert.rejects(engine.create({ cart: () => {} }, saving), { code: "ERR_SESSION_VALUE", message: /cart/ });
    assert.deepEqual(calls, []);
  });
});

describe("the store engine loads", () => {
  test("a session with its data", async () => {
    const { engine } = doctored();
    const { token, payload } = await engine.create({ a: 1 }, saving);
    const loaded = await engine.load(token);
    assert.ok(typeof loaded === "object");
    assert.equal(loaded.token, token);
    assert.equal(loaded.payload, payload);
    assert.deepEqual({ ...loaded.data }, { a: 1 });
  });

  test("nothing under an unknown key", async () => {
    assert.equal(await doctored().engine.load("unknown0"), "missing");
  });

  for (const [name, payload] of Object.entries({
    "was tampered with": (codec.encode({ a: 1 }, now) as string).replace(/.$/, "!"),
    "another secret signed": djangoCodec({ secretKey: secretKey.toUpperCase() }).encode({}, now),
    "is another format": "{}",
    "is bytes": new Uint8Array([1]),
  })) {
    test(`a payload that ${name} as corrupted, not as missing`, async () => {
      const { engine, inner } = doctored();
      await inner.create("corrupted0", { payload, expiresAt: saving.expiresAt({}) });
      assert.equal(await engine.load("corrupted0"), "corrupted");
    });
  }

  test("keys of Django's form only", () => {
    const { engine } = doctored();
    assert.equal(engine.isToken("abcdefgh"), true);
    for (const value of ["", "abcdefg", "ABCDEFGH", "abcdefg'", "a".repeat(41)])
      assert.equal(engine.isToken(value), false);
    assert.equal(engine.isToken, isSessionKey);
  });
});

describe("the store engine updates", () => {
  test("a session that nobody else changed, in one step", async () => {
    const { engine, calls, sessions } = doctored();
    const created = await engine.create({ a: 1 }, saving);
    calls.length = 0;
    const updated = await engine.update(created, { a: 2 }, saving, neverAsked);
    await engine.update(updated, { a: 3 }, saving, neverAsked);
    assert.deepEqual(calls, ["update", "update"]);
    assert.deepEqual(await sessions(), [{ a: 3 }]);
  });

  test("a session that others changed, with both changes", async () => {
    const { engine, inner, sessions } = doctored();
    const created = await engine.create({ a: 1, b: 1 }, saving);
    await change(inner, created.token, (data) => {
      data.b = 2;
    });
    const mine = { a: 2, b: 1 };
    const seen: unknown[] = [];
    const updated = await engine.update(created, mine, saving, (...sides) => {
      seen.push(structuredClone(sides));
      return merging(...sides);
    });
    assert.deepEqual(seen.map(plain), [
      [
        { a: 2, b: 1 },
        { a: 1, b: 1 },
        { a: 1, b: 2 },
      ],
    ]);
    assert.deepEqual(await sessions(), [{ a: 2, b: 2 }]);
    assert.equal(updated.payload, (await inner.load(created.token))!.payload);
  });

  test("after each refusal on what is stored then, however often others are faster", async () => {
    let others = 0;
    const { engine, inner, sessions } = doctored((store) => ({
      async update(key, record, expected) {
        if (others++ < 3) {
          await change(store, key, (data) => {
            data[`other${others}`] = others;
          });
        }
        return inner.update(key, record, expected);
      },
    }));
    others = 3;
    const created = await engine.create({ a: 1 }, saving);
    others = 0;
    await engine.update(created, { a: 2 }, saving, merging);
    assert.deepEqual(await sessions(), [{ a: 2, other1: 1, other2: 2, other3: 3 }]);
  });

  test("a deleted session never: it is interrupted, and nothing is created", async () => {
    const { engine, inner, calls, sessions } = doctored();
    const created = await engine.create({ a: 1 }, saving);
    await inner.delete(created.token);
    calls.length = 0;
    await assert.rejects(engine.update(created, { a: 2 }, saving, merging), interrupted);
    assert.deepEqual(calls, ["update", "load"]);
    assert.deepEqual(await sessions(), []);
  });

  test("a session deleted between two tries never", async () => {
    const { engine, inner, sessions } = doctored();
    const created = await engine.create({ a: 1 }, saving);
    await change(inner, created.token, (data) => {
      data.b = 1;
    });
    const logout: Reconcile = async (mine, base, theirs) => {
      await inner.delete(created.token);
      await merging(mine, base, theirs);
    };
    await assert.rejects(engine.update(created, { a: 2 }, saving, logout), interrupted);
    assert.deepEqual(await sessions(), []);
  });

  test("a session that became unreadable never: it is not overwritten", async () => {
    const { engine, inner } = doctored();
    const created = await engine.create({ a: 1 }, saving);
    await inner.update(created.token, { payload: "unreadable", expiresAt: saving.expiresAt({}) });
    await assert.rejects(engine.update(created, { a: 2 }, saving, merging), { code: "ERR_SESSION_UNAVAILABLE" });
    assert.equal((await inner.load(created.token))?.payload, "unreadable");
  });

  test("nothing where the changes cannot be reconciled", async () => {
    const { engine, inner, sessions } = doctored();
    const created = await engine.create({ a: 1 }, saving);
    await change(inner, created.token, (data) => {
      data.a = 2;
    });
    const refusing = () => {
      throw new Error("irreconcilable");
    };
    await assert.rejects(engine.update(created, { a: 3 }, saving, refusing), { message: "irreconcilable" });
    assert.deepEqual(await sessions(), [{ a: 2 }]);
  });

  test("a bounded number of times, then gives up as a conflict that may be tried again", async (t) => {
    t.mock.method(Math, "random", () => 0);
    const { engine, calls } = doctored(() => ({ update: async () => false }));
    const created = await engine.create({ a: 1 }, saving);
    await assert.rejects(engine.update(created, { a: 2 }, saving, merging), (error: SessionError) => {
      assert.equal(error.code, "ERR_SESSION_CONFLICT");
      assert.equal(error.status, 503);
      return true;
    });
    assert.equal(calls.filter((call) => call === "update").length, 1001);
  });

  test("one session for fifty parallel writers, and loses none of them", async () => {
    const { engine, sessions } = doctored();
    const created = await engine.create({}, saving);
    await Promise.all(Array.from({ length: 50 }, (_, n) => engine.update(created, { [`k${n}`]: n }, saving, merging)));
    const [data] = await sessions();
    assert.deepEqual(plain(data), Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`k${n}`, n])));
  });
});

describe("the store engine cycles the key", () => {
  test("the session lives under a new key, and the old one is dead", async () => {
    const { engine, calls, sessions } = doctored();
    const created = await engine.create({ a: 1 }, saving);
    calls.length = 0;
    const cycled = await engine.cycle(created, { a: 2 }, saving, neverAsked);
    assert.notEqual(cycled.token, created.token);
    assert.equal(await engine.load(created.token), "missing");
    assert.deepEqual(await sessions(), [{ a: 2 }]);
    // The new one first: a crash in between must not leave nothing.
    assert.deepEqual(calls, ["create", "create", "delete", "load"]);
  });

  test("what it returns can be updated at once", async () => {
    const { engine, sessions } = doctored();
    const cycled = await engine.cycle(await engine.create({ a: 1 }, saving), { a: 2 }, saving, neverAsked);
    await engine.update(cycled, { a: 3 }, saving, neverAsked);
    assert.deepEqual(await sessions(), [{ a: 3 }]);
  });

  test("writes that were acknowledged meanwhile are carried over, each of them", async () => {
    let others = 0;
    const { engine, sessions } = doctored((store) => ({
      async delete(key, expected) {
        if (expected !== undefined && others++ < 3) {
          await change(store, key, (data) => {
            data[`other${others}`] = others;
          });
        }
        return store.delete(key, expected);
      },
    }));
    const created = await engine.create({ a: 1 }, saving);
    const cycled = await engine.cycle(created, { a: 2 }, saving, merging);
    assert.deepEqual(await sessions(), [{ a: 2, other1: 1, other2: 2, other3: 3 }]);
    assert.deepEqual(decoded(cycled.payload), { a: 2, other1: 1, other2: 2, other3: 3 });
  });

  for (const moment of ["create", "delete", "update"] as const) {
    test(`a logout just before its ${moment} wins, and no copy is left`, async () => {
      let armed: StoredSession | null = null;
      const { engine, inner, sessions } = doctored((store) => {
        const logout = async () => {
          if (armed) await store.delete(armed.token);
          armed = null;
        };
        return {
          async create(key, record) {
            if (moment === "create") await logout();
            return store.create(key, record);
          },
          async update(key, record, expected) {
            if (moment === "update") await logout();
            return store.update(key, record, expected);
          },
          async delete(key, expected) {
            if (moment === "delete") await logout();
            return store.delete(key, expected);
          },
        };
      });
      const created = await engine.create({ a: 1 }, saving);
      if (moment === "update") {
        // The cycle must merge first, and so update its copy.
        await change(inner, created.token, (data) => {
          data.b = 1;
        });
      }
      armed = created;
      await assert.rejects(engine.cycle(created, { a: 2 }, saving, merging), interrupted);
      assert.deepEqual(await sessions(), []);
    });
  }

  test("of two at once one wins, and one session is there", async () => {
    const { engine, sessions } = doctored();
    const created = await engine.create({ a: 1 }, saving);
    const results = await Promise.allSettled([
      engine.cycle(created, { a: 1, b: 1 }, saving, merging),
      engine.cycle(created, { a: 1, c: 1 }, saving, merging),
    ]);
    assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    assert.equal((await sessions()).length, 1);
  });

  test("a store that fails before anything was created leaves the session as it was", async () => {
    let down = false;
    const { engine, sessions } = doctored((store) => ({
      create: (key, record) => (down ? Promise.reject(new Error("down")) : store.create(key, record)),
    }));
    const created = await engine.create({ a: 1 }, saving);
    down = true;
    await assert.rejects(engine.cycle(created, { a: 2 }, saving, neverAsked), { code: "ERR_SESSION_UNAVAILABLE" });
    assert.deepEqual(await sessions(), [{ a: 1 }]);
  });

  test("a store that fails to end the old key keeps the old session, and no copy", async () => {
    const { engine, sessions } = doctored((store) => ({
      delete: (key, expected) =>
        expected === undefined ? store.delete(key) : Promise.reject(new Error("connection lost")),
    }));
    const created = await engine.create({ a: 1 }, saving);
    await assert.rejects(engine.cycle(created, { a: 2 }, saving, neverAsked), { code: "ERR_SESSION_UNAVAILABLE" });
    assert.deepEqual(await sessions(), [{ a: 1 }]);
  });

  test("a store that fails altogether is reported by its first fault", async () => {
    for (const isSynchronous of [false, true]) {
      let faults = 0;
      const fail = () => {
        const fault = new Error(`fault ${++faults}`);
        if (isSynchronous) throw fault;
        return Promise.reject(fault);
      };
      const { engine } = doctored(() => ({ delete: fail }));
      const created = await engine.create({ a: 1 }, saving);
      await assert.rejects(engine.cycle(created, { a: 2 }, saving, neverAsked), (error: Error) => {
        assert.equal((error.cause as Error).message, "fault 1");
        return true;
      });
    }
  });
});

describe("what nobody touched keeps its form (1.0, the order of keys)", () => {
  const text = '{"price":1.0,"items":{"10":"a","2":"b"},"b":1,"1":-0.0}';

  async function djangos(inner: SessionStore): Promise<void> {
    const { value, origin } = parse(text);
    const payload = codec.encode(value as SessionData, now, origin);
    await inner.create("djangos0", { payload, expiresAt: saving.expiresAt({}) });
  }

  /** What Django writes: a float and a key before ours in order. */
  async function djangoWrites(inner: SessionStore, key: string): Promise<void> {
    const { value, origin } = parse(text.replace('"b":1', '"b":1,"float":2.0'));
    const payload = codec.encode(value as SessionData, now, origin);
    await inner.update(key, { payload, expiresAt: saving.expiresAt({}) });
  }

  test("through an update", async () => {
    const { engine, inner } = doctored();
    await djangos(inner);
    const loaded = await engine.load("djangos0");
    assert.ok(typeof loaded === "object");
    const updated = await engine.update(loaded, { ...loaded.data, mine: 1 }, saving, neverAsked);
    assert.equal(json(updated.payload), text.replace(/}$/, ',"mine":1}'));
    // And through the next one, whose base was never loaded.
    const again = await engine.update(updated, { ...loaded.data, mine: 2 }, saving, neverAsked);
    assert.equal(json(again.payload), text.replace(/}$/, ',"mine":2}'));
  });

  test("through a merge with what Django wrote meanwhile", async () => {
    const { engine, inner } = doctored();
    await djangos(inner);
    const loaded = await engine.load("djangos0");
    assert.ok(typeof loaded === "object");
    await djangoWrites(inner, "djangos0");
    const updated = await engine.update(loaded, { ...loaded.data, mine: 1 }, saving, merging);
    assert.equal(json(updated.payload), text.replace('"b":1', '"b":1,"float":2.0').replace(/}$/, ',"mine":1}'));
  });

  test("through a change of key", async () => {
    const { engine, inner } = doctored();
    await djangos(inner);
    const loaded = await engine.load("djangos0");
    assert.ok(typeof loaded === "object");
    const cycled = await engine.cycle(loaded, loaded.data, saving, neverAsked);
    assert.equal(json(cycled.payload), text);
    const updated = await engine.update(cycled, loaded.data, saving, neverAsked);
    assert.equal(json(updated.payload), text);
  });

  test("through a change of key while Django writes", async () => {
    let writes = 0;
    const { engine, inner } = doctored((store) => ({
      async delete(key, expected) {
        if (writes++ === 0) await djangoWrites(store, key);
        return store.delete(key, expected);
      },
    }));
    await djangos(inner);
    const loaded = await engine.load("djangos0");
    assert.ok(typeof loaded === "object");
    const cycled = await engine.cycle(loaded, loaded.data, saving, merging);
    assert.equal(json(cycled.payload), text.replace('"b":1', '"b":1,"float":2.0'));
    assert.equal(json((await inner.load(cycled.token))!.payload), json(cycled.payload));
    const updated = await engine.update(cycled, loaded.data, saving, neverAsked);
    assert.equal(json(updated.payload), json(cycled.payload));
  });
});

describe("the store engine deletes", () => {
  test("a session, and one that is gone already without a fault", async () => {
    const { engine, sessions } = doctored();
    const { token } = await engine.create({ a: 1 }, saving);
    await engine.delete(token);
    await engine.delete(token);
    assert.deepEqual(await sessions(), []);
  });

  test("expired sessions as the store does, with the options given", async () => {
    const { signal } = new AbortController();
    const given: (DeleteExpiredOptions | undefined)[] = [];
    const { engine } = doctored(() => ({
      async deleteExpired(options) {
        given.push(options);
        options?.onProgress?.({ deleted: 3, total: 3 });
        return 3;
      },
    }));
    const seen: DeleteExpiredProgress[] = [];
    assert.equal(await engine.deleteExpired({ batchSize: 7, signal, onProgress: (p) => seen.push(p) }), 3);
    assert.deepEqual(seen, [{ deleted: 3, total: 3 }]);
    assert.equal(given[0]?.batchSize, 7);
    assert.equal(given[0]?.signal, signal);
    // A store may have to count for it.
    await engine.deleteExpired();
    assert.equal(given[1]?.onProgress, undefined);
  });

  test("and lets an error of who watches pass as it is", async () => {
    const error = new Error("the watcher's own");
    const { engine } = doctored(() => ({
      async deleteExpired(options) {
        options?.onProgress?.({ deleted: 1, total: 3 });
        return 3;
      },
    }));
    const watcher = () => {
      throw error;
    };
    await assert.rejects(engine.deleteExpired({ onProgress: watcher }), error);
  });
});

describe("a fault of the store", () => {
  const token = "abcdefghijklmnopqrstuvwxyz012345";
  const stored = { token, payload: codec.encode({}, now), origin: undefined };
  const operations = {
    load: (engine: ReturnType<typeof storeEngine>) => engine.load(token),
    create: (engine: ReturnType<typeof storeEngine>) => engine.create({}, saving),
    update: (engine: ReturnType<typeof storeEngine>) => engine.update(stored, {}, saving, merging),
    cycle: (engine: ReturnType<typeof storeEngine>) => engine.cycle(stored, {}, saving, merging),
    delete: (engine: ReturnType<typeof storeEngine>) => engine.delete(token),
    deleteExpired: (engine: ReturnType<typeof storeEngine>) => engine.deleteExpired(),
  };
  const fault = new Error(`ECONNRESET while asking for ${token}`);

  function broken(fail: () => never): SessionStore {
    return { load: fail, create: fail, update: fail, delete: fail, deleteExpired: fail };
  }

  for (const [name, operation] of Object.entries(operations)) {
    test(`is ERR_SESSION_UNAVAILABLE with its cause, and the key in no message: ${name}`, async () => {
      for (const isSynchronous of [false, true]) {
        const fail = (): never => {
          if (isSynchronous) throw fault;
          return Promise.reject(fault) as never;
        };
        await assert.rejects(operation(storeEngine(broken(fail), codec)) as Promise<unknown>, (error: SessionError) => {
          assert.ok(error instanceof SessionError);
          assert.equal(error.code, "ERR_SESSION_UNAVAILABLE");
          assert.equal(error.status, 503);
          assert.equal(error.cause, fault);
          assert.doesNotMatch(error.message, new RegExp(token));
          return true;
        });
      }
    });

    test(`stays as it is if the store says more: ${name}`, async () => {
      const known = new SessionError("ERR_CONFIG", "There is no table.");
      const store = broken(() => Promise.reject(known) as never);
      await assert.rejects(operation(storeEngine(store, codec)) as Promise<unknown>, known);
    });
  }

  test("between refusal and second try is no interruption: nobody is told that the session is gone", async () => {
    const { engine } = doctored(() => ({ update: async () => false, load: () => Promise.reject(fault) }));
    await assert.rejects(engine.update(stored, {}, saving, merging), { code: "ERR_SESSION_UNAVAILABLE" });
  });

  test("is not what the caller's own callbacks throw", async () => {
    const { engine, inner } = doctored();
    const created = await engine.create({ a: 1 }, saving);
    await change(inner, created.token, (data) => {
      data.b = 1;
    });
    const rejecting = () => Promise.reject(new TypeError("the handler's"));
    await assert.rejects(engine.update(created, { a: 2 }, saving, rejecting), TypeError);
  });

  test("and other errors of the engine do not show the key either", async () => {
    const { engine } = doctored();
    for (const write of [engine.update, engine.cycle]) {
      await assert.rejects(write(stored, {}, saving, merging), (error: Error) => !error.message.includes(token));
    }
  });
});

const neverAsked: Reconcile = () => {
  throw new Error("nobody else wrote");
};

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
