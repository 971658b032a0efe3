import type { SessionData } from "../../../src/core/contracts.ts";
import { SessionError } from "../../../src/core/errors.ts";
import type { Session } from "../../../src/core/session.ts";
import type { Sessions } from "../../../src/core/sessions.ts";
import type { Operation } from "../register-checker.ts";

/** Sessions that several processes use; a log-in gives one a new key, which the others hear of a little later. */
export interface Lineages {
  readonly tokens: string[];
  moved(lineage: number, token: string): void;
}

/** What a process did and saw: to the value under "v" of each key, and which key followed which. */
export interface Recorded {
  readonly operations: (Operation & { readonly key: string })[];
  readonly moves: [string, string][];
  readonly counts: Record<string, number>;
}

const WORKERS = 3;

/** How often each is done, of a hundred times. */
const SHARES = { read: 45, save: 30, "log in": 8, "log out": 6, "clear expired": 5, "leave an expired one": 6 };
type Act = keyof typeof SHARES;

/** One clock for all processes: Linux' CLOCK_MONOTONIC, in microseconds. */
const time = () => Number(process.hrtime.bigint() / 1000n);

export async function mix(
  sessions: Sessions<SessionData>,
  { tokens, moved }: Lineages,
  steps: number,
  random: () => number,
  name: string,
): Promise<Recorded> {
  const recorded: Recorded = { operations: [], moves: [], counts: {} };
  let values = 0;

  type What = Pick<Operation, "kind" | "value">;

  /** Does it, and writes down what came of it; `undefined` if it did not come to pass. */
  async function observe<T>(
    key: string,
    operation: () => Promise<T>,
    what: (answer: T) => What,
  ): Promise<T | undefined> {
    const call = time();
    const record = (its: What, outcome: Operation["outcome"]) =>
      recorded.operations.push({ key, ...its, outcome, call, end: time() });
    try {
      const answer = await operation();
      record(what(answer), "ok");
      return answer;
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      const its = what(undefined as T);
      // A log-in that is refused is no delete: it says that nothing was there.
      if (error.code === "ERR_SESSION_INTERRUPTED") record({ kind: "write", value: its.value }, "refused");
      else if (error.status === 503) record(its, "unknown");
      else throw error;
      return undefined;
    }
  }

  function load(key: string): Promise<{ session: Session<SessionData>; save(): Promise<unknown> } | undefined> {
    return observe(
      key,
      async () => {
        const request = sessions.open(`sessionid=${key}`);
        return { session: await request.session(), save: async () => request.commit(200) };
      },
      (answer) => ({ kind: "read", value: (answer?.session.get("v") as string | undefined) ?? null }),
    );
  }

  async function begin(lineage: number): Promise<void> {
    const request = sessions.open(null);
    const session = await request.session();
    const value = `${name}.${values++}`;
    session.set("v", value);
    const call = time();
    await request.commit(200);
    recorded.operations.push({ key: session.key!, kind: "create", value, outcome: "ok", call, end: time() });
    moved(lineage, session.key!);
  }

  async function logIn(lineage: number, key: string): Promise<void> {
    const loaded = await load(key);
    if (!loaded) return;
    const { session } = loaded;
    if (session.key === null) return begin(lineage);
    const call = time();
    const isMoved = await observe(
      key,
      () => session.cycleKey().then(() => true),
      () => ({ kind: "delete", value: null }),
    );
    if (!isMoved) return;
    const value = session.get("v") as string;
    recorded.operations.push({ key: session.key, kind: "create", value, outcome: "ok", call, end: time() });
    recorded.moves.push([key, session.key]);
    moved(lineage, session.key);
  }

  async function act(what: Act, lineage: number, key: string): Promise<unknown> {
    switch (what) {
      case "read":
        return load(key);
      case "save": {
        const loaded = await load(key);
        if (!loaded || loaded.session.key === null) return;
        const value = `${name}.${values++}`;
        loaded.session.set("v", value);
        return observe(key, loaded.save, () => ({ kind: "write", value }));
      }
      case "log in":
        return logIn(lineage, key);
      case "log out":
        return observe(
          key,
          () => sessions.delete(key),
          () => ({ kind: "delete", value: null }),
        );
      case "clear expired":
        return sessions.clearExpired({ batchSize: 5 });
      case "leave an expired one": {
        const session = await sessions.open(null).session();
        session.set("v", "expired");
        session.setExpiry(-5);
        return session.save();
      }
    }
  }

  async function work(): Promise<void> {
    for (let step = 0; step < steps; step++) {
      const lineage = Math.floor(random() * tokens.length);
      const what = drawn(random() * 100);
      recorded.counts[what] = (recorded.counts[what] ?? 0) + 1;
      await act(what, lineage, tokens[lineage]!);
    }
  }

  await Promise.all(Array.from({ length: WORKERS }, work));
  return recorded;
}

function drawn(number: number): Act {
  let sum = 0;
  for (const [act, share] of Object.entries(SHARES)) {
    sum += share;
    if (number < sum) return act as Act;
  }
  return "read";
}
