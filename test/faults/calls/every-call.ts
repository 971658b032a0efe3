import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, describe, test } from "node:test";
import { inspect } from "node:util";
import type { SessionStore } from "../../../src/core/contracts.ts";
import { SessionError, type SessionErrorCode } from "../../../src/core/errors.ts";
import { createSessions } from "../../../src/core/sessions.ts";
import { djangoCodec } from "../../../src/django/codec.ts";
import { storeEngine } from "../../../src/engines/store-engine.ts";
import { calls, FATES, type Fate, type Pass } from "./fates.ts";
import type { Kind, Place } from "./kinds.ts";
import { type Data, type Outcome, PLAYS, type Play, SECRET, type World } from "./plays.ts";

/*
 * Every n-th call fails (SQLite's way of testing): each play is run with the k-th call of the driver having a fate, for
 * all k and all fates. Whatever it is, the sessions are as before or as after, never in between, and never doubly changed.
 */

const codec = djangoCodec({ secretKey: "a secret key for tests, 32 characters at least" });

/** Milliseconds that a request has for its session where a call hangs; and what it may take more, on a busy machine. */
const BUDGET_MS = 100;
const SLACK_MS = 3000;

const CODES: readonly SessionErrorCode[] = ["ERR_SESSION_UNAVAILABLE"];
/** A session that is said to be gone, and text for bytes, which is what a wrong setting of the driver gives. */
const CODES_AFTER_A_LIE: readonly SessionErrorCode[] = [...CODES, "ERR_SESSION_INTERRUPTED", "ERR_CONFIG"];

const asIs: Pass = (_name, run) => run();

const unhandled: unknown[] = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));
let runs = 0;

/** @returns whether there was a k-th call */
async function run(place: Place, play: Play, fate: Fate, k: number): Promise<boolean> {
  const { pass, fated, during } = calls(k, fate);
  const secrets = new Set([SECRET]);
  const keys = new Set<string>();
  /** Sees what is written, and nothing happens to it here. */
  const watched = (store: SessionStore): SessionStore => ({
    ...store,
    create(key, record) {
      keys.add(key);
      for (const secret of [key, String(record.payload)]) secrets.add(secret);
      return store.create(key, record);
    },
    update(key, record, expected) {
      secrets.add(String(record.payload));
      return store.update(key, record, expected);
    },
  });
  const engine = storeEngine(watched(place.store(pass)), codec);
  const theirs = watched(place.store(asIs));
  const world: World = {
    sessions: createSessions<Data>(engine, fate.kind === "hangs" ? { requestTimeoutMs: BUDGET_MS } : {}),
    own: createSessions<Data>(engine),
    theirs: createSessions<Data>(storeEngine(theirs, codec)),
    truth: createSessions<Data>(storeEngine(place.truth, codec)),
    keys,
    async createExpired() {
      const key = `expired${randomBytes(13).toString("hex")}`.slice(0, 32);
      await theirs.create(key, { payload: "", expiresAt: new Date(Date.now() - 60_000) });
    },
    countExpired: place.countExpired,
  };

  const made = await play.prepare(world);
  const began = performance.now();
  const outcome = await during(() => play.act(world, made)).then(
    (value): Outcome<unknown> => ({ value }),
    (error: unknown): Outcome<unknown> => ({ error }),
  );
  const took = performance.now() - began;
  const name = fated();
  if (name === undefined) {
    // With so little time, a busy machine may be too slow without a fault.
    assert.ok("value" in outcome || fate.kind === "hangs", inspect(outcome));
    return false;
  }
  runs++;
  try {
    assert.ok(took < BUDGET_MS + SLACK_MS, `it took ${Math.round(took)} ms`);
    const isLie = fate.kind === "answers";
    if ("error" in outcome) assertClean(outcome.error, secrets, isLie ? CODES_AFTER_A_LIE : CODES);
    await play.check(world, made, outcome, isLie);
    await worksAgain(world);
  } catch (error) {
    const problem = (error as Error).message;
    throw new Error(`call ${k}, ${name}, ${fate.name}: ${problem}\nafter ${inspect(outcome)}`, { cause: error });
  }
  return true;
}

/** In words that are documented, and with nothing that is a secret however deep one looks. */
function assertClean(error: unknown, secrets: ReadonlySet<string>, codes: readonly SessionErrorCode[]): void {
  assert.ok(error instanceof SessionError, inspect(error));
  assert.ok(codes.includes(error.code), inspect(error));
  const shown = inspect(error, { depth: 10, showHidden: true });
  for (const secret of secrets) assert.ok(secret === "" || !shown.includes(secret), shown);
}

async function worksAgain({ own, truth }: World): Promise<void> {
  const session = await own.open("").session();
  session.set("n", 1);
  await session.save();
  const key = session.key!;
  await own.transact(key, (it) => it.set("n", Number(it.get("n")) + 1));
  assert.equal((await truth.open(`sessionid=${key}`).session()).get("n"), 2);
  await own.delete(key);
  assert.equal(await truth.exists(key), false);
}

/** The tests, for each of them. */
export function everyCall(kinds: readonly Kind[]): void {
  // Many at once, for hanging is most of what they do.
  describe("when any one call of the driver fails,", { concurrency: 12 }, () => {
    for (const [i, kind] of kinds.entries()) {
      for (const [j, play] of PLAYS.entries()) {
        test(`${play.name} is done or not done, and says so: ${kind.name}`, async () => {
          for (const fate of FATES) {
            // No request waits for a clean-up: it has no budget but the store's own.
            if (play.name === "clearExpired" && fate.kind === "hangs" && !kind.boundsCleanUp) continue;
            for (let k = 1; await run(await kind.place(100 * i + j), play, fate, k); k++);
          }
        });
      }
    }
  });

  after(() => {
    assert.deepEqual(unhandled, []);
    console.log(`${runs} runs with a call that failed`);
  });
}
