import { createSessions, type Sessions } from "../core/sessions.ts";
import { type AdapterHandlers, cookieOf, HANDLERS, type ProbedServer } from "./adapter-case.ts";
import { adapterCases } from "./adapter-cases.ts";
import { adapterFailureCases } from "./adapter-failure-cases.ts";
import { type ExchangeOptions, exchange } from "./http-exchange.ts";
import { probedEngine } from "./probed-engine.ts";
import type { TestFunction } from "./store-suite.ts";

export type { AdapterAnswer, AdapterHandler, AdapterHandlers } from "./adapter-case.ts";

/** Starts a server that has the adapter installed and serves these handlers, each at its path and for every method. */
export type ServeAdapter = (
  sessions: Sessions<Record<string, unknown>>,
  handlers: AdapterHandlers,
) => Promise<AdapterServer>;

export interface AdapterServer {
  /** `http://localhost:8000` */
  readonly url: string;
  /** Whether it speaks HTTP/2, without TLS. Default `false`: HTTP/1.1. */
  readonly http2?: boolean;
  close(): unknown;
}

/**
 * Tests an adapter for what all adapters promise, whatever their framework. `SessionError`s that a handler lets through
 * must be answered with their `status` and `headers`, by the adapter or by the framework.
 *
 * @example
 * import { test } from "node:test";
 * import { adapterSuite } from "sojourn/testing";
 *
 * adapterSuite(test, async (sessions, handlers) => {
 *   const app = express().use(expressSessions(sessions));
 *   for (const [path, handler] of Object.entries(handlers)) {
 *     app.all(path, async (req, res) => send(await handler(() => sessions.get(req)), res));
 *   }
 *   return listen(app);
 * });
 */
export function adapterSuite(test: TestFunction, serve: ServeAdapter): void {
  for (const [name, body] of Object.entries({ ...adapterCases, ...adapterFailureCases })) {
    test(name, async () => {
      const servers: AdapterServer[] = [];
      try {
        await body(async (handlers) => {
          const engine = probedEngine();
          const sessions = createSessions(engine);
          const server = await serve(sessions, { ...HANDLERS, ...handlers });
          servers.push(server);
          return probedServer(server, { engine, sessions });
        });
      } finally {
        for (const server of servers) await server.close();
      }
    });
  }
}

function probedServer({ url, http2 }: AdapterServer, parts: Pick<ProbedServer, "engine" | "sessions">): ProbedServer {
  const send = (path: string, options?: ExchangeOptions) => exchange(url + path, options, http2);
  const get = (path: string, cookie?: string) => send(path, { cookie }).reply;
  return { ...parts, send, get, login: async () => cookieOf(await get("/login")) };
}
