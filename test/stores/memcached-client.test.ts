import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { after, afterEach, describe, test } from "node:test";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import fc from "fast-check";
import { type MemcachedClientOptions, memcachedClient } from "../../src/stores/memcached/client.ts";
import { replyReader } from "../../src/stores/memcached/replies.ts";
import { startMemcached } from "../support/servers/memcached.ts";
import { temporaryDirectory } from "../support/servers/server.ts";
import { fails, KEY, SECRET } from "./memcached-fault.ts";

const write = { mode: "add", flags: 0, exptime: 60 } as const;

const memcached = await startMemcached();
const clients: { close(): void }[] = [];
const servers: Server[] = [];
const sockets = new Set<Socket>();

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  for (const server of servers.splice(0)) server.close();
  for (const socket of sockets) socket.destroy();
});

function newClient(options: MemcachedClientOptions) {
  const client = memcachedClient(options);
  clients.push(client);
  return client;
}

/** A server that does what it likes with each connection. */
async function serve(serveOne: (socket: Socket, n: number) => void): Promise<{ port: number; connections(): number }> {
  let connections = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    serveOne(socket, connections++);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as { port: number }).port, connections: () => connections };
}

type Answer = (line: string, socket: Socket, n: number) => string | undefined;

/** Says what a memcached says to a new client, and answers each later line as it is told. */
function fake(answer: Answer) {
  return serve((socket, n) => {
    let text = "";
    socket.on("data", (chunk) => {
      const lines = `${text}${chunk}`.split("\r\n");
      text = lines.pop()!;
      for (const line of lines) {
        if (line === "mg sojourn:probe O0") socket.write("EN O0\r\n");
        else if (line === "stats settings") socket.write("STAT item_size_max 2000\r\nEND\r\n");
        else socket.write(answer(line, socket, n) ?? "");
      }
    });
  });
}

/** As a memcached without items does it. */
const miss: Answer = (line) => {
  const opaque = / (O\d+)$/.exec(line)?.[1];
  if (opaque === undefined) return undefined;
  return `${line.startsWith("mg") ? "EN" : line.startsWith("md") ? "NF" : "NS"} ${opaque}\r\n`;
};

describe("a memcached client's reading of replies", () => {
  function readAll(chunks: readonly Buffer[], maxValueBytes = 1000): [string, string | undefined][] {
    const replies: [string, string | undefined][] = [];
    const read = replyReader(
      (line, value) => replies.push([line, value?.toString("latin1")]),
      () => maxValueBytes,
    );
    for (const chunk of chunks) read(chunk);
    return replies;
  }

  const anyValue = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc
      .array(fc.constantFrom("\r", "\n", "\r\n", "VA 3 O1", "EN", "\0"), { maxLength: 20 })
      .map((parts) => Buffer.from(parts.join(""))),
  );

  test("gives any values back as they were, whatever the slices they come in", () => {
    fc.assert(
      fc.property(fc.array(fc.option(anyValue), { maxLength: 5 }), fc.array(fc.nat(400)), (values, cuts) => {
        const stream = Buffer.concat(
          values.flatMap((value, n) =>
            value
              ? [Buffer.from(`VA ${value.length} O${n}\r\n`), value, Buffer.from("\r\n")]
              : [Buffer.from(`EN O${n}\r\n`)],
          ),
        );
        const places = [0, ...cuts.map((cut) => Math.min(cut, stream.length)).sort((a, b) => a - b), stream.length];
        const chunks = places.slice(1).map((end, n) => stream.subarray(places[n], end));
        const replies = values.map((value, n) =>
          value ? [`VA ${value.length} O${n}`, value.toString("latin1")] : [`EN O${n}`, undefined],
        );
        assert.deepEqual(readAll(chunks), replies);
        assert.deepEqual(readAll([...stream].map((byte) => Buffer.from([byte]))), replies);
      }),
    );
  });

  test("gives no reply before its last byte", () => {
    const stream = Buffer.from("VA 4 O1\r\na\r\nb\r\n");
    for (let end = 0; end < stream.length; end++) assert.deepEqual(readAll([stream.subarray(0, end)]), []);
  });

  test("does not keep the chunk that a value came in", () => {
    const chunk = Buffer.from("VA 1 O1\r\na\r\n");
    let value: Buffer | undefined;
    replyReader(
      (_line, given) => (value = given),
      () => 1000,
    )(chunk);
    chunk.fill("x");
    assert.equal(value?.toString(), "a");
  });

  test("gives up over any bytes in bounded time and memory, or goes on", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(anyValue, fc.constant(Buffer.from("VA 9999999999\r\n")))), (chunks) => {
        try {
          readAll(chunks);
        } catch (error) {
          assert.match((error as Error).message, /^a (line|bare|value)/);
        }
      }),
    );
  });

  for (const [what, text] of Object.entries({
    "a line without end": "x".repeat(2049),
    "a line that ends in a bare line feed": "EN O1\n",
    "a value longer than allowed": "VA 1001 O1\r\n",
    "a value of no length": "VA  O1\r\n",
    "a value of negative length": "VA -1 O1\r\n",
    "a value whose length is no number": "VA 1e2 O1\r\n",
    "a value longer than it says": "VA 1 O1\r\nab\r\n",
  })) {
    test(`refuses ${what}`, () => assert.throws(() => readAll([Buffer.from(text)])));
  }

  test("takes values as long as allowed, and lines of 2048", () => {
    const text = `VA 1000 O1\r\n${"x".repeat(1000)}\r\n${"y".repeat(2046)}\r\n`;
    assert.equal(readAll([Buffer.from(text)]).length, 2);
  });
});

