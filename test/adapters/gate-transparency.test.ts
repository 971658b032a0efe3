import assert from "node:assert/strict";
import { once } from "node:events";
import type { RequestListener, ServerResponse } from "node:http";
import { suite, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { gateResponse, type NodeResponse } from "../../src/adapters/node-response.ts";
import type { ResponseHeaders } from "../../src/core/response-headers.ts";
import { PROGRAMS, type Program } from "./handler-programs.ts";
import { exchangeHttp2 } from "./http2-exchange.ts";
import { exchangeRaw, type RawReply } from "./raw-exchange.ts";
import { serveHttp, serveHttp2 } from "./servers.ts";

/* Every program runs on a bare server and on one whose session is being saved. The client must see no difference. */

const SAVED: ResponseHeaders = { setCookie: ["sessionid=k; Path=/"], varyByCookie: true };
const ADDED = ["Cache-Control: no-store", "Set-Cookie: sessionid=k; Path=/", "Vary: Cookie"];

async function save(): Promise<ResponseHeaders> {
  await nextTurn();
  await nextTurn();
  return SAVED;
}

const withGate =
  (program: Program, commit = save): RequestListener =>
  (_request, response) => {
    gateResponse(response as NodeResponse, commit);
    return program(response);
  };

async function raw(listener: RequestListener, options?: Parameters<typeof exchangeRaw>[1]): Promise<RawReply> {
  const server = await serveHttp(listener);
  try {
    return await exchangeRaw(server.url, options);
  } finally {
    await server.close();
  }
}

function withoutAdded(reply: RawReply): RawReply {
  const headers = [...reply.headers];
  for (const line of ADDED) {
    const index = headers.indexOf(line);
    assert.notEqual(index, -1, `${line} is missing in ${headers}`);
    headers.splice(index, 1);
  }
  return { ...reply, headers };
}

suite("while a session is saved, a response of HTTP/1.1 is the same, byte for byte", () => {
  for (const [name, program] of Object.entries(PROGRAMS)) {
    for (const method of ["GET", "HEAD"]) {
      // Node refuses trailers where there is no body.
      if (name === "trailers" && method === "HEAD") continue;
      test(`${name} (${method})`, async () => {
        const bare = await raw((_request, response) => program(response), { method });
        assert.notEqual(bare.statusLine, "");
        assert.deepEqual(withoutAdded(await raw(withGate(program), { method })), bare);
      });
    }
  }

  test("programs of random calls (500)", async () => {
    let current: { steps: Step[]; log: string[] } = { steps: [], log: [] };
    const run: Program = (response) => perform(response, current.steps, current.log);
    const bareServer = await serveHttp((_request, response) => run(response));
    const gatedServer = await serveHttp(withGate(run));
    const replyOf = async (url: string, steps: Step[]) => {
      current = { steps, log: [] };
      const reply = await exchangeRaw(url);
      return { reply, log: current.log };
    };
    try {
      const property = fc.asyncProperty(fc.array(STEP, { maxLength: 12 }), async (steps) => {
        const bare = await replyOf(bareServer.url, steps);
        const gated = await replyOf(gatedServer.url, steps);
        assert.deepEqual(gated.log, bare.log);
        assert.deepEqual(withoutAdded(gated.reply), bare.reply);
      });
      await fc.assert(property, { numRuns: 500, seed: 20_261_120 });
    } finally {
      await bareServer.close();
      await gatedServer.close();
    }
  });
});

type Step =
  | { call: "setHeader" | "appendHeader"; name: string; value: string }
  | { call: "removeHeader"; name: string }
  | { call: "status"; status: number }
  | { call: "writeHead"; args: unknown[] }
  | { call: "write" | "end"; chunk: keyof typeof CHUNKS }
  | { call: "flushHeaders" | "wait" | "cork" | "uncork" };

const name = fc.constantFrom("X-A", "x-a", "X-B", "Content-Type", "Content-Length", "Date");
const value = fc.constantFrom("1", "22", "text/plain");
const status = fc.constantFrom(200, 201, 204, 304, 404, 500, 99, 1000);
/** By name, so that a counterexample can be read. */
const CHUNKS = {
  none: undefined,
  empty: "",
  text: "text ".repeat(20),
  bytes: Buffer.from([1, 2, 3]),
  large: Buffer.alloc(40_000, "."),
  number: 5,
  object: {},
};
const chunk = fc.constantFrom(...(Object.keys(CHUNKS) as (keyof typeof CHUNKS)[]));

const STEP: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ call: fc.constantFrom("setHeader", "appendHeader"), name, value }),
  fc.record({ call: fc.constant("removeHeader"), name }),
  fc.record({ call: fc.constant("status"), status }),
  fc.record({
    call: fc.constant("writeHead"),
    args: fc.oneof(
      fc.tuple(status),
      fc.tuple(status, fc.constantFrom("Fine", "Sure")),
      fc.tuple(status, fc.record({ "X-A": value, "x-c": value })),
      fc.tuple(status, fc.constant("Fine"), fc.record({ "Content-Type": value })),
      fc.tuple(
        fc.constantFrom(200, 404),
        fc.constantFrom({ "X-A": "bad\nvalue" }, { "bad name": "1" }, { "X-A": undefined }),
      ),
    ),
  }),
  fc.record({ call: fc.constant("write"), chunk }),
  fc.record({ call: fc.constant("write"), chunk }),
  fc.record({ call: fc.constant("end"), chunk }),
  fc.record({ call: fc.constantFrom("flushHeaders", "wait", "wait", "cork", "uncork") }),
) as fc.Arbitrary<Step>;

