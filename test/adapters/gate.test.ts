import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request, type ServerResponse } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { suite, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gateResponse, type NodeResponse } from "../../src/adapters/node-response.ts";
import { SessionError } from "../../src/core/errors.ts";
import type { ResponseHeaders } from "../../src/core/response-headers.ts";
import { signal } from "../../src/testing/probed-engine.ts";
import { PROGRAMS, type Program } from "./handler-programs.ts";
import { exchangeHttp2 } from "./http2-exchange.ts";
import { exchangeBytes, exchangeRaw } from "./raw-exchange.ts";
import { serveHttp, serveHttp2 } from "./servers.ts";

const READ: ResponseHeaders = { setCookie: [], varyByCookie: true };
const GET = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const LAST_GET = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/** A gated server for one handler, whose commit waits until `release` is called. */
async function waitingServer(program: Program) {
  const begun = signal();
  const released = signal();
  const statuses: number[] = [];
  const server = await serveHttp((incoming, response) => {
    if (incoming.url === "/ping") return response.end("pong");
    gateResponse(response as NodeResponse, async (status) => {
      statuses.push(status);
      begun.give();
      await released.given;
      return READ;
    });
    return program(response);
  });
  /** What was sent before has arrived when this has. */
  const ping = () => exchangeBytes(server.url, LAST_GET.replace("/", "/ping"));
  return { ...server, begun: begun.given, release: released.give, statuses, ping };
}

suite("while the commit runs", () => {
  for (const [name, program] of Object.entries(PROGRAMS)) {
    test(`not a byte is sent: ${name}`, async () => {
      const { url, begun, release, statuses, ping, close } = await waitingServer(program);
      const socket = connect(Number(new URL(url).port), "localhost");
      socket.write(LAST_GET);
      await begun;
      for (let n = 0; n < 3; n++) await ping();
      assert.equal(socket.bytesRead, 0);
      release();
      socket.resume();
      await once(socket, "close");
      assert.ok(socket.bytesRead > 0);
      assert.equal(statuses.length, 1);
      await close();
    });
  }

  test("a pipeline is paused as it would be by a slow client", async () => {
    const total = 5_000_000;
    let read = 0;
    const source = new Readable({
      read(size) {
        read += size;
        this.push(read <= total ? Buffer.alloc(size, ".") : null);
      },
    });
    const { url, begun, release, ping, close } = await waitingServer((response) => pipeline(source, response));
    const reply = exchangeRaw(url);
    await begun;
    await ping();
    const before = read;
    for (let n = 0; n < 3; n++) await ping();
    assert.equal(read, before);
    assert.ok(read <= 4 * source.readableHighWaterMark, `${read} bytes were read`);
    release();
    await reply;
    assert.ok(read > total);
    await close();
  });

  test("properties that other middleware has replaced are its own again afterwards", async () => {
    const replaced: string[] = [];
    const server = await serveHttp(async (_request, response) => {
      const setHeader = response.setHeader.bind(response);
      response.setHeader = (name, value) => {
        replaced.push(name);
        return setHeader(name, value);
      };
      const own = response.setHeader;
      const names = Object.getOwnPropertyNames(response);
      gateResponse(response as NodeResponse, async () => READ);
      response.flushHeaders();
      assert.throws(() => setHeader("X-A", "1"), { code: "ERR_HTTP_HEADERS_SENT" });
      await nextTurn();
      assert.equal(response.setHeader, own);
      const added = Object.getOwnPropertyNames(response).filter((name) => !names.includes(name));
      const expected = ["end", "flushHeaders", "statusCode", "statusMessage", "writableEnded", "write", "writeHead"];
      assert.deepEqual(added.sort(), expected);
      response.end();
    });
    const reply = await exchangeRaw(server.url);
    assert.equal(reply.statusLine, "HTTP/1.1 200 OK");
    assert.deepEqual(replaced, ["Vary"]);
    await server.close();
  });

  for (const protocol of ["HTTP/1.1", "HTTP/2"]) {
    test(`a response of ${protocol} looks begun, and ended once it is, to whoever asks`, async () => {
      const failures: unknown[] = [];
      const done = signal();
      const check = (response: ServerResponse) => {
        gateResponse(response as unknown as NodeResponse, async () => READ);
        response.setHeader("X-A", "0");
        const looks = () => [response.headersSent, !!(response as unknown as { _header: unknown })._header];
        assert.deepEqual(looks(), [false, false]);
        response.write("begun");
        assert.deepEqual([...looks(), response.writableEnded], [true, true, false]);
        const refused = { code: "ERR_HTTP_HEADERS_SENT" };
        assert.throws(() => response.setHeader("X-A", "1"), refused);
        assert.throws(() => response.appendHeader("X-A", "1"), refused);
        assert.throws(() => response.removeHeader("X-A"), refused);
        assert.throws(() => response.writeHead(200), refused);
        response.end();
        assert.equal(response.writableEnded, true);
      };
      const listener = (_request: unknown, response: unknown) => {
        try {
          check(response as ServerResponse);
        } catch (error) {
          failures.push(error);
        }
        done.give();
      };
      const server = protocol === "HTTP/2" ? await serveHttp2(listener) : await serveHttp(listener);
      const reply = protocol === "HTTP/2" ? exchangeHttp2(server.url, "GET") : exchangeRaw(server.url);
      await done.given;
      assert.deepEqual(failures, []);
      await reply;
      await server.close();
    });
  }

  test("what was held is not kept longer than the response needs it", async () => {
    setFlagsFromString("--expose-gc");
    const collectGarbage: () => void = runInNewContext("gc");
    const goOn = signal();
    let chunk: WeakRef<Buffer>;
    const server = await serveHttp(async (_request, response) => {
      gateResponse(response as NodeResponse, async () => READ);
      chunk = new WeakRef(Buffer.alloc(100_000, "."));
      response.write(chunk.deref());
      await goOn.given;
      response.end();
    });
    const [incoming] = await once(request(server.url, { agent: false }).end(), "response");
    await once(incoming, "data");
    for (let n = 0; n < 100 && chunk!.deref(); n++) {
      await nextTurn();
      collectGarbage();
    }
    assert.equal(chunk!.deref(), undefined);
    goOn.give();
    await incoming.resume().toArray();
    await server.close();
  });

  test("early hints and 100 Continue are sent at once, for they are no response", async () => {
    const { url, begun, release, close } = await waitingServer((response) => {
      response.writeEarlyHints({ link: "</style.css>; rel=preload; as=style" });
      response.end("late");
    });
    const socket = connect(Number(new URL(url).port), "localhost");
    socket.write(
      "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n",
    );
    await begun;
    let received = "";
    const informational =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\n\r\n";
    socket.setEncoding("latin1");
    const all = signal();
    socket.on("data", (text) => {
      received += text;
      if (received.length >= informational.length) all.give();
    });
    await all.given;
    assert.equal(received, informational);
    socket.write("body");
    release();
    await once(socket, "close");
    assert.match(received.slice(informational.length), /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nlate$/s);
    await close();
  });
});

