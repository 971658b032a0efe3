import { readdirSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { nodeSessions } from "../../src/adapters/node.ts";
import { fingerprint, newSessionKey } from "../../src/core/key.ts";
import type { Session } from "../../src/core/session.ts";
import { createSessions } from "../../src/index.ts";
import type { StoreAddress } from "./fault.ts";
import { openStore } from "./open-store.ts";

/*
 * The system under test: an application with a process of its own. Told where its sessions are by its parent, not on
 * its command line, which everyone can read.
 */

/** What the parent says. */
export interface Assignment {
  readonly address: StoreAddress;
  readonly secretKey: string;
}

/** What it says, at first and then again and again. */
export interface Condition {
  readonly port: number;
  /** Without those of clients. */
  readonly descriptors: number;
  readonly memory: number;
  readonly unhandled: number;
}

interface Data {
  user: number;
  nonce: number;
  life: number;
  increments: number[];
  [write: `write ${number}`]: true;
}

const CONDITION_EVERY_MS = 250;

/** As many as a pool of ours opens at most, and more. */
const CONNECTIONS = 20;

let unhandled = 0;
process.on("unhandledRejection", (error) => {
  unhandled++;
  console.error("unhandled:", error);
});
process.once("message", (assignment: Assignment) => void serve(assignment));
process.once("disconnect", () => process.exit());

async function serve({ address, secretKey }: Assignment): Promise<void> {
  const sessions = createSessions<Data>({ store: await openStore(address), secretKey });
  // The pools of connections are as large as they will be before their descriptors are counted.
  await Promise.allSettled(Array.from({ length: CONNECTIONS }, () => sessions.exists(newSessionKey())));

  /** What each page does; `null` for somebody who is not logged in. */
  const pages: Record<string, (request: IncomingMessage, mark: number, query: URLSearchParams) => Promise<unknown>> = {
    async login(request, nonce, query) {
      const session = await sessions.get(request);
      session.update({ user: Number(query.get("user")), nonce });
      if (!session.has("life")) session.update({ life: nonce, increments: [] });
      await session.cycleKey();
      return told(session);
    },
    read: async (request) => told(await sessions.get(request)),
    async visit(request) {
      const session = await sessions.get(request, { onUnavailable: "anonymous" });
      return session.unavailable ? {} : told(session);
    },
    async write(request, mark) {
      const session = await sessions.get(request);
      return told(session) && told(session.set(`write ${mark}`, true));
    },
    async increment(request, mark) {
      if (told(await sessions.get(request)) === null) return null;
      return sessions.transact(request, (session) => {
        session.set("increments", [...session.get("increments", []), mark]);
        return told(session);
      });
    },
    async logout(request) {
      const session = await sessions.get(request);
      const before = told(session);
      await session.flush();
      return before;
    },
    untouched: async () => ({}),
  };

  const server = createServer(
    nodeSessions(sessions, async (request: IncomingMessage, response: ServerResponse) => {
      const url = new URL(request.url!, "http://localhost");
      const answer = await pages[url.pathname.slice(1)]!(
        request,
        Number(url.searchParams.get("mark")),
        url.searchParams,
      );
      response.statusCode = answer === null ? 401 : 200;
      response.end(JSON.stringify(answer));
    }),
  );
  // Else it closes connections at the moment at which a client uses them again.
  server.keepAliveTimeout = 0;
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo;
    const tell = () => server.getConnections((_, clients) => process.send!(condition(port, clients)));
    tell();
    setInterval(tell, CONDITION_EVERY_MS);
  });
}

function told(session: Session<Data>) {
  if (!session.has("user")) return null;
  const writes = [...session.keys()].flatMap((key) => (key.startsWith("write ") ? [Number(key.slice(6))] : []));
  const { user, nonce, life, increments } = session.toJSON();
  return { user, nonce, life, increments, writes, key: fingerprint(session.key!) };
}

function condition(port: number, clients: number): Condition {
  return {
    port,
    descriptors: readdirSync("/proc/self/fd").length - clients,
    memory: process.memoryUsage.rss(),
    unhandled,
  };
}
