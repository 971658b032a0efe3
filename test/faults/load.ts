import { setTimeout as sleep } from "node:timers/promises";
import { pseudoRandom } from "../../src/testing/codec-values.ts";
import { type Cookies, client, cookies, type Wish } from "./exchange.ts";
import type { Exchange, Operation } from "./history.ts";

const USERS = 50;

/** Of each user, at the same time: requests of one session meet. */
const TABS = 2;

/** Between two requests of a tab on average: 200 requests a second in all, while answers are quick. */
const PAUSE_MS = 500;

/** Cookies of a user that are dead, and are tried again. */
const GHOSTS = 20;

/** 60 % reads, 30 % writes, 5 % logins, 5 % logouts; beside them 20 % without a cookie, and what else is tried. */
const MIX: readonly (readonly [Operation | "ghost", number])[] = [
  ["read", 46],
  ["visit", 2],
  ["write", 12],
  ["increment", 12],
  ["login", 4],
  ["logout", 4],
  ["stranger", 20],
  ["untouched", 4],
  ["forged", 4],
  ["ghost", 4],
];

const DRAWN = MIX.flatMap(([name, weight]) => Array<typeof name>(weight).fill(name));

interface User {
  readonly number: number;
  cookie: number | null;
  /** Every cookie it ever had. */
  readonly cookies: number[];
  /** Those that ended by its own doing. */
  readonly dead: number[];
}

export interface Load {
  readonly history: readonly Exchange[];
  readonly cookies: Cookies;
  /** Ends when the last answer has come. */
  stop(): Promise<void>;
  /** Asks for every session that ever was, now that all is quiet. */
  audit(): Promise<void>;
}

/**
 * Users that read, write, log in and out, each with two tabs and one cookie, over several processes of an application.
 *
 * @param since the beginning of the history, by `performance.now()`
 */
export function startLoad(ports: readonly number[], since: number, seed: number): Load {
  const random = pseudoRandom(seed);
  const known = cookies();
  const { ask, close } = client(known, since);
  const history: Exchange[] = [];
  const users = Array.from({ length: USERS }, (_, number): User => ({ number, cookie: null, cookies: [], dead: [] }));
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  let marks = 0;
  let stopped = false;

  async function make(user: User, wish: Omit<Wish, "user">): Promise<void> {
    const exchange = await ask(pick(ports), { ...wish, user: user.number });
    history.push(exchange);
    const { operation, cookie, setCookie, status } = exchange;
    if (operation === "forged" || (status !== 200 && status !== 401)) return;
    if (typeof setCookie === "number") {
      user.cookies.push(setCookie);
      user.cookie = setCookie;
    }
    // A late answer about an old cookie is not about the new one. (A browser would take it so; that is another matter.)
    if (setCookie === "deleted" && cookie === user.cookie) user.cookie = null;
    if (cookie !== null && (operation === "login" || operation === "logout")) {
      user.dead.push(cookie);
      if (user.dead.length > GHOSTS) user.dead.shift();
    }
  }

  function wish(user: User): Omit<Wish, "user"> {
    const name = pick(DRAWN);
    const { cookie } = user;
    if (name === "stranger" || name === "untouched") {
      return { operation: name, cookie: name === "stranger" ? null : cookie, mark: null };
    }
    if (name === "ghost" && user.dead.length > 0) return { operation: "read", cookie: pick(user.dead), mark: null };
    if (cookie === null) return { operation: "login", cookie, mark: ++marks };
    const operation = name === "ghost" ? "read" : name;
    return { operation, cookie, mark: ["login", "write", "increment"].includes(operation) ? ++marks : null };
  }

  async function tab(user: User): Promise<void> {
    await sleep(random() * PAUSE_MS);
    while (!stopped) {
      await make(user, wish(user));
      await sleep((0.5 + random()) * PAUSE_MS);
    }
  }

  const tabs = users.flatMap((user) => Array.from({ length: TABS }, () => tab(user)));

  return {
    history,
    cookies: known,
    async stop() {
      stopped = true;
      await Promise.all(tabs);
    },
    async audit() {
      await Promise.all(
        users.map(async (user) => {
          for (const cookie of user.cookies) await make(user, { operation: "read", cookie, mark: null });
        }),
      );
      close();
    },
  };
}