suite("the commit", () => {
  const statuses: [string, number, Program][] = [
    ["of writeHead", 201, (response) => response.writeHead(201).end()],
    [
      "that was set",
      404,
      (response) => {
        response.statusCode = 404;
        response.end();
      },
    ],
    [
      "that was set when the response began",
      200,
      (response) => {
        response.write("");
        response.statusCode = 500;
        response.end();
      },
    ],
    ["by default", 200, (response) => response.end()],
  ];
  for (const [name, status, program] of statuses) {
    test(`is given the status that is sent: ${name}`, async () => {
      const server = await waitingServer(program);
      server.release();
      assert.match((await exchangeRaw(server.url)).statusLine, new RegExp(` ${status} `));
      assert.deepEqual(server.statuses, [status]);
      await server.close();
    });
  }

  test("is not run by calls that Node refuses, so that the handler can answer otherwise", async () => {
    const server = await waitingServer((response) => {
      assert.throws(() => response.writeHead(99), { code: "ERR_HTTP_INVALID_STATUS_CODE" });
      assert.throws(() => response.writeHead(200, { "X-A": "bad\nvalue" }), { code: "ERR_INVALID_CHAR" });
      assert.throws(() => response.write(5 as never), { code: "ERR_INVALID_ARG_TYPE" });
      assert.throws(() => response.end({} as never), { code: "ERR_INVALID_ARG_TYPE" });
      assert.equal(response.headersSent, false);
      response.writeHead(422).end("sorry");
    });
    server.release();
    assert.equal((await exchangeRaw(server.url)).statusLine, "HTTP/1.1 422 Unprocessable Entity");
    assert.deepEqual(server.statuses, [422]);
    await server.close();
  });

  test("that answers at once holds nothing back", async () => {
    const server = await serveHttp((_request, response) => {
      gateResponse(response as NodeResponse, () => READ);
      response.write("now");
      assert.equal((response as unknown as { _header: string })._header.includes("Vary: Cookie"), true);
      assert.equal(response.writableEnded, false);
      response.end();
    });
    assert.equal((await exchangeRaw(server.url)).statusLine, "HTTP/1.1 200 OK");
    await server.close();
  });

  test("of several names in a list for writeHead, all are sent beside the session's", async () => {
    const server = await serveHttp((_request, response) => {
      gateResponse(response as NodeResponse, async () => ({ setCookie: ["sessionid=k"], varyByCookie: true }));
      response.setHeader("Set-Cookie", "a=0");
      response.writeHead(200, ["Set-Cookie", "a=1", "set-cookie", "b=2", "Vary", "Origin", "vary", "Accept"]).end();
    });
    const { headers } = await exchangeRaw(server.url);
    assert.deepEqual(
      headers.filter((line) => /^(set-cookie|vary)/i.test(line)),
      ["Set-Cookie: a=1", "Set-Cookie: b=2", "Set-Cookie: sessionid=k", "Vary: Origin, Accept, Cookie"],
    );
    await server.close();
  });
});