describe("a memcached client and its server", () => {
  test("bring any value back as it was, with its flags", async () => {
    const client = newClient({ port: memcached.port });
    let n = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 3000 }),
          fc.string({ unit: "binary" }),
          fc.constantFrom("\r\n", "END\r\n", "a\r\nEN O1\r\n"),
        ),
        fc.nat(2 ** 32 - 1),
        async (value, flags) => {
          const key = `any${n++}`;
          assert.equal(await client.set(key, value, { ...write, flags }), true);
          const item = await client.get(key);
          assert.deepEqual(item?.value, Buffer.from(value as Uint8Array));
          assert.equal(item?.flags, flags);
        },
      ),
    );
  });

  test("keep CAS numbers beyond what JavaScript counts to", async () => {
    const { port } = await fake((line) => `VA 1 f0 c18446744073709551615 ${/O\d+$/.exec(line)}\r\na\r\n`);
    assert.equal((await newClient({ port }).get(KEY))?.cas, "18446744073709551615");
  });

  test("add, replace, compare and delete as they are told", async () => {
    const client = newClient({ port: memcached.port });
    const replace = { ...write, mode: "replace" } as const;
    assert.equal(await client.get(KEY), null);
    assert.equal(await client.set(KEY, "a", replace), false);
    assert.equal(await client.set(KEY, "a", { ...write, mode: { cas: "1" } }), false);
    assert.equal(await client.delete(KEY), false);
    assert.equal(await client.set(KEY, "a", write), true);
    assert.equal(await client.set(KEY, "b", write), false);
    assert.equal(await client.set(KEY, "c", replace), true);
    const { cas } = (await client.get(KEY))!;
    assert.equal(await client.set(KEY, "d", { ...write, mode: { cas } }), true);
    assert.equal(await client.set(KEY, "e", { ...write, mode: { cas } }), false);
    assert.equal(await client.delete(KEY, cas), false);
    const item = (await client.get(KEY))!;
    assert.equal(Buffer.from(item.value).toString(), "d");
    assert.equal(await client.delete(KEY, item.cas), true);
    assert.equal(await client.get(KEY), null);
  });

  test("give a thousand parallel users each their own", async () => {
    const client = newClient({ port: memcached.port });
    const users = Array.from({ length: 1000 }, (_, n) => `user${n}`);
    await Promise.all(users.map((user) => client.set(user, `${user}\r\n`.repeat(1 + Math.random() * 200), write)));
    const items = await Promise.all(users.map((user) => client.get(user)));
    for (const [n, item] of items.entries()) {
      assert.match(Buffer.from(item!.value).toString(), new RegExp(`^(${users[n]}\r\n)+$`));
    }
  });

  test("use one connection, made by the first operation", async () => {
    const { port, connections } = await fake(miss);
    const client = newClient({ port });
    await setImmediate();
    assert.equal(connections(), 0);
    await Promise.all(Array.from({ length: 50 }, () => client.get(KEY)));
    await client.get(KEY);
    assert.equal(connections(), 1);
  });

  test("send at once what is asked for at the same time", async () => {
    const chunks: string[] = [];
    const { port } = await serve((socket) => {
      socket.on("data", (chunk) => {
        chunks.push(String(chunk));
        for (const line of String(chunk).trim().split("\r\n")) {
          socket.write(line === "stats settings" ? "END\r\n" : `EN ${/O\d+$/.exec(line)}\r\n`);
        }
      });
    });
    const client = newClient({ port });
    await client.get(KEY);
    chunks.length = 0;
    await Promise.all(Array.from({ length: 50 }, () => client.get(KEY)));
    assert.equal(chunks.length, 1);
  });
});

