import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { SessionData, SessionStore } from "../../src/core/contracts.ts";
import { SessionError } from "../../src/core/errors.ts";
import type { Session } from "../../src/core/session.ts";
import { createSessions, type Sessions } from "../../src/core/sessions.ts";
import { djangoCodec } from "../../src/django/codec.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { memoryStore } from "../../src/stores/memory.ts";

const codec = djangoCodec({ secretKey: "a secret key for tests, 32 characters at least" });

/** What a handler may do to its session. `remove` takes away a key that the session began with. */
const step = fc.constantFrom("set", "set", "remove", "count", "save", "flush", "cycleKey");
const request = fc.record({ user: fc.constantFrom("ann", "bob"), steps: fc.array(step, { maxLength: 4 }) });

/** A session's life, from its first save to its end, under whatever keys. */
interface Life {
  /** Changes that were acknowledged to a client: keys set, keys removed, and how often it was counted. */
  readonly set: Set<string>;
  readonly removed: Set<string>;
  counted: number;
  /** Whether a logout ended it. */
  ended: boolean;
}

/**
 * Parallel requests of two users over a store whose every question and answer takes a while; the scheduler decides
 * which is next.
 */
class World {
  readonly #scheduler: fc.Scheduler;
  readonly #store: SessionStore = memoryStore();
  readonly #keys = new Set<string>();
  /** Keys that a client could know. */
  readonly #known = new Set<string>();
  readonly #lives = new Map<string, Life>();
  /** The cookie that each browser has. */
  readonly #cookies = new Map<string, string>();
  readonly #sessions: Sessions<SessionData>;

  constructor(scheduler: fc.Scheduler) {
    this.#scheduler = scheduler;
    this.#sessions = createSessions<SessionData>(storeEngine(this.#slowStore(), codec));
  }

  #slowStore(): SessionStore {
    const store = this.#store;
    const slowly = async <T>(name: string, operation: () => Promise<T>): Promise<T> => {
      await this.#scheduler.schedule(Promise.resolve(), name);
      const result = await operation();
      await this.#scheduler.schedule(Promise.resolve(), `${name} answered`);
      return result;
    };
    return {
      load: (key) => slowly("load", () => store.load(key)),
      create: (key, record) => {
        this.#keys.add(key);
        return slowly("create", () => store.create(key, record));
      },
      update: (key, record, expected) => slowly("update", () => store.update(key, record, expected)),
      delete: (key, expected) =>
        slowly("delete", async () => {
          const data = await this.#stored(key);
          const deleted = await store.delete(key, expected);
          // A logout deletes whatever is there, under a key that it was given.
          if (deleted && expected === undefined && this.#known.has(key)) this.#life(data!.life as string).ended = true;
          return deleted;
        }),
      deleteExpired: () => store.deleteExpired(),
    };
  }

