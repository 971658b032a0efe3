import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { nodeSessions } from "../../../src/adapters/node.ts";
import { connect } from "../../../src/connect.ts";
import { createSessions } from "../../../src/index.ts";

/*
 * An application that is started with the URL of its store. Says its port; `/` has nothing to do with sessions,
 * everything else counts in one.
 */

const store = await connect(process.argv[2]!);
const sessions = createSessions<{ n: number }>({ secretKey: "a secret key for tests, 32 characters at least", store });
const server = createServer(
  nodeSessions(sessions, async (request, response) => {
    if (request.url === "/") return void response.end("no session");
    const session = await sessions.get(request);
    session.set("n", session.get("n", 0) + 1);
    response.end(String(session.get("n")));
  }),
);
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
