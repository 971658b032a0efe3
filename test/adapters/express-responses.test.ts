import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import compression from "compression";
import express, { type Express, type Request, type Response } from "express";
import express4 from "express4";
import { expressSessions } from "../../src/adapters/express.ts";
import { createSessions, type Sessions } from "../../src/core/sessions.ts";
import { failing, type ProbedEngine, probedEngine } from "../../src/testing/probed-engine.ts";
import { exchangeRaw, type RawReply } from "./raw-exchange.ts";
import { serveHttp } from "./servers.ts";

/* Express's own ways to answer: with a session that is being saved, they answer as they do without. */

type Answer = (request: Request, response: Response) => unknown;

const FILE = fileURLToPath(import.meta.url);
const BIG = "0123456789 abcdefghij\n".repeat(20_000);

const ANSWERS: Record<string, Answer> = {
  "res.send of text": (_request, response) => response.send("<p>text</p>"),
  "res.send of bytes": (_request, response) => response.send(Buffer.from([1, 2, 3])),
  "res.send of a big body": (_request, response) => response.type("text").send(BIG),
  "res.json": (_request, response) => response.status(201).json({ a: [1, 2, { b: null }] }),
  "res.redirect": (_request, response) => response.redirect("/elsewhere"),
  "res.sendStatus": (_request, response) => response.sendStatus(404),
  "res.sendFile": (_request, response) => response.sendFile(FILE),
  "res.sendFile that is missing": (_request, response) =>
    response.sendFile(`${FILE}.missing`, () => response.sendStatus(404)),
  "res.download": (_request, response) => response.download(FILE, "name.js"),
  "res.render": (_request, response) => response.render("page", { text: BIG }),
  "res.cookie": (_request, response) => response.cookie("a", "1").cookie("b", "2").send("cookies"),
  "res.format": (_request, response) =>
    response.format({ html: () => response.send("<p>"), json: () => response.json({}) }),
  "a pipe": (_request, response) => {
    response.type("text");
    return Readable.from(BIG.match(/.{1,100}/gs)!).pipe(response);
  },
  "writes and a flush": (_request, response) => {
    response.type("text/plain").write("first");
    (response as Response & { flush?: () => void }).flush?.();
    response.end("last".repeat(1000));
  },
  "an error": () => {
    throw Object.assign(new Error("refused"), { status: 403, expose: true });
  },
};

const REQUESTS: Record<string, { method?: string; headers?: string }> = {
  GET: {},
  HEAD: { method: "HEAD" },
  "a range": { headers: "Range: bytes=10-19\r\n" },
  gzip: { headers: "Accept-Encoding: gzip\r\n" },
  br: { headers: "Accept-Encoding: br\r\n" },
};

/** A template engine that answers later. */
class View {
  readonly path = "page";
  render(options: { text?: string }, done: (error: null, html: string) => void): void {
    setImmediate(done, null, `<p>${options.text}</p>`);
  }
}

type Layout = "alone" | "after compression" | "before compression";

async function serve(framework: typeof express, layout: Layout, answer: Answer, sessions?: Sessions<object>) {
  const app: Express = framework();
  app.set("env", "test");
  app.set("view", View);
  if (layout === "after compression") app.use(compression());
  if (sessions) app.use(expressSessions(sessions));
  if (layout === "before compression") app.use(compression());
  app.all("/", (request, response, next) => {
    const change = async () => sessions && (await sessions.get(request)).update({ changed: true } as never);
    change()
      .then(() => answer(request, response))
      .catch(next);
  });
  return serveHttp(app);
}

async function reply(server: Awaited<ReturnType<typeof serve>>, request: Parameters<typeof exchangeRaw>[1]) {
  try {
    return await exchangeRaw(server.url, request);
  } finally {
    await server.close();
  }
}

function engineAndSessions(): { engine: ProbedEngine; sessions: Sessions<object> } {
  const engine = probedEngine();
  // Later than this turn, as a real store.
  engine.before = () => new Promise((resolve) => setImmediate(resolve));
  return { engine, sessions: createSessions(engine) };
}

