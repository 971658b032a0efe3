import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { Session } from "../../../src/core/session.ts";
import type { Sessions } from "../../../src/core/sessions.ts";
import { until } from "../../support/servers/server.ts";

/* What requests do with sessions while a call of the driver has its fate, and what may have become of them. */

export type Data = Record<string, unknown>;

/** Found in no error. */
export const SECRET = "s3cr3t-1n-th3-s3ss10n";

/** A store with sessions in it, seen by two. */
export interface World {
  /** Of the engine whose driver's calls can have a fate. */
  readonly sessions: Sessions<Data>;
  /** The same, when all is well again: with more time. */
  readonly own: Sessions<Data>;
  /** Another process's, to whom nothing happens. */
  readonly theirs: Sessions<Data>;
  /** For looking only: what is true. */
  readonly truth: Sessions<Data>;
  /** Every key under which a record was ever asked to be created, those of forwarding records too. */
  readonly keys: ReadonlySet<string>;
  /** Creates a session that has expired. */
  createExpired(): Promise<void>;
  countExpired(): Promise<number>;
}

/** What became of the part that had the fate: what it gave, if it was acknowledged. */
export type Outcome<T> = { readonly value: T } | { readonly error: unknown };

export interface Play<Made = unknown, Given = unknown> {
  readonly name: string;
  /** While all is well. */
  prepare(world: World): Promise<Made>;
  /** While a call has its fate. */
  act(world: World, made: Made): Promise<Given>;
  /**
   * @param isLie whether the driver answered what it had not been asked, so that a session may have seemed to be gone
   */
  check(world: World, made: Made, outcome: Outcome<Given>, isLie: boolean): Promise<void>;
}

const BEFORE: Data = { user: "alice", n: 5, secret: SECRET };

const open = (sessions: Sessions<Data>, key: string) => sessions.open(`sessionid=${key}`).session();

/**
 * What there is under a key, `null` for no session. The process that met the fault sees it too, and nothing older: at once, but for
 * a cache over a database that hangs, which ends with the database's own deadline.
 */
async function found(world: World, key: string): Promise<Data | null> {
  let data: Data | null = null;
  await until(async () => {
    const [session, own] = await Promise.all([open(world.truth, key), open(world.own, key)]);
    data = session.key === null ? null : { ...session.toJSON() };
    return isDeepStrictEqual({ ...own.toJSON() }, { ...data });
  }, "the truth");
  return data;
}

function oneOf(actual: Data | null, allowed: readonly (Data | null)[]): void {
  const isAllowed = allowed.some((each) => isDeepStrictEqual(actual, each));
  assert.ok(isAllowed, `${JSON.stringify(actual)} is none of ${JSON.stringify(allowed)}`);
}

async function newSession(world: World): Promise<string> {
  const session = await world.theirs.open("").session();
  session.update(BEFORE);
  await session.save();
  return session.key!;
}

const existing = async (world: World) => open(world.sessions, await newSession(world));

function play<Made, Given>(plays: Play<Made, Given>): Play {
  return plays as Play;
}

/** Saves over what `mine` was loaded from; somebody else may have been faster. */
function saving(name: string, theirs: Data): Play {
  return play<Session<Data>, void>({
    name,
    async prepare(world) {
      const session = await existing(world);
      await change(world, session.key!, theirs);
      return session;
    },
    async act(_world, session) {
      session.set("mine", 1);
      await session.save();
    },
    async check(world, { key }, outcome) {
      const before = { ...BEFORE, ...theirs };
      const after = { ...before, mine: 1 };
      oneOf(await found(world, key!), "value" in outcome ? [after] : [before, after]);
    },
  });
}

async function change(world: World, key: string, data: Data): Promise<void> {
  if (Object.keys(data).length === 0) return;
  const session = await open(world.theirs, key);
  session.update(data);
  await session.save();
}

/** A counter. Somebody else counts too, so many times, each time while the body runs. */
function counting(name: string, rivals: number): Play {
  return play<string, unknown>({
    name,
    prepare: newSession,
    act: (world, key) => {
      let left = rivals;
      return world.sessions.transact(key, async (session) => {
        if (left-- > 0) await world.theirs.transact(key, (their) => their.set("n", Number(their.get("n")) + 1));
        session.set("n", Number(session.get("n")) + 1);
      });
    },
    async check(world, key, outcome) {
      const n = Number((await found(world, key))?.n);
      const least = 5 + ("value" in outcome ? rivals + 1 : 0);
      assert.ok(n >= least && n <= 5 + rivals + 1, `counted to ${n}, acknowledged ${least}`);
    },
  });
}

