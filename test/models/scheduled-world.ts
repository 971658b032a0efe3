import assert from "node:assert/strict";
import type fc from "fast-check";
import type { SessionData, SessionStore } from "../../src/core/contracts.ts";
import { SessionError } from "../../src/core/errors.ts";
import type { Session } from "../../src/core/session.ts";
import { createSessions, type Sessions } from "../../src/core/sessions.ts";
import { djangoCodec } from "../../src/django/codec.ts";
import { isForwarding } from "../../src/engines/forwarding.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { through } from "../stores/caches.ts";

const codec = djangoCodec({ secretKey: "a secret key for tests, 32 characters at least" });
const START = Date.parse("2026-11-20T12:00:00Z");
const COOKIE_AGE = 100;
const TICK_MS = 60_000;

/** Who takes part: a request, or somebody besides. */
export type Actor =
  | { readonly user: string; readonly steps: readonly string[] }
  | { readonly user: string; readonly logsOut: "first key" | "last key" }
  | { readonly does: "clearExpired" | "tick" };

export type OnInterrupted = "error" | "drop" | "new";

/** The store of this name, empty at first, whose every operation is two steps: one in which it is done, and one in which it is answered. */
export type Slow = (name: string) => SessionStore;

/** A session's life, from its first save to its end, under whatever keys. */
interface Life {
  /** Changes that were acknowledged to a client: keys set, keys removed, and how often it was counted. */
  readonly set: Set<string>;
  readonly removed: Set<string>;
  /** What several requests have set, each to a value of its own. */
  readonly shared: { value: string; began: number; acknowledged: number }[];
  counted: number;
  /** How long it lives at least. */
  endsAt: number;
  /** Whether a logout ended it. */
  ended: boolean;
}

/** A change that its request has made, and no store has acknowledged. */
type Pending = (life: Life) => void;

export interface ScheduledWorld {
  begin(): Promise<void>;
  play(name: number, actor: Actor): Promise<void>;
  /** Holds what is stored in the end against what was acknowledged. */
  check(cast: readonly Actor[]): Promise<void>;
}

/**
 * Two users with a session each, and parallel requests of theirs.
 *
 * @param over the store of the sessions as one process has it, made of slow ones; the last of them is the truth
 * @param processes among which the requests are spread: within one, saves of a session take turns
 */