/** What a browser makes of it: dechunked and decompressed. */
function bodyOf({ headers, body }: RawReply): string {
  const has = (line: string) => headers.some((header) => header.toLowerCase() === line);
  let bytes = body;
  if (has("transfer-encoding: chunked")) {
    const chunks: Buffer[] = [];
    for (let size = -1; size !== 0; ) {
      const end = bytes.indexOf("\r\n");
      size = Number.parseInt(bytes.subarray(0, end).toString(), 16);
      chunks.push(bytes.subarray(end + 2, end + 2 + size));
      bytes = bytes.subarray(end + 4 + size);
    }
    bytes = Buffer.concat(chunks);
  }
  if (bytes.length > 0 && has("content-encoding: gzip")) bytes = gunzipSync(bytes);
  if (bytes.length > 0 && has("content-encoding: br")) bytes = brotliDecompressSync(bytes);
  return bytes.toString("latin1");
}

for (const [version, framework] of Object.entries({ "Express 4": express4, "Express 5": express })) {
  for (const layout of ["alone", "after compression", "before compression"] as const) {
    suite(`${version}, sessions ${layout}: as without a session`, () => {
      for (const [name, answer] of Object.entries(ANSWERS)) {
        test(name, async () => {
          for (const request of Object.values(REQUESTS)) {
            const { sessions } = engineAndSessions();
            const bare = await reply(await serve(framework, layout, answer), request);
            const gated = await reply(await serve(framework, layout, answer, sessions), request);
            assert.equal(gated.statusLine, bare.statusLine);
            assert.deepEqual(relevant(gated), relevant(bare));
            assert.equal(bodyOf(gated), bodyOf(bare));
            assert.equal(gated.headers.filter((line) => line.startsWith("Set-Cookie: sessionid=")).length, 1);
          }
        });
      }
    });

    suite(`${version}, sessions ${layout}: a save that fails is 503 and nothing else`, () => {
      for (const [name, answer] of Object.entries(ANSWERS)) {
        if (name === "an error") continue;
        test(name, async (t) => {
          t.mock.method(console, "error", () => {});
          for (const request of [REQUESTS.GET, REQUESTS.gzip]) {
            const { engine, sessions } = engineAndSessions();
            failing(engine, "create");
            const answered = await reply(await serve(framework, layout, answer, sessions), request);
            assert.equal(answered.statusLine, "HTTP/1.1 503 Service Unavailable");
            assert.equal(bodyOf(answered), "Sessions are not available at the moment. Please try again.\n");
            const names = answered.headers.map((line) => line.split(":")[0]!.toLowerCase());
            // compression says of every response that it would depend on Accept-Encoding.
            const own = layout === "after compression" ? names.filter((header) => header !== "vary") : names;
            assert.deepEqual(own, ["cache-control", "connection", "content-length", "content-type", "retry-after"]);
          }
        });
      }
    });
  }

  suite(`${version}: a handler that goes on after its answer`, () => {
    test("a second answer is refused while the session is saved, as it is afterwards", async () => {
      const codes: unknown[] = [];
      const attempt = (second: () => unknown) => {
        try {
          second();
        } catch (error) {
          codes.push((error as NodeJS.ErrnoException).code);
        }
      };
      const { sessions } = engineAndSessions();
      const server = await serve(
        framework,
        "alone",
        (_request, response) => {
          response.send("first");
          assert.equal(response.headersSent, true);
          attempt(() => response.send("second"));
          attempt(() => response.json({}));
          attempt(() => response.redirect("/"));
          attempt(() => response.setHeader("X-Late", "1"));
          attempt(() => response.append("X-Late", "1"));
          attempt(() => response.removeHeader("X-Powered-By"));
          attempt(() => response.writeHead(200));
        },
        sessions,
      );
      const { statusLine, body } = await reply(server, {});
      assert.equal(`${statusLine} ${body}`, "HTTP/1.1 200 OK first");
      assert.deepEqual(codes, Array(7).fill("ERR_HTTP_HEADERS_SENT"));
    });

    test("an error after the first write closes the connection, as without a session", async () => {
      const { sessions } = engineAndSessions();
      const server = await serve(
        framework,
        "alone",
        (_request, response) => {
          response.write("begun");
          throw new Error("of the handler");
        },
        sessions,
      );
      const { body } = await reply(server, {});
      assert.equal(body.toString().endsWith("0\r\n\r\n"), false);
    });
  });
}

/** Headers but those that sessions change, which the adapter suite tests. */
function relevant({ headers }: RawReply): string[] {
  return headers.filter((line) => !/^(set-cookie: sessionid|cache-control|vary)/i.test(line));
}
