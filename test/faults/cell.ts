import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { check, type Figures } from "./check.ts";
import type { Backend, Fault } from "./fault.ts";
import type { Exchange, Span } from "./history.ts";
import { startLoad } from "./load.ts";
import { type Application, startApplication } from "./process.ts";
import { broken } from "./promises.ts";

/** So many processes serve the users, and none knows of the others. */
const PROCESSES = 2;

/** Shares of a cell's time before, during and after the fault. */
const SHARES = { before: 0.3, fault: 0.3, after: 0.4 };

const SAMPLE_EVERY_MS = 250;

/** A cache that failed is cleaned a second after it is back (decision 0010); and slack. */
const CACHE_LAG_MS = 3000;

/** Figures of the processes, which no history tells. */
export interface Health {
  readonly unhandled: number;
  readonly exits: number;
  /** Session keys in what was logged. */
  readonly keysLogged: number;
  readonly descriptors: { readonly before: number; readonly after: number };
  /** Bytes. */
  readonly memory: { readonly before: number; readonly after: number };
}

/** One fault of one scene under load. */
export interface Cell {
  readonly scene: string;
  readonly fault: string;
  readonly effect: Fault["effect"];
  readonly durability: Backend["durability"];
  readonly span: Span;
  readonly figures: Figures & Health;
  /** The promises that did not hold; none is what is wanted. */
  readonly broken: readonly string[];
  readonly history: readonly Exchange[];
  /** How often it was run until the machine was idle enough. */
  readonly attempts: number;
  /** The last words of processes that ended by themselves. */
  readonly lastWords: readonly string[];
}

export async function runCell(backend: Backend, fault: Fault, seconds: number, seed: number): Promise<Cell> {
  const secretKey = randomBytes(32).toString("base64url");
  const { url, cache } = backend;
  const start = () => startApplication({ address: { url, cache }, secretKey });
  const applications = await Promise.all(Array.from({ length: PROCESSES }, start));
  const since = performance.now();
  const load = startLoad(
    applications.map(({ port }) => port),
    since,
    seed,
  );
  const samples: Sample[] = [];
  const sampling = setInterval(() => samples.push(sample(applications, since)), SAMPLE_EVERY_MS);
  try {
    await sleep(seconds * SHARES.before * 1000);
    const begin = performance.now() - since;
    await fault.begin(backend);
    await sleep(seconds * SHARES.fault * 1000);
    await fault.end(backend);
    const span = { begin, end: performance.now() - since };
    await sleep(seconds * SHARES.after * 1000);
    await load.stop();
    clearInterval(sampling);
    const lag = cache === undefined ? 0 : CACHE_LAG_MS;
    await sleep(lag);
    await load.audit();

    const { history, cookies } = load;
    const figures = {
      ...check(history, fault.effect, span, lag),
      ...health(applications, samples, span, cookies.values),
    };
    const { effect, name } = fault;
    return {
      ...{ scene: backend.name, fault: name, effect, durability: backend.durability, span, figures, history },
      broken: broken(figures),
      attempts: 1,
      lastWords: applications.flatMap((each) => (each.hasEnded() ? [each.output().slice(-2000)] : [])),
    };
  } finally {
    clearInterval(sampling);
    await load.stop();
    for (const application of applications) await application.stop();
  }
}

interface Sample {
  readonly at: number;
  readonly descriptors: number;
  readonly memory: number;
}

function sample(applications: readonly Application[], since: number): Sample {
  const conditions = applications.map((application) => application.condition());
  return {
    at: performance.now() - since,
    descriptors: conditions.reduce((sum, { descriptors }) => sum + descriptors, 0),
    memory: conditions.reduce((sum, { memory }) => sum + memory, 0),
  };
}

function health(
  applications: readonly Application[],
  samples: readonly Sample[],
  span: Span,
  keys: readonly string[],
): Health {
  const before = samples.filter(({ at }) => at < span.begin);
  // The last second of the load: what was opened meanwhile had its time to be closed.
  const after = samples.slice(-4);
  const logged = applications.map((application) => application.output()).join("\n");
  const known = new Set(keys);
  return {
    unhandled: applications.reduce((sum, application) => sum + application.condition().unhandled, 0),
    exits: applications.filter((application) => application.hasEnded()).length,
    keysLogged: (logged.match(/[a-z0-9]{32}/g) ?? []).filter((text) => known.has(text)).length,
    descriptors: {
      before: Math.max(...before.map(({ descriptors }) => descriptors)),
      after: Math.min(...after.map(({ descriptors }) => descriptors)),
    },
    memory: { before: before.at(-1)!.memory, after: after.at(-1)!.memory },
  };
}
