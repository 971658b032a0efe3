import type { Session } from "../core/session.ts";
import type { Sessions } from "../core/sessions.ts";
import type { Exchange, ExchangeOptions, Reply } from "./http-exchange.ts";
import type { ProbedEngine } from "./probed-engine.ts";

/** What a handler of the suite answers; the adapter's test turns it into a response of its framework. */
export interface AdapterAnswer {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** A string is sent at once, an iterable is streamed as it comes. Default: no body. */
  readonly body?: string | AsyncIterable<string> | undefined;
}

/** A route in no framework's words. `session` is `() => sessions.get(…)` with what the framework hands its handlers. */
export type AdapterHandler = (session: () => Promise<Session>) => AdapterAnswer | Promise<AdapterAnswer>;

/** Handlers by path. */
export type AdapterHandlers = Readonly<Record<string, AdapterHandler>>;

/** A server whose engine the case has in its hand. */
export interface ProbedServer {
  readonly engine: ProbedEngine;
  readonly sessions: Sessions<Record<string, unknown>>;
  send(path: string, options?: ExchangeOptions): Exchange;
  get(path: string, cookie?: string): Promise<Reply>;
  /** A session with `uid` "alice" and `cart` []; resolves to the `Cookie` header. */
  login(): Promise<string>;
}

/** Starts a server with these handlers beside `HANDLERS`; the suite closes it. */
export type StartServer = (handlers?: AdapterHandlers) => Promise<ProbedServer>;

export type AdapterCase = (start: StartServer) => Promise<void>;

/** Rules by their names. */
export type AdapterCases = Readonly<Record<string, AdapterCase>>;

/** The handlers that most cases need. */
export const HANDLERS: AdapterHandlers = {
  "/ping": () => ({ body: "pong" }),
  "/read": async (session) => ({ body: String((await session()).get("uid", "nobody")) }),
  "/login": async (session) => {
    (await session()).update({ uid: "alice", cart: [] });
    return { body: "hello" };
  },
  "/logout": async (session) => {
    await (await session()).flush();
    return { body: "bye" };
  },
};

/** A handler that changes the session and gives `answer`. */
export function changing(answer: AdapterAnswer): AdapterHandler {
  return async (session) => {
    (await session()).set("changed", true);
    return answer;
  };
}

/** The `Cookie` header that a browser sends after this reply. */
export function cookieOf(reply: Reply): string {
  const cookie = reply.header("Set-Cookie").find((header) => header.startsWith("sessionid="));
  return cookie?.split(";")[0] ?? "";
}

/** What the library may add to a response. */
export function sessionHeaders(reply: Reply): Record<string, readonly string[]> {
  const names = ["Set-Cookie", "Vary", "Cache-Control"];
  return Object.fromEntries(names.map((name) => [name, reply.header(name)]));
}

/** Runs something that logs errors by design. */
export async function quietly<T>(run: () => Promise<T>): Promise<T> {
  const { error } = console;
  console.error = () => {};
  try {
    return await run();
  } finally {
    console.error = error;
  }
}
