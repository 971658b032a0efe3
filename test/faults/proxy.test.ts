import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../support/servers/server.ts";
import { type FaultProxy, startProxy } from "./proxy.ts";

describe("The fault proxy", () => {
  let server: Server;
  let proxy: FaultProxy;
  /** What the server was asked, and answered in capitals. */
  let asked: string;
  let connections: Socket[];
  before(async () => {
    server = createServer((socket) => {
      connections.push(socket);
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        asked += chunk;
        socket.write(String(chunk).toUpperCase());
      });
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
  });
  after(() => server.close());
  beforeEach(async () => {
    [asked, connections] = ["", []];
    proxy = await startProxy(() => (server.address() as AddressInfo).port);
  });
  afterEach(() => proxy.close());

  /** A client, what it heard, in which pieces, and how it ended. */
  async function client() {
    const socket = connect(proxy.port, "127.0.0.1").setNoDelay(true);
    const heard = { text: "", pieces: 0, end: "" };
    socket.on("data", (chunk) => {
      heard.text += chunk.toString("latin1");
      heard.pieces++;
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      heard.end = error.code!;
    });
    socket.on("end", () => {
      heard.end = "end";
    });
    await Promise.race([once(socket, "connect"), once(socket, "close")]).catch(() => {});
    return { socket, heard };
  }
  const hears = (heard: { text: string }, text: string) => until(async () => heard.text === text, `"${text}"`);

  test("passes bytes both ways, and counts them", async () => {
    const { socket, heard } = await client();
    socket.write("hello");
    await hears(heard, "HELLO");
    assert.deepEqual(proxy.counts, { connections: 1, sent: 5, received: 5 });
  });

  test("passes on the end of a connection, after what came before it", async () => {
    const { socket, heard } = await client();
    await until(async () => connections.length === 1, "the connection");
    connections[0]!.end("bye");
    await until(async () => heard.end === "end", "the end");
    assert.equal(heard.text, "bye");
    socket.destroy();
  });

  test("latency: each chunk waits, not one after the other", async () => {
    const { socket, heard } = await client();
    proxy.set({ name: "latency", ms: 100 });
    const start = performance.now();
    for (const letter of "abcde") {
      socket.write(letter);
      await sleep(5);
    }
    await hears(heard, "ABCDE");
    const took = performance.now() - start;
    assert.ok(took >= 195, `${took} ms`);
    assert.ok(took < 900, `${took} ms`);
  });

  test("black hole: nothing arrives and nobody is told; when it ends, a connection that lost bytes does too", async () => {
    const [lossy, idle] = [await client(), await client()];
    proxy.set({ name: "blackHole" });
    lossy.socket.write("lost");
    await sleep(50);
    assert.deepEqual([asked, lossy.heard.text, lossy.heard.end], ["", "", ""]);
    proxy.set({ name: "pass" });
    await until(async () => lossy.heard.end === "ECONNRESET", "the reset");
    idle.socket.write("found");
    await hears(idle.heard, "FOUND");
    assert.equal(asked, "found");
  });

  test("replies dropped: the server does it, the client hears nothing, and no later reply takes the lost one's place", async () => {
    const { socket, heard } = await client();
    proxy.set({ name: "dropReplies" });
    socket.write("done");
    await until(async () => asked === "done", "the request");
    await sleep(50);
    assert.deepEqual([heard.text, heard.end], ["", ""]);
    proxy.set({ name: "pass" });
    await until(async () => heard.end === "ECONNRESET", "the reset");
  });

  test("reset on reply: the server does it, and the client is cut off", async () => {
    const { socket, heard } = await client();
    proxy.set({ name: "resetOnReply" });
    socket.write("done");
    await until(async () => heard.end === "ECONNRESET", "the reset");
    assert.deepEqual([asked, heard.text], ["done", ""]);
  });

  test("slice: the same bytes, in many pieces", async () => {
    const { socket, heard } = await client();
    proxy.set({ name: "slice" });
    socket.write("abcdefghijklmnopqrstuvwxyz".repeat(8));
    await hears(heard, "ABCDEFGHIJKLMNOPQRSTUVWXYZ".repeat(8));
    assert.ok(heard.pieces > 3, `${heard.pieces} pieces`);
  });

  test("corrupt: one byte of a reply is another one, and requests are left alone", async () => {
    const { socket, heard } = await client();
    proxy.set({ name: "corrupt" });
    socket.write("aaaaaaaa");
    await until(async () => heard.text.length === 8, "the reply");
    assert.equal(asked, "aaaaaaaa");
    assert.equal([...heard.text].filter((letter) => letter !== "A").length, 1);
  });

  test("refuse: open connections are reset, and new ones too, until it passes again", async () => {
    const { heard } = await client();
    proxy.set({ name: "refuse" });
    await until(async () => heard.end === "ECONNRESET", "the reset");
    const refused = await client();
    await until(async () => refused.heard.end === "ECONNRESET", "the refusal");
    proxy.set({ name: "pass" });
    const { socket, heard: again } = await client();
    socket.write("back");
    await hears(again, "BACK");
  });

  test("a connection that is ending can be cut off, and nothing of it keeps the process", async () => {
    const sockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
    await until(async () => sockets() === 0, "the end of the other tests' sockets");
    const { socket } = await client();
    await until(async () => connections.length === 1, "the connection");
    const bell = connect((server.address() as AddressInfo).port, "127.0.0.1");
    await until(async () => connections.length === 2, "the bell");
    socket.end(() => connections[1]!.write("now"));
    // In the same turn in which the proxy hears of the end.
    await once(bell, "data");
    proxy.set({ name: "refuse" });
    bell.destroy();
    await until(async () => sockets() === 0, "the end of all sockets");
  });

  test("a server that is not there looks like one to the client", async () => {
    const gone = await startProxy(() => 1);
    const socket = connect(gone.port, "127.0.0.1");
    const [error] = await once(socket, "error");
    assert.equal((error as NodeJS.ErrnoException).code, "ECONNRESET");
    await gone.close();
  });
});