suite("a connection with several requests", () => {
  test("pipelined requests are answered in order, whatever order the store answers in", async (t) => {
    t.mock.method(console, "error", () => {});
    const count = 8;
    const waiting: (() => void)[] = [];
    const server = await serveHttp((incoming, response) => {
      const n = Number(incoming.url!.slice(1));
      gateResponse(response as NodeResponse, async () => {
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
          // The last first.
          if (waiting.length === count) for (const release of waiting.reverse()) setImmediate(release);
        });
        if (n === 3) throw new SessionError("ERR_SESSION_UNAVAILABLE", "The session store failed.");
        return READ;
      });
      response.write(`${n}:`);
      response.end(String(n).repeat(20_000));
    });
    const requests = Array.from({ length: count }, (_, n) => (n < count - 1 ? GET : LAST_GET).replace("/", `/${n}`));
    const received = (await exchangeBytes(server.url, requests.join(""))).toString("latin1");
    const replies = received.split(/(?=HTTP\/1\.1 )/);
    assert.equal(replies.length, count);
    for (const [n, reply] of replies.entries()) {
      if (n === 3) assert.match(reply, /^HTTP\/1\.1 503 .*\r\n\r\nSessions are not available.*\n$/s);
      else assert.ok(reply.endsWith(`\r\n\r\n2\r\n${n}:\r\n4e20\r\n${String(n).repeat(20_000)}\r\n0\r\n\r\n`));
    }
    await server.close();
  });

  test("keep-alive requests leave no listeners behind, whether the save succeeds or fails", async (t) => {
    t.mock.method(console, "error", () => {});
    const counts: number[] = [];
    let served = 0;
    const listeners = ({ socket }: ServerResponse) =>
      socket!.eventNames().reduce((sum, name) => sum + socket!.listenerCount(name), 0);
    const server = await serveHttp((_request, response) => {
      counts.push(listeners(response));
      const fails = served++ % 2 === 1;
      gateResponse(response as NodeResponse, async () => {
        await nextTurn();
        if (fails) throw new SessionError("ERR_SESSION_UNAVAILABLE", "The session store failed.");
        return READ;
      });
      pipeline(Readable.from(["a", "b".repeat(100_000), "c"]), response).catch(() => {});
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const sockets = new Set<Socket>();
    for (let n = 0; n < 20; n++) {
      const outgoing = request(server.url, { agent }).end();
      const [incoming] = await once(outgoing, "response");
      assert.equal(incoming.statusCode, n % 2 === 0 ? 200 : 503);
      sockets.add(incoming.socket);
      await incoming.resume().toArray();
    }
    assert.equal(sockets.size, 1);
    assert.deepEqual(new Set(counts.slice(2)).size, 1, `${counts}`);
    agent.destroy();
    await server.close();
  });
});

