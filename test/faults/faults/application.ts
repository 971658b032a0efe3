import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { nodeSessions } from "../../../src/adapters/node.ts";
import { createSessions } from "../../../src/index.ts";
import { serveHttp } from "../../adapters/servers.ts";
import type { Backend } from "../fault.ts";

export interface Application {
  readonly url: string;
  ask(path: string, cookie?: string): Promise<Answer>;
  close(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly setCookie: readonly string[];
  readonly retryAfter: string | null;
  readonly ms: number;
}

export const SECRET_KEY = "s3cret-of-the-matrix-0123456789-abcdefghijklmnopqrstuvwxyz";

/** The whole of it, in this process: adapter, sessions, the backend's store. */
export async function startApplication(backend: Pick<Backend, "open">): Promise<Application> {
  const store = await backend.open();
  const sessions = createSessions<{ text: string; ballast: string }>({ store, secretKey: SECRET_KEY });

  async function answer(request: IncomingMessage): Promise<{ status: number; body?: string }> {
    const { pathname, searchParams } = new URL(request.url!, "http://localhost");
    if (pathname === "/untouched") return { status: 200 };
    if (pathname === "/visit") {
      const session = await sessions.get(request, { onUnavailable: "anonymous" });
      return { status: 200, body: session.get("text", "") };
    }
    const session = await sessions.get(request);
    if (pathname === "/login") {
      session.set("text", searchParams.get("text") ?? "");
      await session.cycleKey();
      return { status: 200 };
    }
    if (!session.has("text")) return { status: 401 };
    if (pathname === "/write") {
      const ballast = randomBytes(Number(searchParams.get("ballast"))).toString("base64");
      session.update({ text: searchParams.get("text")!, ballast });
    }
    if (pathname === "/logout") await session.flush();
    return { status: 200, body: session.get("text", "") };
  }

  const { url, close } = await serveHttp(
    nodeSessions(sessions, async (request, response) => {
      const { status, body = "" } = await answer(request as IncomingMessage);
      response.statusCode = status;
      response.end(body);
    }),
  );
  return {
    ...visitor(url),
    async close() {
      await close();
      await store.close();
    },
  };
}

/** Asks an application of any process. */
export function visitor(url: string): Omit<Application, "close"> {
  return {
    url,
    async ask(path, cookie) {
      const begin = performance.now();
      const response = await fetch(`${url}${path}`, cookie === undefined ? {} : { headers: { cookie } });
      const body = await response.text();
      const { status, headers } = response;
      const ms = performance.now() - begin;
      return { status, body, setCookie: headers.getSetCookie(), retryAfter: headers.get("retry-after"), ms };
    },
  };
}
