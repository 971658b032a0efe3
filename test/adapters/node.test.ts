import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { suite, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { nodeSessions } from "../../src/adapters/node.ts";
import { SessionError } from "../../src/core/errors.ts";
import type { SessionLifecycle } from "../../src/core/response-headers.ts";
import { adapterSuite } from "../../src/testing/adapter-suite.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { sendAnswer, serveHttp, serveHttp2 } from "./servers.ts";

suite("node:http", () => {
  adapterSuite(test, (sessions, handlers) =>
    serveHttp(
      nodeSessions(sessions, async (request, response) =>
        sendAnswer(await handlers[request.url!]!(() => sessions.get(request)), response),
      ),
    ),
  );
});

suite("node:http2", () => {
  adapterSuite(test, (sessions, handlers) =>
    serveHttp2(
      nodeSessions(sessions, async (request, response) =>
        sendAnswer(await handlers[request.url]!(() => sessions.get(request)), response),
      ),
    ),
  );
});

suite("nodeSessions, when a handler throws", () => {
  const untouched: SessionLifecycle = {
    open: () => ({ commit: async () => ({ setCookie: [], varyByCookie: false }) }),
  };
  const closed = () => new SessionError("ERR_SESSION_CLOSED", "Too late.");

  async function handled(
    handler: (request: IncomingMessage, response: ServerResponse) => unknown,
    sessions: SessionLifecycle = untouched,
  ) {
    let outcome: unknown = "pending";
    const server = await serveHttp((request, response) =>
      nodeSessions(sessions, handler)(request, response).then(
        () => {
          outcome = "resolved";
        },
        (error) => {
          outcome = error;
          response.destroy();
        },
      ),
    );
    const reply = await exchangeRaw(server.url);
    await server.close();
    return { reply, outcome };
  }

  test("a session's error replaces what the handler has set", async (t) => {
    t.mock.method(console, "error", () => {});
    const { reply } = await handled((_request, response) => {
      response.statusMessage = "Own";
      response.setHeader("Content-Encoding", "gzip");
      response.setHeader("Content-Length", 1000);
      throw new SessionError("ERR_SESSION_UNAVAILABLE", "secret");
    });
    assert.equal(reply.statusLine, "HTTP/1.1 503 Service Unavailable");
    assert.deepEqual(
      reply.headers.map((line) => line.split(":")[0]),
      ["Cache-Control", "Connection", "Content-Length", "Content-Type", "Retry-After"],
    );
  });

  test("after the response began, the connection is closed, for the answer is not whole", async (t) => {
    const { mock } = t.mock.method(console, "error", () => {});
    const error = closed();
    const { reply, outcome } = await handled(async (_request, response) => {
      response.write("begun");
      await nextTurn();
      await nextTurn();
      throw error;
    });
    assert.equal(reply.body.toString().endsWith("0\r\n\r\n"), false);
    assert.equal(outcome, "resolved");
    assert.deepEqual(mock.calls[0]?.arguments, [error]);
    assert.equal(mock.callCount(), 1);
  });

  test("after the response ended, it is sent, and the error logged", async (t) => {
    const { mock } = t.mock.method(console, "error", () => {});
    const { reply, outcome } = await handled((_request, response) => {
      response.end("text");
      throw closed();
    });
    assert.equal(reply.body.toString(), "text");
    assert.equal(outcome, "resolved");
    assert.equal(mock.callCount(), 1);
  });

  test("what its pipeline was thrown because the save failed is not logged twice", async (t) => {
    const { mock } = t.mock.method(console, "error", () => {});
    const error = new SessionError("ERR_SESSION_UNAVAILABLE", "The session store failed.");
    const failing: SessionLifecycle = { open: () => ({ commit: () => Promise.reject(error) }) };
    const { reply, outcome } = await handled(
      (_request, response) => pipeline(Readable.from(["a", "b"]), response),
      failing,
    );
    assert.equal(reply.statusLine, "HTTP/1.1 503 Service Unavailable");
    assert.equal(outcome, "resolved");
    assert.deepEqual(
      mock.calls.map((call) => call.arguments),
      [[error]],
    );
  });

  test("an error that is not the session's is passed on", async () => {
    const error = new TypeError("of the handler");
    const { outcome } = await handled(() => {
      throw error;
    });
    assert.equal(outcome, error);
  });
});