suite("a client that goes away", () => {
  const ways: [string, (response: ServerResponse) => unknown][] = [
    ["end", (response) => response.end("text", () => {})],
    ["pipeline", (response) => pipeline(Readable.from(["a", "b"]), response).catch(() => {})],
    ["pipe", (response) => Readable.from(["a", "b"]).pipe(response)],
  ];
  for (const [name, send] of ways) {
    for (const outcome of ["saved", "failed"] as const) {
      const commitTo = (log: string[], waitFor?: Promise<unknown>) => async (): Promise<ResponseHeaders> => {
        await waitFor;
        await nextTurn();
        log.push(outcome);
        if (outcome === "failed") throw new SessionError("ERR_SESSION_UNAVAILABLE", "The session store failed.");
        return READ;
      };

      test(`before the handler answers: the session is ${outcome} all the same (${name})`, async (t) => {
        t.mock.method(console, "error", () => {});
        const log: string[] = [];
        const arrived = signal();
        const done = signal();
        const server = await serveHttp(async (_request, response) => {
          gateResponse(response as NodeResponse, commitTo(log));
          arrived.give();
          await once(response, "close");
          send(response);
          while (log.length === 0) await nextTurn();
          await nextTurn();
          done.give();
        });
        const socket = connect(Number(new URL(server.url).port), "localhost");
        socket.write(GET);
        await arrived.given;
        socket.destroy();
        await done.given;
        assert.deepEqual(log, [outcome]);
        await server.close();
      });

      test(`while the session is ${outcome}: nothing is thrown (${name})`, async (t) => {
        t.mock.method(console, "error", () => {});
        const log: string[] = [];
        const begun = signal();
        const done = signal();
        const server = await serveHttp(async (_request, response) => {
          const closed = once(response, "close");
          gateResponse(response as NodeResponse, commitTo(log, closed));
          send(response);
          while (!response.headersSent) await nextTurn();
          begun.give();
          while (log.length === 0) await nextTurn();
          await nextTurn();
          done.give();
        });
        const socket = connect(Number(new URL(server.url).port), "localhost");
        socket.write(GET);
        await begun.given;
        socket.destroy();
        await done.given;
        assert.deepEqual(log, [outcome]);
        await server.close();
      });

      test(`over HTTP/2, while the session is ${outcome}: nothing is thrown (${name})`, async (t) => {
        t.mock.method(console, "error", () => {});
        const log: string[] = [];
        const begun = signal();
        const done = signal();
        const server = await serveHttp2((_request, response) => {
          const closed = once(response, "close");
          gateResponse(response as unknown as NodeResponse, commitTo(log, closed));
          send(response as unknown as ServerResponse);
          const watch = async () => {
            while (!response.headersSent) await nextTurn();
            begun.give();
            while (log.length === 0) await nextTurn();
            await nextTurn();
            done.give();
          };
          watch().catch(assert.fail);
        });
        const client = connectHttp2(server.url);
        client.request({ ":path": "/" }).on("error", () => {});
        await begun.given;
        client.destroy();
        await done.given;
        assert.deepEqual(log, [outcome]);
        await server.close();
      });
    }
  }

  test("in the middle of the body: the pipeline is rejected, as without a session", async () => {
    const ended = signal();
    let code: unknown;
    const server = await serveHttp(async (_request, response) => {
      gateResponse(response as NodeResponse, async () => READ);
      const endless = async function* () {
        for (;;) yield "text ".repeat(5000);
      };
      await pipeline(endless, response).catch((error) => {
        code = error.code;
      });
      ended.give();
    });
    const socket = connect(Number(new URL(server.url).port), "localhost");
    socket.write(GET);
    await once(socket, "data");
    socket.destroy();
    await ended.given;
    assert.match(String(code), /ERR_STREAM_PREMATURE_CLOSE|ECONNRESET|EPIPE/);
    await server.close();
  });
});

test("server-sent events arrive one by one", async () => {
  const events = [signal(), signal(), signal()];
  const server = await serveHttp(async (_request, response) => {
    gateResponse(response as NodeResponse, async () => READ);
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    for (const [n, event] of events.entries()) {
      response.write(`data: ${n}\n\n`);
      await event.given;
    }
    response.end();
  });
  const [incoming] = await once(request(server.url, { agent: false }).end(), "response");
  incoming.setEncoding("utf8");
  for (const [n, event] of events.entries()) {
    const [text] = await once(incoming, "data");
    assert.equal(text, `data: ${n}\n\n`);
    event.give();
  }
  await once(incoming, "end");
  await server.close();
});

test("two gates on one response both commit before it is sent", async () => {
  const order: string[] = [];
  for (const fails of [false, true]) {
    const server = await serveHttp((_request, response) => {
      for (const name of ["inner", "outer"]) {
        gateResponse(response as NodeResponse, async () => {
          await nextTurn();
          order.push(name);
          if (fails && name === "outer") throw new SessionError("ERR_SESSION_INTERRUPTED", "Gone.");
          return { setCookie: [`${name}=1`], varyByCookie: true };
        });
      }
      response.end("text");
    });
    const reply = await exchangeRaw(server.url);
    assert.equal(reply.statusLine, fails ? "HTTP/1.1 400 Bad Request" : "HTTP/1.1 200 OK");
    assert.equal(reply.body.toString(), fails ? "Gone.\n" : "text");
    const cookies = reply.headers.filter((line) => line.startsWith("Set-Cookie"));
    assert.deepEqual(cookies, fails ? ["Set-Cookie: inner=1"] : ["Set-Cookie: inner=1", "Set-Cookie: outer=1"]);
    await server.close();
  }
  assert.deepEqual(order, ["outer", "inner", "outer", "inner"]);
});