describe("a memcached client's trust in its server ends, and all in flight fail, when it", { timeout: 60_000 }, () => {
  const opaque = (line: string) => /O\d+$/.exec(line);
  const surprises: Record<string, Answer> = {
    "speaks another protocol": () => "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "echoes what it was sent": (line) => `${line}\r\n`,
    "answers another request": () => `VA 1 f0 c1 O999\r\na\r\n`,
    "answers an earlier request": (line) => `EN O${Number(String(opaque(line)).slice(1)) - 1}\r\n`,
    "does not say what it answers": () => "EN\r\n",
    "answers with a code for something else": (line) => `MN ${opaque(line)}\r\n`,
    "answers with the name of a method": (line) => `toString ${opaque(line)}\r\n`,
    "gives a value without flags": (line) => `VA 1 c1 ${opaque(line)}\r\na\r\n`,
    "gives a value without CAS": (line) => `VA 1 f0 ${opaque(line)}\r\na\r\n`,
    "gives a value that exceeds its limit": (line) => `VA 2001 f0 c1 ${opaque(line)}\r\n`,
    "gives a value longer than it says": (line) => `VA 1 f0 c1 ${opaque(line)}\r\n${SECRET}\r\n`,
    "gives a line without end": () => SECRET.repeat(1000),
    "knows no such command": () => "ERROR\r\n",
    "finds the command wrong": () => `CLIENT_ERROR bad command line format ${KEY}\r\n`,
    "fails in a way of its own": () => `SERVER_ERROR no space for ${KEY} ${SECRET}\r\n`,
    "closes the connection": (_line, socket) => void socket.end(),
    "resets the connection": (_line, socket) => void socket.resetAndDestroy(),
    "answers twice": (line) => `EN ${opaque(line)}\r\nEN ${opaque(line)}\r\n`,
  };
  for (const [what, surprise] of Object.entries(surprises)) {
    test(`${what}; the next operation has a new connection`, async () => {
      const { port, connections } = await fake((line, socket, n) =>
        n === 0 ? surprise(line, socket, n) : miss(line, socket, n),
      );
      const client = newClient({ port });
      const [first, ...others] = await Promise.allSettled(Array.from({ length: 3 }, () => client.get(KEY)));
      // Its first answer is right, and must not be anybody else's.
      assert.equal(first!.status, what === "answers twice" ? "fulfilled" : "rejected");
      for (const result of others) {
        assert.equal(result.status, "rejected");
        await fails(Promise.reject(result.reason), /none to what|closed the connection|ECONNRESET/);
      }
      assert.equal(await client.get(KEY), null);
      assert.equal(connections(), 2);
    });
  }

  for (const operation of ["set", "delete"] as const) {
    test(`answers a ${operation} with a value`, async () => {
      const { port } = await fake((line) => `VA 1 f0 c1 ${opaque(line)}\r\na\r\n`);
      const client = newClient({ port });
      await fails(operation === "set" ? client.set(KEY, SECRET, write) : client.delete(KEY), /none to what/);
    });
  }

  test("shifts its answers by one: nobody gets another's session", async () => {
    const held: string[] = [];
    const { port } = await fake((line) => {
      held.push(`VA ${line.length} f0 c1 ${opaque(line)}\r\n${line}\r\n`);
      return held.length > 1 ? held[held.length - 2] : `VA 5 f0 c1 O0\r\nearly\r\n`;
    });
    const client = newClient({ port });
    const results = await Promise.allSettled(Array.from({ length: 50 }, (_, n) => client.get(`user${n}`)));
    for (const { status } of results) assert.equal(status, "rejected");
  });

  test("speaks when nobody asked", async () => {
    const greeted: Socket[] = [];
    const { port, connections } = await fake((line, socket, n) => {
      greeted.push(socket);
      return miss(line, socket, n);
    });
    const client = newClient({ port });
    await client.get(KEY);
    greeted[0]!.write("EN O2\r\n");
    await new Promise((resolve) => greeted[0]!.once("close", resolve));
    assert.equal(await client.get(KEY), null);
    assert.equal(connections(), 2);
  });

  test("goes on after its greeting", async () => {
    const { port, connections } = await serve((socket, n) => {
      socket.on("data", (chunk) => {
        if (n === 0) socket.write("EN O0\r\nEND\r\nEN O1\r\n");
        else if (String(chunk).startsWith("mg sojourn")) socket.write("EN O0\r\nEND\r\n");
        else socket.write("EN O1\r\n");
      });
    });
    const client = newClient({ port });
    await fails(client.get(KEY), /none to what/);
    assert.equal(await client.get(KEY), null);
    assert.equal(connections(), 2);
  });

  test("cuts an answer anywhere: no part of it is given", async () => {
    const whole = "VA 6 f0 c1 O1\r\nhe\r\nlo\r\n";
    for (let end = 0; end < whole.length; end++) {
      const { port } = await fake((_line, socket) => void socket.end(whole.slice(0, end)));
      await fails(newClient({ port }).get(KEY), /closed the connection/);
    }
  });

  test("sends an answer byte by byte: it is whole all the same", async () => {
    const { port } = await fake((_line, socket) => {
      void (async () => {
        for (const byte of "VA 6 f0 c1 O1\r\nhe\r\nlo\r\n") {
          socket.write(byte);
          await setImmediate();
        }
      })();
      return undefined;
    });
    assert.equal(Buffer.from((await newClient({ port }).get(KEY))!.value).toString(), "he\r\nlo");
  });
});

