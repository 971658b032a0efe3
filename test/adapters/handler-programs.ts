import { createReadStream } from "node:fs";
import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setImmediate as nextTurn } from "node:timers/promises";

/** Ways to send a response, for any server: what a program does must look the same with and without the gate. */
export type Program = (response: ServerResponse) => unknown;

export const LARGE = Buffer.alloc(5_000_000, "0123456789abcdef\n");

const THIS_FILE = new URL(import.meta.url);

export const PROGRAMS: Readonly<Record<string, Program>> = {
  "end alone": (response) => response.end(),
  "end with text": (response) => response.end("text"),
  "end with bytes": (response) => response.end(Buffer.from([0, 255, 1])),
  "end with a typed array": (response) => response.end(new Uint8Array([0, 255, 1])),
  "end with an encoding": (response) => response.end("74657874", "hex"),
  "end with a large body": (response) => response.end(LARGE),
  "end twice": (response) => response.end("once").end(),
  "status and headers set before": (response) => {
    response.statusCode = 404;
    response.setHeader("Content-Type", "text/plain");
    response.setHeader("X-List", ["a", "b"]);
    response.end("not here");
  },
  "status and headers set after the beginning": (response) => {
    response.write("begun");
    response.statusCode = 500;
    try {
      response.setHeader("X-Late", "1");
    } catch {
      response.write(", refused");
    }
    response.end();
  },
  "writeHead with a status": (response) => response.writeHead(201).end("created"),
  "writeHead with headers": (response) =>
    response.writeHead(200, { "Content-Type": "text/html", "Set-Cookie": ["a=1", "b=2"], "X-Number": 5 }).end("<p>"),
  "writeHead with a list of names and values": (response) =>
    response
      .writeHead(200, ["Content-Type", "text/html", "X-A", "1", "Set-Cookie", "a=1", "Set-Cookie", "b=2"])
      .end("<p>"),
  "writeHead with pairs": (response) =>
    response
      .writeHead(200, [
        ["Content-Type", "text/html"],
        ["Set-Cookie", "a=1"],
        ["Set-Cookie", "b=2"],
      ] as never)
      .end("<p>"),
  "writeHead over headers that were set": (response) => {
    response.setHeader("X-A", "1");
    response.setHeader("X-B", "1");
    response.writeHead(200, { "x-a": "2", "Content-Length": 2 }).end("ok");
  },
  "writeHead and nothing else for a while": async (response) => {
    response.writeHead(200, { "Content-Length": 4 });
    await nextTurn();
    response.end("late");
  },
  "writes and end": (response) => {
    response.write("one, ");
    response.write(Buffer.from("two, "));
    response.write("c3bc", "hex");
    response.end("end");
  },
  "writes over several turns": async (response) => {
    for (let n = 0; n < 10; n++) {
      response.write(`${n},`);
      await nextTurn();
    }
    response.end();
  },
  "an empty write first": (response) => {
    response.write("");
    response.end("text");
  },
  "flushHeaders first": async (response) => {
    response.setHeader("Content-Type", "text/event-stream");
    response.flushHeaders();
    await nextTurn();
    response.write("data: 1\n\n");
    await nextTurn();
    response.end("data: 2\n\n");
  },
  "Content-Length set by the handler": (response) => {
    response.setHeader("Content-Length", 10);
    response.write("12345");
    response.end("67890");
  },
  "204": (response) => response.writeHead(204).end(),
  "304": (response) => response.writeHead(304, { ETag: '"1"' }).end(),
  "a callback each": (response) =>
    new Promise<void>((resolve) => {
      response.write("a", () => {
        response.write("b", "utf8", () => {
          response.end("c", resolve);
        });
      });
    }),
  "a pipe": (response) => {
    createReadStream(THIS_FILE).pipe(response);
  },
  "a pipe of small pieces": (response) => {
    Readable.from(Array.from({ length: 5000 }, (_, n) => `${n}\n`)).pipe(response);
  },
  "a pipeline of 5 MB": (response) => pipeline(Readable.from(pieces(LARGE, 64 * 1024)), response),
  "a pipeline from a generator": (response) => pipeline(() => pieces(LARGE.subarray(0, 300_000), 1000), response),
  trailers: (response) => {
    response.writeHead(200, { Trailer: "X-Sum" });
    response.write("body");
    response.addTrailers({ "X-Sum": "4" });
    response.end();
  },
};

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}