export function newWorld(
  scheduler: fc.Scheduler,
  over: (slow: Slow, now: () => Date) => SessionStore,
  onInterrupted: OnInterrupted,
  processes: number,
): ScheduledWorld {
  const clock = { now: START };
  const now = () => new Date(clock.now);
  /** Counts what clients see, to tell what came later. */
  let moments = 0;
  let interruptions = 0;
  let truth: SessionStore;
  const raw: SessionStore[] = [];
  /** As the truth knows them. */
  const keys = new Set<string>();
  const lives = new Map<string, Life>();
  /** The lives that a client could name a key of. */
  const lifeOfKey = new Map<string, Life>();
  /** The cookies that each browser has had. */
  const cookies = new Map<string, string[]>([
    ["ann", []],
    ["bob", []],
  ]);

  /** What was tried to share or to remove. A request that fails may have saved it before. */
  const tried = new Set<unknown>();
  let isOver = false;

  const step = async (name: string) => {
    if (!isOver) await scheduler.schedule(Promise.resolve(), name);
  };
  const stores = new Map<string, SessionStore>();
  const slow: Slow = (name) => {
    const store = stores.get(name) ?? slowStore(name);
    stores.set(name, store);
    return store;
  };
  function slowStore(name: string): SessionStore {
    const store = memoryStore({ now });
    truth = store;
    raw.push(store);
    const slowly = through(store, async (operation, run) => {
      await step(`${name} ${operation}`);
      const result = await run();
      await step(`${name} ${operation} answered`);
      return result;
    });
    return {
      ...slowly,
      create(key, record) {
        keys.add(key);
        return slowly.create(key, record);
      },
      async deleteExpired(options) {
        await step(`${name} deleteExpired`);
        return store.deleteExpired({ ...options, batchSize: 1 });
      },
    };
  }
  const settings = { cookieAge: COOKIE_AGE, onInterrupted, now, requestTimeoutMs: 60_000 };
  const servers = Array.from({ length: processes }, () => {
    const store = over(slow, now);
    return { store, sessions: createSessions<SessionData>(storeEngine(store, codec), settings) };
  });

  function life(name: string): Life {
    const known = lives.get(name);
    if (known) return known;
    const fresh = {
      set: new Set<string>(),
      removed: new Set<string>(),
      shared: [],
      counted: 0,
      endsAt: 0,
      ended: false,
    };
    lives.set(name, fresh);
    return fresh;
  }

  async function begin(): Promise<void> {
    for (const user of cookies.keys()) {
      const data: SessionData = { life: user, nested: {} };
      for (let n = 0; n < 4; n++) data[`${user}.old${n}`] = n;
      // Not through the scheduler: that comes later.
      const key = `${user}s0first0key`;
      const record = { payload: codec.encode(data, now()), expiresAt: new Date(START + COOKIE_AGE * 1000) };
      const settled = servers[0]!.store.create(key, record);
      await scheduler.waitFor(settled);
      cookies.get(user)!.push(key);
      life(user).endsAt = record.expiresAt.getTime();
      lifeOfKey.set(key, life(user));
    }
    // Of one of them, no cache knows yet.
    for (const cache of raw) if (cache !== truth) await cache.delete(cookies.get("ann")![0]!);
    // For the clean-up to have several batches.
    for (let n = 0; n < 3; n++) await truth.create(`expired0${n}`, { payload: "", expiresAt: now() });
  }

  async function play(name: number, actor: Actor): Promise<void> {
    await step(`${name} begins`);
    const { sessions } = servers[name % processes]!;
    if ("steps" in actor) return serve(sessions, name, actor.user, actor.steps);
    if ("logsOut" in actor)
      return logOut(sessions, name, cookies.get(actor.user)!.at(actor.logsOut === "first key" ? 0 : -1)!);
    if (actor.does === "clearExpired") await sessions.clearExpired();
    else clock.now += TICK_MS;
  }

  async function logOut(sessions: Sessions<SessionData>, name: number, key: string): Promise<void> {
    await step(`${name} logs out`);
    await sessions.delete(key);
    lifeOfKey.get(key)!.ended = true;
  }

  async function serve(
    sessions: Sessions<SessionData>,
    name: number,
    user: string,
    steps: readonly string[],
  ): Promise<void> {
    const incoming = {};
    const cookie = cookies.get(user)!.at(-1)!;
    const request = sessions.open(`sessionid=${cookie}`, incoming);
    const session = await request.session();
    for (const key of session.keys()) assert.ok(mayHold(user, key), `${user} reads another's session`);
    const pending: Pending[] = [];
    /** Keys whose removal is pending. */
    const clearing: string[] = [];
    let began = { moment: moments++, at: clock.now };

    function acknowledge(isSaved = true): void {
      if (session.key === null || !isSaved) return;
      const its = life((session.data.life as string | undefined) ?? `${user} too late ${name}`);
      its.endsAt = Math.max(its.endsAt, began.at + COOKIE_AGE * 1000);
      lifeOfKey.set(session.key, its);
      for (const change of pending.splice(0)) change(its);
      clearing.length = 0;
    }

    async function take(step: string, n: number): Promise<void> {
      const key = `${user}.${name}.${n}`;
      switch (step) {
        case "set":
          session.set(key, 1);
          nestedOf(session)[key] = 1;
          pending.push((its) => its.set.add(key));
          break;
        case "share":
          session.set("shared", key);
          tried.add(key);
          // When it is saved is when it counts.
          pending.push((its) => its.shared.push({ value: key, began: began.moment, acknowledged: moments++ }));
          break;
        case "remove":
          session.delete(`${user}.old${name}`);
          pending.push((its) => its.removed.add(`${user}.old${name}`));
          break;
        case "clear": {
          const { life, count, shared, nested, ...rest } = session.toJSON();
          session.clear();
          session.update(JSON.parse(JSON.stringify({ life, count, shared, nested })));
          for (const key of Object.keys(rest)) {
            clearing.push(key);
            pending.push((its) => its.removed.add(key));
          }
          break;
        }
        case "count":
          await sessions.transact(incoming, () => {
            session.set("count", (session.get("count", 0) as number) + 1);
          });
          pending.push((its) => its.counted++);
          return acknowledge();
        case "save":
          await session.save();
          return acknowledge();
        case "cycleKey":
          await session.cycleKey();
          return acknowledge();
        case "flush": {
          const key = session.key ?? cookie;
          await session.flush();
          lifeOfKey.get(key)!.ended = true;
          pending.length = 0;
        }
      }
    }

    try {
      for (const [n, each] of steps.entries()) {
        // Where handlers wait for something else than the store.
        await step(`${name}: ${each}`);
        // Its session is gone, and it was told nothing of it: what it does from here on is of no interest.
        if (n > 0 && session.key !== null && !session.has("life")) break;
        if (each !== "flush" && !session.has("life")) session.set("life", `${user} since ${name}.${n}`);
        began = { moment: moments++, at: clock.now };
        await take(each, n);
      }
      began = { moment: moments++, at: clock.now };
      const isSaving = session.unsaved;
      const { setCookie } = await request.commit(200);
      acknowledge(isSaving);
      await step(`${name} is answered`);
      const value = /^sessionid=([a-z0-9]+)/.exec(setCookie[0] ?? "")?.[1];
      if (value !== undefined) cookies.get(user)!.push(value);
    } catch (error) {
      assert.ok(error instanceof SessionError && error.code === "ERR_SESSION_INTERRUPTED", String(error));
      interruptions++;
      for (const key of clearing) tried.add(key);
    }
  }

  async function check(cast: readonly Actor[]): Promise<void> {
    const records = await Promise.all([...keys].map((key) => truth.load(key)));
    const stored = records
      .map((record) => record && codec.decode(record.payload)!.data)
      .filter((data) => data !== null && !isForwarding(data)) as SessionData[];
    for (const [name, its] of lives) {
      const found = stored.filter((data) => nameOf(data) === name);
      if (its.ended) assert.equal(found.length, 0, `${name} came back after its logout`);
      assert.ok(found.length <= 1, `${name} is stored ${found.length} times`);
      if (its.ended) continue;
      if (its.endsAt > clock.now) assert.equal(found.length, 1, `${name} is lost`);
      for (const data of found) checkData(name, its, data, tried);
    }
    await checkReaders(stored);
    for (const data of stored) checkOwner(nameOf(data), data);
    const canInterrupt = cast.some((actor) =>
      "steps" in actor
        ? actor.steps.some((each) => each === "flush" || each === "cycleKey")
        : "logsOut" in actor || actor.does === "tick",
    );
    assert.ok(canInterrupt || interruptions === 0, "interrupted by nobody");
  }

  /** A process that has just begun reads what is stored: no cache has anything else. */
  async function checkReaders(stored: readonly SessionData[]): Promise<void> {
    isOver = true;
    const reader = over(slow, now);
    for (const [name, its] of lives) {
      const known = [...lifeOfKey].filter(([, life]) => life === its).map(([key]) => reader.load(key));
      const read = (await Promise.all(known)).filter((record) => record !== null);
      assert.deepEqual(
        read.map(({ payload }) => codec.decode(payload)!.data),
        stored.filter((data) => nameOf(data) === name && known.length > 0),
        `${name} is read otherwise than it is stored`,
      );
    }
  }

  return { begin, play, check };
}