/** The keys but `known` under which there is a session. */
async function others(world: World, known: readonly string[]): Promise<string[]> {
  const living: string[] = [];
  for (const key of world.keys) {
    if (known.includes(key) || (await found(world, key)) === null) continue;
    living.push(key);
  }
  return living;
}

export const PLAYS: readonly Play[] = [
  play<void, string>({
    name: "create",
    prepare: async () => {},
    async act(world) {
      const session = await world.sessions.open("").session();
      session.update(BEFORE);
      await session.save();
      return session.key!;
    },
    async check(world, _made, outcome) {
      // One that nobody has the key of may be left, and no other.
      for (const key of world.keys) oneOf(await found(world, key), [BEFORE, null]);
      if ("value" in outcome) assert.deepEqual(await found(world, outcome.value), BEFORE);
    },
  }),
  play<string, Data>({
    name: "load",
    prepare: newSession,
    act: async (world, key) => ({ ...(await open(world.sessions, key)).toJSON() }),
    async check(world, key, outcome, isLie) {
      if ("value" in outcome) oneOf(outcome.value, isLie ? [BEFORE, {}] : [BEFORE]);
      assert.deepEqual(await found(world, key), BEFORE);
    },
  }),
  saving("save", {}),
  saving("save with a merge", { theirs: 2 }),
  counting("transact", 0),
  counting("transact with a rival", 1),
  play<Session<Data> & { before?: string }, string>({
    name: "cycleKey",
    async prepare(world) {
      const session = await existing(world);
      return Object.assign(session, { before: session.key! });
    },
    async act(_world, session) {
      await session.cycleKey();
      return session.key!;
    },
    async check(world, { before: old }, outcome) {
      if ("value" in outcome) {
        assert.deepEqual(await found(world, outcome.value), BEFORE);
        assert.equal(await found(world, old!), null, "the old key lives on");
      }
      oneOf(await found(world, old!), [BEFORE, null]);
      // A copy that nobody has the key of may be left, and is whole.
      for (const key of await others(world, [old!])) assert.deepEqual(await found(world, key), BEFORE);
      // Whoever logs out with either key ends what can be reached by them, for ever.
      const known = "value" in outcome ? outcome.value : old!;
      await world.theirs.delete(known);
      for (const key of [old!, known]) assert.equal(await found(world, key), null, "a key that was logged out");
    },
  }),
  play<Session<Data> & { before?: string }, void>({
    name: "cycleKey with a merge",
    async prepare(world) {
      const session = await existing(world);
      await change(world, session.key!, { theirs: 2 });
      return Object.assign(session, { before: session.key! });
    },
    async act(_world, session) {
      session.set("mine", 1);
      await session.cycleKey();
    },
    async check(world, session, outcome) {
      const old = session.before!;
      const [before, after] = [
        { ...BEFORE, theirs: 2 },
        { ...BEFORE, theirs: 2, mine: 1 },
      ];
      if ("value" in outcome) {
        assert.deepEqual(await found(world, session.key!), after);
        assert.equal(await found(world, old), null, "the old key lives on");
      }
      // Never `mine` alone: what they wrote was acknowledged.
      oneOf(await found(world, old), [before, null]);
    },
  }),
  play<Session<Data> & { before?: string }, void>({
    name: "flush",
    async prepare(world) {
      const session = await existing(world);
      return Object.assign(session, { before: session.key! });
    },
    act: (_world, session) => session.flush(),
    async check(world, { before: key }, outcome) {
      oneOf(await found(world, key!), "value" in outcome ? [null] : [BEFORE, null]);
    },
  }),
  play<string, number>({
    name: "clearExpired",
    async prepare(world) {
      await world.createExpired();
      return newSession(world);
    },
    act: (world) => world.sessions.clearExpired(),
    async check(world, key) {
      assert.deepEqual(await found(world, key), BEFORE);
      // What was begun, or could not be looked at, is finished by the next.
      await world.sessions.clearExpired();
      assert.equal(await world.countExpired(), 0);
      assert.deepEqual(await found(world, key), BEFORE);
    },
  }),
];