describe("a memcached client refuses a server that", () => {
  for (const [what, answers, message, code] of [
    ["has no meta commands", ["ERROR"], /too old: 1\.6\.18 or later is needed/, "ERR_CONFIG"],
    ["does not say which miss is whose", ["EN"], /too old: 1\.6\.18 or later is needed/, "ERR_CONFIG"],
    ["wants a password", ["CLIENT_ERROR unauthenticated"], /wants a password/, "ERR_CONFIG"],
    ["has no CAS", ["EN O0", "STAT cas_enabled no"], /without -C/, "ERR_CONFIG"],
    ["has no connection left", ["ERROR Too many open connections"], /no connection left/, "ERR_SESSION_UNAVAILABLE"],
    ["is a Redis", ["-ERR unknown command 'mg'"], /none to what/, "ERR_SESSION_UNAVAILABLE"],
    ["greets first, as an SMTP server", ["220 mail ESMTP"], /none to what/, "ERR_SESSION_UNAVAILABLE"],
  ] as const) {
    test(`${what}, and has sent it nothing else`, async () => {
      let sent = "";
      const { port } = await serve((socket) => {
        socket.on("data", (chunk) => (sent += chunk));
        socket.write(answers.map((answer) => `${answer}\r\n`).join(""));
      });
      await fails(newClient({ port }).set(KEY, SECRET, write), message, code);
      assert.ok("mg sojourn:probe O0\r\nstats settings\r\n".startsWith(sent), sent);
    });
  }

  test("really wants a password, or has no CAS", async (t) => {
    const file = `${temporaryDirectory()}/passwords`;
    writeFileSync(file, "user:password\n");
    const [locked, plain] = [await startMemcached(["-Y", file]), await startMemcached(["-C"])];
    t.after(() => Promise.all([locked.kill(), plain.kill()]));
    await fails(newClient({ port: locked.port }).get(KEY), /wants a password/, "ERR_CONFIG");
    await fails(newClient({ port: plain.port }).get(KEY), /without -C/, "ERR_CONFIG");
  });

  test("has no memory to listen, but not for ever", async () => {
    const { port } = await serve((socket, n) => {
      socket.on("data", (chunk) => {
        for (const line of String(chunk).trim().split("\r\n")) {
          if (n === 0) socket.write("SERVER_ERROR out of memory reading request\r\n");
          else socket.write(line === "stats settings" ? "END\r\n" : `EN ${/O\d+$/.exec(line)}\r\n`);
        }
      });
    });
    const client = newClient({ port });
    await fails(client.get(KEY), /out of memory/);
    assert.equal(await client.get(KEY), null);
  });

  test("is no server, by whatever address", async () => {
    const unused = await serve(() => {});
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
    for (const address of [{}, { host: "localhost" }, { host: "::1" }, { path: "/nowhere/at.all" }]) {
      await fails(
        newClient({ port: unused.port, ...address }).get(KEY),
        /cannot be used: (ECONNREFUSED|ENOENT|EADDRNOTAVAIL)\. Is it running/,
      );
    }
  });

  test("closes each connection, in one attempt for all who wait", async () => {
    const { port, connections } = await serve((socket) => socket.end());
    const client = newClient({ port });
    const results = await Promise.allSettled(Array.from({ length: 50 }, () => client.get(KEY)));
    for (const result of results) await fails(Promise.reject((result as PromiseRejectedResult).reason), /memcached/);
    assert.equal(connections(), 1);
  });

  test("knows no statistics only for values that exceed memcached's default", async () => {
    const { port } = await serve((socket) => {
      socket.on("data", (chunk) => {
        for (const line of String(chunk).split("\r\n")) {
          if (line === "stats settings") socket.write("ERROR\r\n");
          else if (line.startsWith("mg")) socket.write(`EN ${/O\d+$/.exec(line)}\r\n`);
        }
      });
    });
    const client = newClient({ port });
    assert.equal(await client.get(KEY), null);
    await fails(client.set(KEY, SECRET.repeat(100_000), write), /takes 1048576 bytes/, "ERR_SESSION_TOO_LARGE");
  });
});