function nestedOf(session: Session<SessionData>): SessionData {
  session.data.nested ??= {};
  return session.data.nested as SessionData;
}

const COMMON = ["life", "count", "shared", "nested"];

function mayHold(user: string, key: string): boolean {
  return COMMON.includes(key) || key.startsWith(`${user}.`);
}

/** Which life a stored session is. One that began with a change that came too late has nothing to name it by but that. */
function nameOf({ life, count: _, shared, nested, ...rest }: SessionData): string {
  if (typeof life === "string") return life;
  const keys = [...Object.keys(rest), ...Object.keys((nested as SessionData | undefined) ?? {}), String(shared ?? "")];
  const names = new Set(keys.filter((key) => key !== "").map((key) => key.split(".").slice(0, 2).join(" too late ")));
  assert.equal(names.size, 1, `what came too late holds more than that: ${keys}`);
  return [...names][0]!;
}

function checkData(name: string, its: Life, data: SessionData, tried: ReadonlySet<unknown>): void {
  const nested = (data.nested ?? {}) as SessionData;
  for (const key of its.set) {
    if (!its.removed.has(key) && !tried.has(key)) assert.ok(Object.hasOwn(data, key), `${name} lost ${key}`);
    assert.ok(Object.hasOwn(nested, key), `${name} lost nested.${key}`);
  }
  for (const key of its.removed) assert.ok(!Object.hasOwn(data, key), `${name} got ${key} back`);
  assert.equal(data.count ?? 0, its.counted, `${name} miscounted`);
  if (its.shared.length === 0) return;
  const last = its.shared.find(({ value }) => value === data.shared);
  assert.ok(last || tried.has(data.shared), `${name} holds what nobody shared`);
  const isOverwritten = last && its.shared.some(({ began }) => began > last.acknowledged);
  assert.ok(!isOverwritten, `${name} lost what was shared`);
}

function checkOwner(name: string, data: SessionData): void {
  const [user] = name.split(" ") as [string];
  const nested = Object.keys((data.nested ?? {}) as SessionData);
  for (const key of [...Object.keys(data), ...nested]) {
    assert.ok(mayHold(user, key), `${name} holds ${key}`);
    // A session that began after a logout has nothing of the one before.
    if (name !== user) assert.ok(!key.includes(".old"), `${name} holds ${key}`);
  }
}
