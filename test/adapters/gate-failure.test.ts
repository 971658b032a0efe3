import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { suite, type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { gateResponse, type NodeResponse } from "../../src/adapters/node-response.ts";
import { SessionError } from "../../src/core/errors.ts";
import type { ResponseHeaders } from "../../src/core/response-headers.ts";
import { signal } from "../../src/testing/probed-engine.ts";
import { PROGRAMS, type Program } from "./handler-programs.ts";
import { exchangeHttp2 } from "./http2-exchange.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { serveHttp, serveHttp2 } from "./servers.ts";

const BODY = "Sessions are not available at the moment. Please try again.\n";
const HEADERS = [
  "Cache-Control: no-store",
  "Connection: close",
  `Content-Length: ${BODY.length}`,
  "Content-Type: text/plain; charset=utf-8",
  "Retry-After: 5",
];

const unavailable = () => new SessionError("ERR_SESSION_UNAVAILABLE", "The session store failed.");

async function failLater(): Promise<ResponseHeaders> {
  await nextTurn();
  await nextTurn();
  throw unavailable();
}

/** Runs `program` behind a gate whose commit fails; resolves when the handler is done too, however. */
async function failing(t: TestContext, program: Program, method = "GET", commit = failLater) {
  const logged = t.mock.method(console, "error", () => {}).mock;
  let handled: Promise<unknown> | undefined;
  const server = await serveHttp((_request, response) => {
    gateResponse(response as NodeResponse, commit);
    handled = (async () => program(response))().catch((error) => error);
  });
  try {
    const reply = await exchangeRaw(server.url, { method });
    return { reply, handled: await handled, logged: logged.calls.map(({ arguments: [error] }) => error) };
  } finally {
    await server.close();
  }
}

suite("a save that fails, over HTTP/1.1: 503, one line in the log, and no trace of the response that was", () => {
  for (const [name, program] of Object.entries(PROGRAMS)) {
    for (const method of ["GET", "HEAD"]) {
      test(`${name} (${method})`, async (t) => {
        const { reply, logged } = await failing(t, program, method);
        assert.equal(reply.statusLine, "HTTP/1.1 503 Service Unavailable");
        assert.deepEqual(reply.headers, HEADERS);
        assert.equal(reply.body.toString(), method === "HEAD" ? "" : BODY);
        assert.deepEqual(
          logged.map((error) => (error as SessionError).code),
          ["ERR_SESSION_UNAVAILABLE"],
        );
      });
    }
  }
});

suite("a save that fails, over HTTP/2", () => {
  for (const [name, program] of Object.entries(PROGRAMS)) {
    // HTTP/2 offers no way to take trailers back.
    if (name === "trailers") continue;
    for (const method of ["GET", "HEAD"]) {
      test(`${name} (${method})`, async (t) => {
        t.mock.method(console, "error", () => {});
        const server = await serveHttp2((_request, response) => {
          gateResponse(response as unknown as NodeResponse, failLater);
          (async () => program(response as unknown as ServerResponse))().catch(() => {});
        });
        try {
          const { date, ...reply } = await exchangeHttp2(server.url, method);
          assert.deepEqual(reply, {
            ":status": 503,
            "cache-control": "no-store",
            "content-length": String(BODY.length),
            "content-type": "text/plain; charset=utf-8",
            "retry-after": "5",
            body: method === "HEAD" ? "" : BODY,
          });
        } finally {
          await server.close();
        }
      });
    }
  }
});

suite("whoever feeds a response whose save has failed", () => {
  test("a pipeline is rejected with the failure, and its source destroyed", async (t) => {
    const source = Readable.from(endless());
    const { handled } = await failing(t, (response) => pipeline(source, response));
    assert.equal((handled as SessionError).code, "ERR_SESSION_UNAVAILABLE");
    assert.equal(source.destroyed, true);
  });

  test("a generator is returned", async (t) => {
    const returned = signal();
    const { handled } = await failing(t, (response) =>
      pipeline(async function* () {
        try {
          yield* endless();
        } finally {
          returned.give();
        }
      }, response),
    );
    assert.equal((handled as SessionError).code, "ERR_SESSION_UNAVAILABLE");
    await returned.given;
  });

  test('who waits for "drain" is thrown the failure', async (t) => {
    const { handled } = await failing(t, async (response) => {
      for await (const chunk of endless()) if (!response.write(chunk)) await once(response, "drain");
    });
    assert.equal((handled as SessionError).code, "ERR_SESSION_UNAVAILABLE");
  });

  test("a plain pipe ends quietly, also one that begins after the failure", async (t) => {
    await failing(t, (response) => {
      Readable.from(endless()).pipe(response);
    });
    await failing(t, async (response) => {
      response.flushHeaders();
      while (response.statusCode !== 503) await nextTurn();
      Readable.from(endless()).pipe(response);
    });
  });

  test("every callback is called with the failure, before and after it", async (t) => {
    const codes: unknown[] = [];
    const note = (error?: Error | null) => codes.push((error as SessionError | undefined)?.code);
    await failing(t, async (response) => {
      response.write("a", note);
      response.write("b", "utf8", note);
      while (response.statusCode !== 503) await nextTurn();
      assert.equal(response.write("c", note), false);
      response.end("d", note);
      response.end(note);
      await nextTurn();
    });
    assert.deepEqual(codes, Array(5).fill("ERR_SESSION_UNAVAILABLE"));
  });

  test("further headers are refused as after any response", async (t) => {
    const { handled } = await failing(t, async (response) => {
      response.write("a");
      while (response.statusCode !== 503) await nextTurn();
      assert.equal(response.headersSent, true);
      assert.equal(response.writableEnded, true);
      response.setHeader("X-Late", "1");
    });
    assert.equal((handled as NodeJS.ErrnoException).code, "ERR_HTTP_HEADERS_SENT");
  });
});

async function* endless(): AsyncGenerator<string> {
  for (;;) yield "secret ".repeat(500);
}

suite("the answer to a commit that fails", () => {
  const cases: [string, () => unknown, string, string | RegExp][] = [
    [
      "a session that is gone",
      () => new SessionError("ERR_SESSION_INTERRUPTED", "It was deleted."),
      "400 Bad Request",
      "It was deleted.\n",
    ],
    [
      "data that do not fit",
      () => new SessionError("ERR_SESSION_TOO_LARGE", "secret"),
      "500 Internal Server Error",
      /^The session could not be saved\.\n$/,
    ],
    [
      "a fault of ours",
      () => new TypeError("secret"),
      "500 Internal Server Error",
      /^The session could not be saved\.\n$/,
    ],
    [
      "something thrown that is no error",
      () => undefined,
      "500 Internal Server Error",
      /^The session could not be saved\.\n$/,
    ],
  ];
  for (const [name, error, status, body] of cases) {
    for (const [when, commit] of [
      ["later", () => nextTurn().then(() => Promise.reject(error()))],
      [
        "at once",
        () => {
          throw error();
        },
      ],
    ] as const) {
      test(`${name}, thrown ${when}: ${status}`, async (t) => {
        const program: Program = (response) => {
          response.statusMessage = "Secret";
          response.end("secret");
        };
        const { reply, logged } = await failing(t, program, "GET", commit as never);
        assert.equal(reply.statusLine, `HTTP/1.1 ${status}`);
        if (typeof body === "string") assert.equal(reply.body.toString(), body);
        else assert.match(reply.body.toString(), body);
        assert.equal(logged.length, status.startsWith("400") ? 0 : 1);
      });
    }
  }

  test("a head that Node refuses only when it is sent: 500, and the reason is logged", async (t) => {
    const { reply, logged } = await failing(
      t,
      (response) => {
        response.statusMessage = "not\nallowed";
        response.end("secret");
      },
      "GET",
      async () => ({ setCookie: [], varyByCookie: true }),
    );
    assert.equal(reply.statusLine, "HTTP/1.1 500 Internal Server Error");
    assert.deepEqual(
      logged.map((error) => (error as NodeJS.ErrnoException).code),
      ["ERR_INVALID_CHAR"],
    );
  });

  test("a body that Node refuses after the head was sent: the connection is closed, and the reason is logged", async (t) => {
    const { reply, logged } = await failing(
      t,
      (response) => {
        response.strictContentLength = true;
        response.writeHead(200, { "Content-Length": 10 });
        response.end("four");
      },
      "GET",
      async () => ({ setCookie: [], varyByCookie: true }),
    );
    assert.equal(reply.body.length < 10, true);
    assert.deepEqual(
      logged.map((error) => (error as NodeJS.ErrnoException).code),
      ["ERR_HTTP_CONTENT_LENGTH_MISMATCH"],
    );
  });

  test("other middleware that throws when the answer's head is sent: the connection is closed, and both are logged", async (t) => {
    const { mock } = t.mock.method(console, "error", () => {});
    const broken = new Error("of other middleware");
    const server = await serveHttp((_request, response) => {
      response.writeHead = () => {
        throw broken;
      };
      gateResponse(response as NodeResponse, failLater);
      response.end("secret");
    });
    assert.equal((await exchangeRaw(server.url)).statusLine, "");
    assert.equal((mock.calls[0]!.arguments[0] as SessionError).code, "ERR_SESSION_UNAVAILABLE");
    assert.equal(mock.calls[1]?.arguments[0], broken);
    await server.close();
  });
});
