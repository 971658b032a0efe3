import type { SessionData } from "../../../src/core/contracts.ts";
import { SessionError } from "../../../src/core/errors.ts";
import type { Sessions } from "../../../src/core/sessions.ts";
import type { SessionSettings } from "../../../src/core/settings.ts";
import { pseudoRandom } from "../../../src/testing/codec-values.ts";
import { openSessions, type Place } from "../places.ts";
import { type Lineages, mix, type Recorded } from "./mix.ts";
import { type Revived, revive } from "./revive.ts";

/* A server process: does what it is told, over a store that it shares with others. */

export type Task = { readonly place: Place } & (
  | { readonly does: "mix"; readonly tokens: readonly string[]; readonly steps: number; readonly seed: number }
  | { readonly does: "set keys"; readonly tokens: readonly string[]; readonly count: number }
  | { readonly does: "count"; readonly token: string; readonly count: number }
  | { readonly does: "log in"; readonly token: string; readonly onInterrupted: SessionSettings["onInterrupted"] }
  | { readonly does: "revive"; readonly since: number; readonly speed: number; readonly forMs: number }
);

/** An answer to the parent, or something for the other processes to hear. */
export type Told = { readonly id: number } & (
  | { readonly answer: unknown; readonly error?: undefined; readonly says?: undefined }
  | { readonly error: string; readonly says?: undefined }
  | { readonly says: readonly [number, string] }
);

/** What came of a log-in: the new key, or `null` if the session was gone. */
export interface LoggedIn {
  readonly user: string;
  readonly key: string | null;
}

const own = Number(process.argv[2]);
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);
const opened = new Map<string, Promise<Sessions<SessionData>>>();
const listeners = new Map<number, (says: readonly [number, string]) => void>();

/** Opened once for all tasks, as a server does. */
function sessionsAt(place: Place, onInterrupted: SessionSettings["onInterrupted"] = "error") {
  const name = JSON.stringify([place, onInterrupted]);
  const known = opened.get(name) ?? openSessions(place, { onInterrupted });
  opened.set(name, known);
  return known;
}

/** One that changes a session and is answered; `false`: nobody knows whether it was done. */
async function isAcknowledged(request: () => Promise<unknown>): Promise<boolean> {
  try {
    await request();
    return true;
  } catch (error) {
    if (error instanceof SessionError && error.status === 503) return false;
    throw error;
  }
}

async function setKeys(sessions: Sessions<SessionData>, tokens: readonly string[], count: number): Promise<string[]> {
  const set = async (token: string, key: string) => {
    const request = sessions.open(`sessionid=${token}`);
    const session = await request.session();
    session.set(key, 1);
    await request.commit(200);
  };
  const keys = tokens.flatMap((token, n) => numbers(count).map((m) => [token, `${n}.${own}.${m}`] as const));
  const answers = await Promise.all(keys.map(([token, key]) => isAcknowledged(() => set(token, key))));
  return keys.filter((_, n) => answers[n]).map(([, key]) => key);
}

async function countUp(sessions: Sessions<SessionData>, token: string, count: number): Promise<number> {
  const increment = () =>
    sessions.transact(token, (session) => session.set("count", (session.get("count", 0) as number) + 1));
  const answers = await Promise.all(numbers(count).map(() => isAcknowledged(increment)));
  return answers.filter(Boolean).length;
}

async function logIn(sessions: Sessions<SessionData>, token: string, user: string): Promise<LoggedIn> {
  const request = sessions.open(`sessionid=${token}`);
  const session = await request.session();
  if (session.key === null) return { user, key: null };
  session.set("user", user);
  try {
    await session.cycleKey();
    session.set("basket", user);
    await request.commit(200);
    return { user, key: session.key };
  } catch (error) {
    if (error instanceof SessionError && error.code === "ERR_SESSION_INTERRUPTED") return { user, key: null };
    throw error;
  }
}

async function perform(id: number, task: Task): Promise<Recorded | Revived | LoggedIn[] | string[] | number> {
  const { place } = task;
  switch (task.does) {
    case "mix": {
      const lineages: Lineages = {
        tokens: [...task.tokens],
        moved(lineage, token) {
          lineages.tokens[lineage] = token;
          process.send!({ id, says: [lineage, token] } satisfies Told);
        },
      };
      listeners.set(id, ([lineage, token]) => {
        lineages.tokens[lineage] = token;
      });
      return mix(await sessionsAt(place), lineages, task.steps, pseudoRandom(task.seed + own), `${own}`);
    }
    case "set keys":
      return setKeys(await sessionsAt(place), task.tokens, task.count);
    case "count":
      return countUp(await sessionsAt(place), task.token, task.count);
    case "log in": {
      const sessions = await sessionsAt(place, task.onInterrupted);
      return Promise.all([0, 1].map((n) => logIn(sessions, task.token, `user ${own}.${n}`)));
    }
    case "revive":
      return revive((now, cookieAge) => openSessions(place, { now, cookieAge }), task);
  }
}

process.on("message", (message: { id: number; task?: Task; says?: readonly [number, string] }) => {
  const { id, task, says } = message;
  if (says !== undefined) listeners.get(id)?.(says);
  if (task === undefined) return;
  perform(id, task).then(
    (answer) => process.send!({ id, answer } satisfies Told),
    (error: Error) => process.send!({ id, error: error.stack ?? String(error) } satisfies Told),
  );
});
process.send!("ready");