/** Notes after each step what a handler can see: whether it was refused, and whether the response has begun or ended. */
async function perform(response: ServerResponse, steps: Step[], log: string[]): Promise<void> {
  const late: string[] = [];
  const closed = once(response, "close").catch(() => {});
  response.on("error", (error: NodeJS.ErrnoException) => late.push(`error event ${error.code}`));
  for (const [index, step] of steps.entries()) {
    const done = (error?: NodeJS.ErrnoException | null) => late.push(`callback ${index} ${error?.code ?? "ok"}`);
    let outcome = "ok";
    try {
      if (step.call === "setHeader" || step.call === "appendHeader") response[step.call](step.name, step.value);
      else if (step.call === "removeHeader") response.removeHeader(step.name);
      else if (step.call === "status") response.statusCode = step.status;
      else if (step.call === "writeHead") response.writeHead(...(step.args as [number]));
      else if (step.call === "write" || step.call === "end") response[step.call](CHUNKS[step.chunk] as string, done);
      // After the end, time only tells whether the connection was closed.
      else if (step.call === "wait") {
        if (!response.writableEnded) await nextTurn();
      } else response[step.call]();
    } catch (error) {
      outcome = (error as NodeJS.ErrnoException).code ?? String(error);
      // Of a head that it refused, Node keeps the status message.
      if (step.call === "writeHead" && !response.headersSent) {
        response.statusCode = 200;
        response.statusMessage = "";
      }
    }
    log.push(`${step.call}: ${outcome}, sent ${response.headersSent}, ended ${response.writableEnded}`);
  }
  if (!response.writableEnded) {
    if (!response.headersSent) response.statusCode = 200;
    response.end();
  }
  await closed;
  log.push(...late.sort());
}

suite("while a session is saved, a response of HTTP/2 is the same", () => {
  for (const [name, program] of Object.entries(PROGRAMS)) {
    for (const method of ["GET", "HEAD"]) {
      test(`${name} (${method})`, async () => {
        const bare = await overHttp2((response) => program(response), method);
        const {
          "set-cookie": setCookie,
          vary,
          "cache-control": cacheControl,
          ...gated
        } = await overHttp2((response) => {
          gateResponse(response as unknown as NodeResponse, save);
          return program(response);
        }, method);
        const { "set-cookie": own = [], ...others } = bare;
        assert.deepEqual(gated, others);
        assert.deepEqual(
          [setCookie, vary, cacheControl],
          [[...(own as string[]), "sessionid=k; Path=/"], "Cookie", "no-store"],
        );
      });
    }
  }
});

async function overHttp2(program: Program, method: string): Promise<Record<string, unknown>> {
  const server = await serveHttp2((_request, response) => program(response as unknown as ServerResponse));
  try {
    const { date, ...reply } = await exchangeHttp2(server.url, method);
    return reply;
  } finally {
    await server.close();
  }
}