  async #stored(key: string): Promise<SessionData | null> {
    const loaded = await this.#store.load(key);
    return loaded && codec.decode(loaded.payload)!.data;
  }

  #life(name: string): Life {
    let life = this.#lives.get(name);
    if (!life) {
      life = { set: new Set(), removed: new Set(), counted: 0, ended: false };
      this.#lives.set(name, life);
    }
    return life;
  }

  async logIn(user: string): Promise<void> {
    const data: SessionData = { life: user };
    for (let n = 0; n < 4; n++) data[`${user}.old${n}`] = n;
    const payload = codec.encode(data, new Date());
    const key = `${user}s0first0key`;
    await this.#store.create(key, { payload, expiresAt: new Date(8e15) });
    this.#keys.add(key);
    this.#known.add(key);
    this.#cookies.set(user, key);
    this.#life(user);
  }

  async serve(name: number, user: string, steps: readonly string[]): Promise<void> {
    await this.#scheduler.schedule(Promise.resolve(), `request ${name}`);
    const incoming = {};
    const request = this.#sessions.open(`sessionid=${this.#cookies.get(user) ?? ""}`, incoming);
    const session = await request.session();
    assert.ok(
      [...session.keys()].every((key) => key === "life" || key === "count" || key.startsWith(`${user}.`)),
      `${user} reads another's session`,
    );
    const unacknowledged: ((life: Life) => void)[] = [];
    const acknowledge = () => {
      if (session.key !== null) this.#known.add(session.key);
      if (session.key === null) return;
      for (const change of unacknowledged.splice(0)) change(this.#life(session.get("life") as string));
    };
    try {
      for (const [n, step] of steps.entries()) {
        // Where handlers wait for something else than the store.
        await this.#scheduler.schedule(Promise.resolve(), `request ${name}: ${step}`);
        if (step !== "flush" && !session.has("life")) session.set("life", `${user} since ${name}.${n}`);
        await this.#step(step, `${user}.${name}.${n}`, `${user}.old${name}`, session, incoming, unacknowledged);
        if (step === "flush") unacknowledged.length = 0;
        if (step === "save" || step === "cycleKey" || step === "count") acknowledge();
      }
      const { setCookie } = await request.commit(200);
      acknowledge();
      await this.#scheduler.schedule(Promise.resolve(), `response ${name}`);
      const value = setCookie[0] && /^sessionid=([a-z0-9]*|"")/.exec(setCookie[0])?.[1];
      if (typeof value === "string") this.#cookies.set(user, value.replaceAll('"', ""));
    } catch (error) {
      assert.ok(error instanceof SessionError && error.code === "ERR_SESSION_INTERRUPTED", String(error));
    }
  }

  async #step(
    step: string,
    newKey: string,
    oldKey: string,
    session: Session<SessionData>,
    incoming: object,
    unacknowledged: ((life: Life) => void)[],
  ): Promise<void> {
    switch (step) {
      case "set":
        session.set(newKey, 1);
        unacknowledged.push((life) => life.set.add(newKey));
        break;
      case "remove":
        session.delete(oldKey);
        unacknowledged.push((life) => life.removed.add(oldKey));
        break;
      case "count":
        await this.#sessions.transact(incoming, () => {
          session.set("count", (session.get("count", 0) as number) + 1);
        });
        unacknowledged.push((life) => life.counted++);
        break;
      case "save":
        return session.save();
      case "flush":
        return session.flush();
      case "cycleKey":
        return session.cycleKey();
    }
  }

  /** Holds what is stored in the end against what was acknowledged. */
  async check(): Promise<void> {
    const stored = (await Promise.all([...this.#keys].map((key) => this.#stored(key)))).filter((data) => data !== null);
    for (const [name, life] of this.#lives) {
      const sessions = stored.filter((data) => data.life === name);
      if (life.ended) {
        assert.equal(sessions.length, 0, `${name} came back after its logout`);
        continue;
      }
      const isKnown = life.set.size + life.removed.size + life.counted > 0 || !name.includes("since");
      if (!isKnown) continue;
      assert.equal(sessions.length, 1, `${name} is stored ${sessions.length} times`);
      const [data] = sessions as [SessionData];
      for (const key of life.set) assert.ok(Object.hasOwn(data, key), `${name} lost ${key}`);
      for (const key of life.removed) assert.ok(!Object.hasOwn(data, key), `${name} got ${key} back`);
      assert.equal(data.count ?? 0, life.counted, `${name} miscounted`);
    }
    for (const data of stored) {
      const [user] = (data.life as string).split(" ") as [string];
      for (const key of Object.keys(data)) {
        assert.ok(key === "life" || key === "count" || key.startsWith(`${user}.`), `${data.life} holds ${key}`);
        // A session that began after a logout has nothing of the one before.
        if (data.life !== user) assert.ok(!key.includes(".old"), `${data.life} holds ${key}`);
      }
    }
  }
}

describe("requests in any order of events", () => {
  test("lose nothing acknowledged, bring nothing back after a logout, and never meet another user's session", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(request, { minLength: 2, maxLength: 4 }),
        async (scheduler, requests) => {
          const world = new World(scheduler);
          await world.logIn("ann");
          await world.logIn("bob");
          const served = requests.map(({ user, steps }, name) => world.serve(name, user, steps));
          await scheduler.waitFor(Promise.all(served));
          await world.check();
        },
      ),
      { numRuns: 1000, seed: 20261120 },
    );
  });
});
