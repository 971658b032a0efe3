import { fetchSessions } from "../../src/adapters/fetch.ts";
import type { Session } from "../../src/core/session.ts";
import type { Sessions } from "../../src/core/sessions.ts";

/** What the tests keep in sessions. */
export type Data = Record<string, unknown>;

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
}

/** A browser at an application: sends its cookies, and keeps what it is sent. */
export interface Visitor {
  /** Cookies by name. */
  readonly jar: Map<string, string>;
  /** The session cookie's value. */
  token(): string;
  /** One request; the answer's body is what the handler returns. */
  visit(handler: (session: Session<Data>) => unknown): Promise<Answer>;
  /** Somebody else with a copy of the cookies. */
  copy(): Visitor;
}

export function visitor(sessions: Sessions<Data>, cookies: Iterable<readonly [string, string]> = []): Visitor {
  const jar = new Map(cookies);
  return {
    jar,
    token: () => [...jar.values()][0] ?? "",
    copy: () => visitor(sessions, jar),
    async visit(handler) {
      const serve = fetchSessions(sessions, async (request) =>
        Response.json((await handler(await sessions.get(request))) ?? null),
      );
      const response = await serve(new Request("https://app.example/", { headers: { Cookie: cookieHeader(jar) } }));
      for (const line of response.headers.getSetCookie()) keep(jar, line);
      const text = await response.text();
      return { status: response.status, body: response.ok ? JSON.parse(text) : text, headers: response.headers };
    },
  };
}

function cookieHeader(jar: Iterable<readonly [string, string]>): string {
  return [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
}

function keep(jar: Map<string, string>, line: string): void {
  const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
  if (/; Max-Age=0(;|$)/.test(line)) jar.delete(name!);
  else jar.set(name!, value!);
}
