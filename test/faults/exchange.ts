import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { fingerprint } from "../../src/core/key.ts";
import type { Exchange, Operation, Seen } from "./history.ts";

/** A client that has waited this long calls it no answer. */
const PATIENCE_MS = 10_000;

/** The cookies of all users, each with a number: the history names no session key. */
export interface Cookies {
  readonly values: readonly string[];
  /** The number of a cookie, a new one if need be. */
  number(value: string): number;
}

export function cookies(): Cookies {
  const numbers = new Map<string, number>();
  const values: string[] = [];
  return {
    values,
    number(value) {
      const known = numbers.get(value);
      if (known !== undefined) return known;
      numbers.set(value, values.length);
      return values.push(value) - 1;
    },
  };
}

export interface Wish {
  readonly operation: Operation;
  readonly user: number;
  readonly cookie: number | null;
  readonly mark: number | null;
}

/** Makes requests, each as one exchange of the history. */
export interface Client {
  ask(port: number, wish: Wish): Promise<Exchange>;
  close(): void;
}

const PAGES: Partial<Record<Operation, string>> = { stranger: "read", forged: "read" };

/** @param since the beginning of the history, by `performance.now()` */
export function client(known: Cookies, since: number): Client {
  const agent = new Agent({ keepAlive: true });

  async function ask(port: number, wish: Wish): Promise<Exchange> {
    const { operation, user, cookie, mark } = wish;
    const sent = cookie === null ? null : known.values[cookie]!;
    const value = operation === "forged" ? forged(sent!) : sent;
    const headers = value === null ? {} : { Cookie: `sessionid=${value}` };
    const path = `/${PAGES[operation] ?? operation}?user=${user}&mark=${mark}`;
    const start = performance.now() - since;
    const answer = await get(agent, port, path, headers).catch(() => null);
    const end = performance.now() - since;
    const set = answer?.setCookie ?? null;
    const setCookie = set === null ? null : set === "" ? "deleted" : known.number(set);
    return {
      ...{ operation, user, start, end, cookie, mark },
      ...{ status: answer?.status ?? null, setCookie, retryAfter: answer?.retryAfter ?? false },
      seen: answer === null ? null : seen(answer.body, set || value),
    };
  }

  return { ask, close: () => agent.destroy() };
}

interface Answer {
  readonly status: number;
  readonly setCookie: string | null;
  readonly retryAfter: boolean;
  readonly body: string;
}

function get(agent: Agent, port: number, path: string, headers: Record<string, string>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ agent, host: "127.0.0.1", port, path, headers });
    const timer = setTimeout(() => request.destroy(new Error("no answer")), PATIENCE_MS);
    request.on("close", () => clearTimeout(timer));
    request.on("error", reject);
    request.on("response", (response: IncomingMessage) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text) => (body += text));
      response.on("error", reject);
      response.on("end", () => {
        const [, set = null] = /^sessionid="?([^";]*)/.exec(response.headers["set-cookie"]?.[0] ?? "") ?? [];
        const retryAfter = response.headers["retry-after"] !== undefined;
        resolve({ status: response.statusCode!, setCookie: set, retryAfter, body });
      });
    });
    request.end();
  });
}

/** @param cookie that the session should be the one of */
function seen(body: string, cookie: string | null): Seen | null {
  const told = body.startsWith("{") ? JSON.parse(body) : {};
  if (told.user === undefined) return null;
  const { key, ...rest } = told;
  return { ...rest, keyIsCookie: cookie !== null && key === fingerprint(cookie) };
}

/** Another key of the same alphabet. */
function forged(cookie: string): string {
  const place = cookie.length >> 1;
  return `${cookie.slice(0, place)}${cookie[place] === "a" ? "b" : "a"}${cookie.slice(place + 1)}`;
}
