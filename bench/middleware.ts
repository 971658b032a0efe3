import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { deflateSync } from "node:zlib";
import { createSessions, memoryStore, type SessionCodec, storeEngine } from "sojourn";
import { djangoCodec, parsePythonJson, stringifyPythonJson } from "sojourn/django";
import { expressSessions } from "sojourn/express";

/*
 * `npm run bench`: what sessions add to a request, in microseconds of CPU of this process. In-process, with Node's own
 * request and response objects and no network, so that nothing else is measured; the bare handler's cost is taken off.
 */

const REQUESTS = Number(process.env.REQUESTS ?? 100_000);
const BATCH = 10;
const secretKey = "a secret key of a benchmark, long enough for the codec";
const data = { uid: "123", name: "Ada Lovelace", cart: ["apple", "pear"], theme: "dark", seen: 1_700_000_000 };

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

const codec = djangoCodec({ secretKey });
const store = memoryStore();
const sessions = createSessions<Record<string, unknown>>({ engine: storeEngine(store, codec) });
const middleware = expressSessions(sessions);
/** As many people as there are requests at a time: parallel writes to one session would be merged, which costs more. */
const keys = await Promise.all(
  Array.from({ length: BATCH }, async () => {
    const session = await sessions.open(undefined).session();
    session.update(data);
    await session.save();
    return session.key!;
  }),
);
const cookies = keys.map((key) => `csrftoken=abcdefghijklmnopqrstuvwxyz; sessionid=${key}; theme=dark`);

/** CPU microseconds per call of `body`, after a warm-up; the lowest of five rounds, as other work only adds. */
async function cpu(body: () => unknown): Promise<number> {
  const rounds: number[] = [];
  for (let round = 0; round < 6; round++) {
    const start = process.cpuUsage();
    for (let n = 0; n < REQUESTS / 5; n++) {
      body();
      // The memory store answers within the same turn, so the requests of a batch are done when the turn is.
      if (n % BATCH === BATCH - 1) await setImmediate();
    }
    const { user, system } = process.cpuUsage(start);
    rounds.push((user + system) / (REQUESTS / 5));
  }
  return Math.min(...rounds.slice(1));
}

/** One request through `handler`. Its head is rendered, and nothing is sent, as there is no connection. */
function serve(handler: Handler, cookieHeaders?: readonly string[]): () => void {
  const socket = new Socket();
  let n = 0;
  return () => {
    const request = new IncomingMessage(socket);
    request.method = "GET";
    request.url = "/";
    if (cookieHeaders) request.headers.cookie = cookieHeaders[n++ % BATCH]!;
    handler(request, new ServerResponse(request));
  };
}

const bare: Handler = (_request, response) => response.end("ok");
const withSessions =
  (handler: Handler): Handler =>
  (request, response) =>
    middleware(request, response, () => handler(request, response));

const untouched = withSessions(bare);
const read = withSessions(async (request, response) => {
  const session = await sessions.get(request);
  session.get("uid");
  response.end("ok");
});
let n = 0;
const write = withSessions(async (request, response) => {
  const session = await sessions.get(request);
  session.set("n", n++);
  response.end("ok");
});
const bareAsync: Handler = async (_request, response) => {
  await null;
  response.end("ok");
};

const base = await cpu(serve(bare, cookies));
const baseAsync = await cpu(serve(bareAsync, cookies));
const rows: [string, number, string][] = [
  ["untouched, no cookie", (await cpu(serve(untouched))) - (await cpu(serve(bare))), "2"],
  ["untouched, with cookie", (await cpu(serve(untouched, cookies))) - base, "2"],
  ["read", (await cpu(serve(read, cookies))) - baseAsync, "10"],
  ["write", (await cpu(serve(write, cookies))) - baseAsync, "25"],
];
/** Requests without a server, and without Django's format: the life of a session alone. */
const plainCodec: SessionCodec = {
  encode: (plain) => JSON.stringify(plain),
  decode: (text) => ({ data: JSON.parse(text as string) }),
  assertValue() {},
};
const plain = createSessions<Record<string, unknown>>({ engine: storeEngine(memoryStore(), plainCodec) });
const plainSession = await plain.open(undefined).session();
plainSession.update(data);
await plainSession.save();
const plainRead = async () => {
  const request = plain.open(`sessionid=${plainSession.key}`);
  (await request.session()).get("uid");
  await request.commit(200);
};
const plainWrite = async () => {
  const request = plain.open(`sessionid=${plainSession.key}`);
  (await request.session()).set("n", n++);
  await request.commit(200);
};
/** One after another, so that no two of them change the one session at the same time. */
async function oneByOne(body: () => Promise<void>): Promise<number> {
  const start = process.cpuUsage();
  for (let count = 0; count < REQUESTS; count++) await body();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / REQUESTS;
}
await oneByOne(plainWrite);

const payload = (await store.load(keys[0]!))!.payload;
const json = stringifyPythonJson(data);
const now = new Date();
const parts: [string, number][] = [
  ["codec: decode", await cpu(() => codec.decode(payload))],
  ["  of which parsing JSON", await cpu(() => parsePythonJson(json))],
  ["codec: encode", await cpu(() => codec.encode(data, now))],
  ["  of which deflating", await cpu(() => deflateSync(json))],
  ["  of which writing JSON", await cpu(() => stringifyPythonJson(data))],
  ["life of a session: read", await oneByOne(plainRead)],
  ["life of a session: write", await oneByOne(plainWrite)],
  ["memory store: load", await cpu(() => store.load(keys[0]!))],
];

console.log(
  `Node ${process.version}, ${REQUESTS} requests a row, a session of ${json.length} bytes of JSON, memory store\n`,
);
console.log("what sessions add to a request   µs CPU    aim");
for (const [name, cost, aim] of rows)
  console.log(`${name.padEnd(30)} ${cost.toFixed(2).padStart(8)}   ${aim.padStart(4)}`);
console.log("\nwhere the time goes              µs CPU");
for (const [name, cost] of parts) console.log(`${name.padEnd(30)} ${cost.toFixed(2).padStart(8)}`);
console.log(`\nthe bare handler                 ${base.toFixed(2).padStart(6)}`);
process.exit(0);
