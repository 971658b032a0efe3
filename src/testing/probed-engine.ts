import type { SessionData, SessionEngine, StoredSession } from "../core/contracts.ts";
import { SessionError } from "../core/errors.ts";
import { isSessionKey, newSessionKey } from "../core/key.ts";

export type EngineOperation = "load" | "create" | "update" | "cycle" | "delete";

/** An engine in this process whose operations can be counted, held and made to fail. */
export interface ProbedEngine extends SessionEngine {
  /** What was asked since this was last emptied. */
  readonly operations: EngineOperation[];
  /** Called before each operation: what it returns is awaited, what it throws is the store's fault. */
  before: (operation: EngineOperation) => unknown;
}

export function probedEngine(): ProbedEngine {
  const payloads = new Map<string, string>();
  const parse = (payload: unknown): SessionData => JSON.parse(payload as string);

  async function probe(operation: EngineOperation): Promise<void> {
    engine.operations.push(operation);
    try {
      await engine.before(operation);
    } catch (cause) {
      throw new SessionError("ERR_SESSION_UNAVAILABLE", "The session store failed.", { cause });
    }
  }

  function put(token: string, data: SessionData): StoredSession {
    const payload = JSON.stringify(data);
    payloads.set(token, payload);
    return { token, payload, origin: undefined };
  }

  const engine: ProbedEngine = {
    operations: [],
    before: () => {},
    isToken: isSessionKey,
    async load(token) {
      await probe("load");
      const payload = payloads.get(token);
      return payload === undefined ? "missing" : { token, payload, origin: undefined, data: parse(payload) };
    },
    async create(data) {
      await probe("create");
      return put(newSessionKey(), data);
    },
    async update({ token, payload: base }, data, _saving, reconcile) {
      await probe("update");
      for (let expected = base; payloads.get(token) !== expected; ) {
        const theirs = payloads.get(token);
        if (theirs === undefined) throw new SessionError("ERR_SESSION_INTERRUPTED", "The session was deleted.");
        await reconcile(data, parse(expected), parse(theirs));
        expected = theirs;
      }
      return put(token, data);
    },
    async cycle({ token }, data) {
      await probe("cycle");
      payloads.delete(token);
      return put(newSessionKey(), data);
    },
    async delete(token) {
      await probe("delete");
      payloads.delete(token);
    },
    deleteExpired: async () => 0,
    assertValue: () => {},
  };
  return engine;
}

/** Holds the engine's next writes until `release` is called. `reached` resolves when the first has come. */
export function blockWrites(engine: ProbedEngine): { reached: Promise<void>; release(): void } {
  const reached = signal();
  const released = signal();
  engine.before = (operation) => {
    if (operation === "load") return undefined;
    reached.give();
    return released.given;
  };
  return { reached: reached.given, release: released.give };
}

/** Makes these operations fail, as with a store that cannot be reached; none: recovers. */
export function failing(engine: ProbedEngine, ...operations: EngineOperation[]): void {
  engine.before = (operation) => {
    if (operations.includes(operation)) throw new Error("connect ECONNREFUSED");
  };
}

export function signal(): { given: Promise<void>; give(): void } {
  let give!: () => void;
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give };
}
