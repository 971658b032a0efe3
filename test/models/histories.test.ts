import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { SessionData } from "../../src/core/contracts.ts";
import { SEED, sized } from "./amount.ts";
import type { Recorded } from "./children/mix.ts";
import type { Revived } from "./children/revive.ts";
import type { LoggedIn } from "./children/serve.ts";
import { type OpenedSessions, openSessions, startPlaces } from "./places.ts";
import { startProcesses } from "./processes.ts";
import { checkRegister, type Operation } from "./register-checker.ts";

/* Several server processes on one store. SOJOURN_FULL=1 for the sizes of a release. */

const PROCESSES = sized(4, 8);
const places = await startPlaces();
const processes = await startProcesses(PROCESSES);
after(() => processes.end());

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

async function newToken(sessions: OpenedSessions, data: SessionData): Promise<string> {
  const session = await sessions.open(null).session();
  session.update(data);
  await session.save();
  return session.key!;
}

async function contents(sessions: OpenedSessions, token: string): Promise<SessionData> {
  return (await sessions.open(`sessionid=${token}`).session()).toJSON();
}

/** What happened to each key. A logout also ended the keys to which its session had moved. */
function byKey(recorded: readonly Recorded[]): Map<string, Operation[]> {
  const next = new Map(recorded.flatMap(({ moves }) => moves));
  const keys = new Map<string, Operation[]>();
  for (const { key, ...operation } of recorded.flatMap(({ operations }) => operations)) {
    const isLogout = operation.kind === "delete" && operation.outcome === "ok";
    for (let at: string | undefined = key; at !== undefined; at = isLogout ? next.get(at) : undefined) {
      keys.set(at, [...(keys.get(at) ?? []), operation]);
    }
  }
  return keys;
}

/**
 * Until a change is acknowledged, a cache may answer by what was there before, when others have read the database already:
 * such a read counts from the beginning of the change.
 */
function fromChangesOn(history: readonly Operation[]): Operation[] {
  const changes = history.filter(({ kind, outcome }) => kind !== "read" && outcome !== "refused");
  return history.map((operation) => {
    if (operation.kind !== "read") return operation;
    const underWay = changes.filter(({ call, end }) => call <= operation.call && operation.call < end);
    return { ...operation, call: Math.min(operation.call, ...underWay.map(({ call }) => call)) };
  });
}

for (const [name, place] of Object.entries(places)) {
  describe(`${PROCESSES} processes on ${name}`, () => {
    const opening = openSessions(place);
    after(async () => (await opening).close());

    test("see the sessions change in one order, whatever they read, save, log in, log out and clean up", async () => {
      const sessions = await opening;
      const begun = await Promise.all(numbers(6).map((n) => newToken(sessions, { v: `first ${n}` })));
      const recorded = await processes.all<Recorded>({
        ...{ place, does: "mix", tokens: begun, steps: sized(60, 3000), seed: SEED },
      });
      const keys = byKey(recorded);
      let operations = 0;
      for (const [token, history] of keys) {
        const first = begun.indexOf(token);
        const creation = { kind: "create", value: `first ${first}`, outcome: "ok", call: 0, end: 0 } as const;
        const seen = place.cache === undefined ? history : fromChangesOn(history);
        const verdict = checkRegister(first < 0 ? seen : [creation, ...seen]);
        operations += history.length;
        assert.equal(verdict.is, "linearizable", JSON.stringify({ verdict, history }, null, 1));
      }
      assert.ok(operations >= PROCESSES * 60 && keys.size > 6, `only ${operations} operations on ${keys.size} keys`);
      console.log(`${name}: ${operations} operations on ${keys.size} keys, each in one order`);
    });

    test("lose none of the keys that they set in parallel (C-01)", async () => {
      const sessions = await opening;
      for (const _ of numbers(sized(1, 50))) {
        const tokens = await Promise.all(numbers(sized(2, 10)).map(() => newToken(sessions, { first: 1 })));
        const set = await processes.all<string[]>({ place, does: "set keys", tokens, count: sized(25, 25) });
        const acknowledged = set.flat();
        assert.ok(acknowledged.length > 0);
        for (const [n, token] of tokens.entries()) {
          const stored = await contents(sessions, token);
          const mine = acknowledged.filter((key) => key.startsWith(`${n}.`));
          assert.deepEqual(
            mine.filter((key) => !Object.hasOwn(stored, key)),
            [],
            "acknowledged, and lost",
          );
        }
      }
    });

    test("count exactly with transact (C-02)", async () => {
      const sessions = await opening;
      const token = await newToken(sessions, { count: 0 });
      const count = sized(25, 2500);
      const acknowledged = (await processes.all<number>({ place, does: "count", token, count })).reduce(
        (a, b) => a + b,
      );
      const stored = (await contents(sessions, token)).count as number;
      assert.ok(acknowledged > 0 && stored >= acknowledged && stored <= PROCESSES * count, `${stored}`);
      // Where nothing was left without an answer, this is all of them.
      if (acknowledged === PROCESSES * count) assert.equal(stored, acknowledged);
    });

    for (const onInterrupted of ["error", "new"] as const) {
      test(`log in on one cookie at once, and nobody is mixed up (C-04), a late one being "${onInterrupted}"`, async () => {
        const sessions = await opening;
        for (const _ of numbers(sized(5, 2000))) {
          const token = await newToken(sessions, { anonymous: 1 });
          const all = (await processes.all<LoggedIn[]>({ place, does: "log in", token, onInterrupted })).flat();
          const loggedIn = all.filter(({ key }) => key !== null) as { user: string; key: string }[];
          assert.equal(await sessions.exists(token), false, "the old key is alive");
          assert.ok(loggedIn.length >= 1, "nobody is logged in");
          if (onInterrupted === "error") assert.equal(loggedIn.length, 1, "the session moved twice");
          assert.equal(
            new Set([token, ...loggedIn.map(({ key }) => key)]).size,
            1 + loggedIn.length,
            "keys are shared",
          );
          let heirs = 0;
          for (const { user, key } of loggedIn) {
            const { anonymous, ...rest } = await contents(sessions, key);
            assert.deepEqual(rest, { user, basket: user });
            if (anonymous !== undefined) heirs++;
          }
          assert.equal(heirs, 1, "one of them goes on with the session, the others have nothing of it");
        }
      });
    }
  });
}

describe(`${PROCESSES} processes that clean up`, () => {
  test("delete no session that is saved shortly before it expires (C-06)", async () => {
    const since = Number(process.hrtime.bigint() / 1000n);
    const task = { does: "revive", since, speed: 20, forMs: sized(3000, 60_000) } as const;
    const answers = Object.entries(places).map(async ([name, place]) => {
      const seen = await processes.all<Revived>({ ...task, place });
      assert.deepEqual(
        seen.flatMap(({ lost }) => lost),
        [],
        `${name} lost live sessions`,
      );
      const sum = (count: (each: Revived) => number) => seen.reduce((all, each) => all + count(each), 0);
      console.log(
        `${name}: ${sum((each) => each.saves)} saves, ${sum((each) => each.late)} too late, ${sum((each) => each.cleared)} cleared`,
      );
      assert.ok(sum((each) => each.saves) > 0, `${name} saved none`);
      if (!/Redis|memcached/.test(name)) assert.ok(sum((each) => each.cleared) > 0, `${name} cleared none`);
    });
    await Promise.all(answers);
  });
});
