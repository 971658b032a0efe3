import { subscribe, unsubscribe } from "node:diagnostics_channel";
import fc from "fast-check";
import { encryptedCodec } from "../../../src/codecs/encrypted.ts";
import type { SessionEngine, SessionStore } from "../../../src/core/contracts.ts";
import { createSessions } from "../../../src/core/sessions.ts";
import { djangoCodec, djangoCookieCodec } from "../../../src/django/codec.ts";
import { cookieEngine } from "../../../src/engines/cookie-engine.ts";
import { storeEngine } from "../../../src/engines/store-engine.ts";
import { cachedStore } from "../../../src/stores/cached/store.ts";
import { hashedKeys } from "../../../src/stores/hashed-keys.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { PATIENT } from "../../support/django/patient.ts";
import { given } from "../in-worker.ts";
import { openPlace, PATIENT_REQUEST, type Place } from "../places.ts";
import { agreeOnAll, COMMANDS, haveSession, type Real } from "../session-commands.ts";
import { newModel, RESOLVERS, type Terms } from "../session-model.ts";

/* Random sequences of commands on an engine and on a model of plain objects, which must agree after each. */

const { name, place, seed, numRuns } = given<{ name: string; place?: Place; seed: number; numRuns: number }>();

const MAX_COMMANDS = 50;
/** A whole second: the signed cookie's time has no finer one. */
const START = new Date(Math.floor(Date.now() / 1000) * 1000);

const codec = djangoCodec({ secretKey: "a secret key for tests, 32 characters at least" });
const secretKey = "a secret key for tests, 32 characters at least";

const clock = { now: START };
const now = () => clock.now;

/** A sequence's own: how to begin anew over the same store, and what there is to do when time has passed. */
interface Scene {
  engine(): SessionEngine;
  pass?(): Promise<void>;
}

const SCENES: Record<string, () => Scene> = {
  memory: () => over(memoryStore({ now })),
  "memory with hashed keys": () => over(hashedKeys(memoryStore({ now }))),
  "cached_db, memory over memory"() {
    const [cache, database] = [memoryStore({ now }), memoryStore({ now })];
    return { engine: () => storeEngine(cachedStore(cache, database, { ...PATIENT, now }), codec) };
  },
  "signed cookies": () => ({ engine: () => cookieEngine(djangoCookieCodec({ secretKey })) }),
  "encrypted cookies": () => ({ engine: () => cookieEngine(encryptedCodec({ secretKey })) }),
};

const passing: (() => Promise<void>)[] = [];
const opened =
  place &&
  (await openPlace(place, { now }, (store, url) => {
    if (!/^(redis|memcached):/.test(url)) return store;
    const { pass, ...rest } = passingAway(store);
    passing.push(pass);
    return { ...store, ...rest };
  }));
const open: () => Scene = opened
  ? () => ({ ...over(opened), pass: async () => void (await Promise.all(passing.map((pass) => pass()))) })
  : SCENES[name]!;

/** A server's own clock stands still for us: what has expired by ours is taken away from it. */
function passingAway(store: SessionStore): SessionStore & { pass(): Promise<void> } {
  const ends = new Map<string, Date>();
  const noted = (isDone: boolean, key: string, expiresAt: Date) => {
    if (isDone) ends.set(key, expiresAt);
    return isDone;
  };
  return {
    ...store,
    create: async (key, record) => noted(await store.create(key, record), key, record.expiresAt),
    update: async (key, record, expected) => noted(await store.update(key, record, expected), key, record.expiresAt),
    async pass() {
      for (const [key, expiresAt] of ends) {
        if (expiresAt > now()) continue;
        await store.delete(key);
        ends.delete(key);
      }
    },
  };
}

function over(store: SessionStore): Scene {
  return { engine: () => storeEngine(store, codec) };
}

const terms: fc.Arbitrary<Terms> = fc.record({
  onInterrupted: fc.constantFrom<Terms["onInterrupted"]>("error", "error", "drop", "new"),
  onConflict: fc.constantFrom<Terms["onConflict"]>("none", "none", "theirs", "sum"),
  saveEveryRequest: fc.constantFrom(false, false, true),
  cookieAge: fc.constantFrom(1_209_600, 3600),
});

function begin({ engine, pass }: Scene, { onConflict, ...rest }: Terms): Real {
  const settings = { ...rest, onConflict: RESOLVERS[onConflict], now, ...PATIENT_REQUEST };
  const start = () => createSessions(engine(), settings);
  return {
    start,
    sessions: start(),
    async advance(to) {
      clock.now = to;
      await pass?.();
    },
    ...{ requests: [null, null, null], tokens: new Map(), jar: null, conflicts: [] },
  };
}

let commands = 0;
const began = performance.now();
const play = async (given: Terms, isNew: boolean, sequence: Iterable<fc.AsyncCommand<any, any>>) => {
  clock.now = START;
  const real = begin(open(), given);
  const model = newModel(given, !name.endsWith("cookies"), START, real.requests.length);
  const hear = (event: unknown) => void real.conflicts.push(...(event as { paths: string[][] }).paths);
  subscribe("sojourn:conflict", hear);
  try {
    if (!isNew) await haveSession(model, real);
    await fc.asyncModelRun(() => ({ model, real }), sequence);
    await agreeOnAll(model, real);
  } finally {
    unsubscribe("sojourn:conflict", hear);
  }
  commands += [...sequence].filter((each) => (each as { hasRan?: boolean }).hasRan).length;
};
await fc.assert(
  fc.asyncProperty(
    terms,
    fc.constantFrom(true, false, false),
    fc.commands(COMMANDS, { maxCommands: MAX_COMMANDS, size: "max" }),
    play,
  ),
  {
    numRuns,
    seed,
    includeErrorInReport: true,
  },
);
await opened?.close();
console.log(
  `seed ${seed}: ${numRuns} sequences, ${commands} commands, ${((performance.now() - began) / 1000).toFixed(1)} s`,
);