describe("a memcached client's time", { timeout: 60_000 }, () => {
  test("ends for a server that takes what it is sent and says nothing", async () => {
    const { port } = await serve((socket) => socket.resume());
    await fails(newClient({ port, timeoutMs: 50, connectTimeoutMs: 60_000 }).get(KEY), /did not answer within 50 ms/);
  });

  test("ends for a server that stops answering, and the next operation has a new connection", async () => {
    const { port, connections } = await fake((line, socket, n) => (n === 0 ? undefined : miss(line, socket, n)));
    const client = newClient({ port, timeoutMs: 50, connectTimeoutMs: 60_000 });
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => client.get(KEY)));
    for (const result of results) {
      await fails(Promise.reject((result as PromiseRejectedResult).reason), /did not answer within 50 ms/);
    }
    assert.equal(await client.get(KEY), null);
    assert.equal(connections(), 2);
  });

  test("ends though others keep asking", async () => {
    const { port } = await fake(() => undefined);
    const client = newClient({ port, timeoutMs: 50, connectTimeoutMs: 60_000 });
    const first = client.get(KEY);
    let asked = 0;
    const asking = setInterval(() => {
      client.get(KEY).catch(() => {});
      if (++asked === 300) clearInterval(asking);
    }, 10);
    await fails(first, /did not answer within 50 ms/);
    clearInterval(asking);
    assert.ok(asked < 300);
  });

  test("ends for an answer that never ends, however often a byte of it comes", async () => {
    const { port } = await fake((line, socket) => {
      socket.write(`VA 2000 f0 c1 ${/O\d+$/.exec(line)}\r\n`);
      const drip = setInterval(() => (socket.destroyed ? clearInterval(drip) : socket.write("x")), 5);
      return undefined;
    });
    await fails(newClient({ port, timeoutMs: 50, connectTimeoutMs: 60_000 }).get(KEY), /did not answer/);
  });

  test("does not run while this process is busy itself", async () => {
    const client = newClient({ port: memcached.port, timeoutMs: 300, connectTimeoutMs: 300 });
    const busy = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
    // While it connects, while an operation waits to be sent, and while its answer comes.
    const first = client.get("nothing");
    await setImmediate();
    busy();
    assert.equal(await first, null);
    const second = client.get("nothing");
    busy();
    assert.equal(await second, null);
    const third = client.get("nothing");
    await setImmediate();
    busy();
    assert.equal(await third, null);
  });

  test("is not spent on more than 64 MiB that wait", async () => {
    const { port } = await serve((socket) => socket.resume());
    const client = newClient({ port, timeoutMs: 60_000 });
    const value = Buffer.alloc(1024 * 1024 - 1024);
    const waiting = Array.from({ length: 64 }, () => client.set(KEY, value, write));
    await fails(client.get(KEY), /too many operations wait/);
    client.close();
    for (const result of await Promise.allSettled(waiting)) assert.equal(result.status, "rejected");
  });

  test("is for any number of bytes, one after the other", async () => {
    const client = newClient({ port: memcached.port });
    const value = Buffer.alloc(1024 * 1024 - 1024);
    for (let n = 0; n < 70; n++) assert.equal(await client.set("absent", value, { ...write, mode: "replace" }), false);
  });

  test("is over when it is closed, for what waits and for what comes", async () => {
    const { port, connections } = await fake(() => undefined);
    const client = newClient({ port, timeoutMs: 60_000 });
    const waiting = client.get(KEY);
    const ended = fails(waiting, /its client was closed/);
    await sleep(20);
    client.close();
    await ended;
    await fails(client.get(KEY), /its client was closed/);
    assert.equal(connections(), 1);
    client.close();
  });
});

describe("a value too large for memcached", () => {
  const limit = 1024 * 1024 - 63 - KEY.length;

  test("is refused, the old one is still there, and so is the connection", async () => {
    const client = newClient({ port: memcached.port });
    await client.set(KEY, "old", write);
    const { cas } = (await client.get(KEY))!;
    for (const mode of ["add", "replace", { cas }] as const) {
      for (const value of [Buffer.alloc(limit + 1), SECRET.repeat(100_000), "é".repeat(limit / 2 + 1)]) {
        await fails(client.set(KEY, value, { ...write, mode }), /takes 1048576 bytes \(-I\)/, "ERR_SESSION_TOO_LARGE");
      }
    }
    assert.equal((await client.get(KEY))?.cas, cas);
  });

  test("is not one as long as memcached takes", async () => {
    const client = newClient({ port: memcached.port });
    assert.equal(await client.set(KEY, Buffer.alloc(limit), { ...write, mode: "replace", flags: 1 }), true);
    assert.equal((await client.get(KEY))?.value.length, limit);
    await client.delete(KEY);
  });

  test("that the server refuses itself fails alone", async () => {
    const { port, connections } = await fake((line, socket, n) =>
      line.startsWith("ms") ? "SERVER_ERROR object too large for cache\r\n" : miss(line, socket, n),
    );
    const client = newClient({ port });
    const [before, refused, following] = [client.get(KEY), client.set(KEY, "a", write), client.get(KEY)];
    await fails(refused, /too large/, "ERR_SESSION_TOO_LARGE");
    assert.deepEqual(await Promise.all([before, following]), [null, null]);
    assert.equal(connections(), 1);
  });
});

describe("a memcached client's process", () => {
  const run = promisify(execFile);
  const module = new URL("../../src/stores/memcached/client.js", import.meta.url).href;

  async function outputOf(code: string): Promise<string> {
    const script = `import { memcachedClient } from ${JSON.stringify(module)};\n${code}`;
    return (await run(process.execPath, ["--input-type=module", "--eval", script], { timeout: 20_000 })).stdout;
  }

  test("ends when nothing is left to do, though the connection is open", async () => {
    const code = `
      const client = memcachedClient({ port: ${memcached.port}, timeoutMs: 60_000, connectTimeoutMs: 60_000 });
      for (let n = 0; n < 3; n++) await client.get("nothing");
      console.log("done");`;
    assert.equal(await outputOf(code), "done\n");
  });

  test("waits for an operation that nobody else waits for", async () => {
    const key = "forgotten";
    await outputOf(`
      const client = memcachedClient({ port: ${memcached.port} });
      await client.get("nothing");
      setTimeout(() => {
        for (let n = 0; n < 100; n++) client.get("nothing");
        client.set("${key}", "a", { mode: "add", flags: 0, exptime: 60 });
      }, 10);`);
    assert.ok(await newClient({ port: memcached.port }).get(key));
  });

  test("survives a server that is gone", async () => {
    const { port } = await fake((line, socket, n) => {
      setTimeout(() => socket.resetAndDestroy(), 10);
      return miss(line, socket, n);
    });
    const code = `
      const client = memcachedClient({ port: ${port} });
      await client.get("nothing");
      setTimeout(() => console.log("alive"), 100);`;
    assert.equal(await outputOf(code), "alive\n");
  });
});

for (const options of [
  { port: 0 },
  { port: 65_536 },
  { port: 1.5 },
  { port: Number.NaN },
  { timeoutMs: 0 },
  { connectTimeoutMs: -1 },
]) {
  test(`a memcached client is not made with ${JSON.stringify(options)}`, () => {
    assert.throws(() => memcachedClient(options), {
      name: "SessionError",
      code: "ERR_CONFIG",
      message: new RegExp(Object.keys(options)[0]!),
    });
  });
}

after(() => memcached.kill());
