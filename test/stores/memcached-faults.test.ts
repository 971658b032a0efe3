import assert from "node:assert/strict";
import { connect as connectSocket, type Socket } from "node:net";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { djangoCodec } from "../../src/django/codec.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { type MemcachedClientOptions, memcachedClient } from "../../src/stores/memcached/client.ts";
import { memcachedStore } from "../../src/stores/memcached/store.ts";
import { startMemcached } from "../support/servers/memcached.ts";
import { until } from "../support/servers/server.ts";
import { fails, KEY, SECRET } from "./memcached-fault.ts";

const record = { payload: SECRET, expiresAt: new Date(Date.now() + 3_600_000) };

async function started(t: { after(end: () => unknown): void }, args: string[] = [], options?: MemcachedClientOptions) {
  const server = await startMemcached(args);
  const client = memcachedClient({ port: server.port, ...options });
  t.after(() => {
    client.close();
    return server.kill();
  });
  return { server, client, store: memcachedStore(client) };
}

/** Every operation fails, and none takes the session for a missing one. */
async function allFail(store: ReturnType<typeof memcachedStore>, message: RegExp): Promise<void> {
  for (const operation of [
    () => store.load(KEY),
    () => store.create(KEY, record),
    () => store.update(KEY, record),
    () => store.update(KEY, record, SECRET),
    () => store.delete(KEY),
    () => store.delete(KEY, SECRET),
  ]) {
    await fails(operation(), message);
  }
}

describe("a memcached that was killed", () => {
  test("is unavailable, not without sessions", async (t) => {
    const { server, store } = await started(t);
    await store.create(KEY, record);
    await server.kill();
    await allFail(store, /ECONNREFUSED\. Is it running\?|closed the connection/);
  });

  test("is unavailable to the engine, which says nothing of the session", async (t) => {
    const { server, store } = await started(t);
    const engine = storeEngine(store, djangoCodec({ secretKey: "f4ults-of-memcached-0123456789-abcdefghijklmnop" }));
    const saving = { now: new Date(), expiresAt: () => record.expiresAt };
    const { token, payload, origin } = await engine.create({ uid: SECRET }, saving);
    assert.notEqual(await engine.load(token), "missing");
    await server.kill();
    for (const operation of [
      () => engine.load(token),
      () => engine.create({ uid: SECRET }, saving),
      () => engine.update({ token, payload, origin }, { uid: SECRET }, saving, () => {}),
      () => engine.delete(token),
    ]) {
      await fails(operation(), /ECONNREFUSED|closed the connection/);
    }
  });

  test("fails what is in flight, and is found again, empty, once it is back", async (t) => {
    const { server, store } = await started(t);
    await store.create(KEY, record);
    await server.freeze();
    const inFlight = Array.from({ length: 20 }, () => store.load(KEY));
    const failed = Promise.all(inFlight.map((operation) => fails(operation, /closed the connection|ECONNRESET/)));
    // Sent before it dies.
    await sleep(20);
    await server.kill();
    await failed;
    const again = await startMemcached([], server.port);
    t.after(() => again.kill());
    assert.equal(await store.load(KEY), null);
    assert.equal(await store.create(KEY, record), true);
  });

  test("may come back unnoticed", async (t) => {
    const { server, store } = await started(t);
    await store.create(KEY, record);
    await server.kill();
    const again = await startMemcached([], server.port);
    t.after(() => again.kill());
    assert.equal(await store.load(KEY), null);
  });

  test("may come back with another limit for a value", async (t) => {
    const { server, client } = await started(t);
    const write = { mode: "add", flags: 0, exptime: 60 } as const;
    await fails(client.set(KEY, Buffer.alloc(2_000_000), write), /takes 1048576 bytes/, "ERR_SESSION_TOO_LARGE");
    await server.kill();
    const again = await startMemcached(["-I", "4m"], server.port);
    t.after(() => again.kill());
    assert.equal(await client.set(KEY, Buffer.alloc(2_000_000), write), true);
    assert.equal((await client.get(KEY))?.value.length, 2_000_000);
  });
});

describe("a memcached that is frozen", () => {
  test("is unavailable after the time-out, and goes on where it was", async (t) => {
    const { server, store } = await started(t, [], { timeoutMs: 50, connectTimeoutMs: 60_000 });
    await store.create(KEY, record);
    await server.freeze();
    await allFail(store, /did not answer within 50 ms/);
    server.thaw();
    // What it was sent while it was frozen it does now, so what is there is not known.
    await until(() => store.load(KEY).then(() => true), "memcached");
  });

  test("is unavailable when it takes no connections any more", async (t) => {
    const { server, store } = await started(t, ["-b", "1"], { timeoutMs: 50, connectTimeoutMs: 60 });
    await server.freeze();
    const sockets: Socket[] = [];
    t.after(() => sockets.map((socket) => socket.destroy()));
    // Linux drops what exceeds the backlog, so that connecting takes for ever.
    for (let n = 0; n < 8; n++) sockets.push(connectSocket(server.port, "127.0.0.1").on("error", () => {}));
    await sleep(100);
    assert.ok(sockets.some((socket) => socket.connecting));
    await allFail(store, /did not answer within 60 ms/);
  });
});

describe("a memcached that is full", () => {
  const kilobyte = { ...record, payload: SECRET.padEnd(1000, ".") };
  const key = (n: number) => `key${n}`.padEnd(32, "-");

  test("drops the sessions that were not used for longest, and takes new ones", async (t) => {
    const { store } = await started(t, ["-m", "2"]);
    for (let n = 0; n < 5000; n += 100) {
      const created = await Promise.all(Array.from({ length: 100 }, (_, i) => store.create(key(n + i), kilobyte)));
      assert.ok(created.every(Boolean));
    }
    assert.equal(await store.load(key(0)), null);
    assert.equal(await store.update(key(0), kilobyte), false);
    assert.ok(await store.load(key(4999)));
  });

  test("and may drop none is unavailable for new ones only", async (t) => {
    const { store } = await started(t, ["-m", "2", "-M"]);
    let kept = 0;
    for (; ; kept++) {
      const refused = await store.create(key(kept), kilobyte).then(
        () => null,
        (error: Error) => error,
      );
      if (!refused) continue;
      await fails(Promise.reject(refused), /out of memory/);
      break;
    }
    assert.ok(kept > 100);
    // The same connection: the fault is this one request's.
    const [first, refused, second] = [store.load(key(0)), store.create(key(kept), kilobyte), store.load(key(1))];
    await fails(refused, /out of memory/);
    assert.ok((await first) && (await second));
    assert.equal(await store.delete(key(1)), true);
    assert.equal(await store.create(key(kept), kilobyte), true);
  });

  // memcached unlinks the old item when it finds no room for the new one, so as not to serve what is outdated.
  test("and may drop none drops a session that it cannot change, and says so", async (t) => {
    const { store } = await started(t, ["-m", "2", "-M"]);
    for (let n = 0; (await store.create(key(n), kilobyte).catch(() => "full")) !== "full"; n++);
    await fails(store.update(key(0), kilobyte, kilobyte.payload), /out of memory, and may have dropped the session/);
    assert.equal(await store.load(key(0)), null);
  });

  test("and may drop none says the same of large values", async (t) => {
    const { client } = await started(t, ["-m", "4", "-M"]);
    const write = { mode: "add", flags: 0, exptime: 60 } as const;
    const large = Buffer.alloc(900_000, SECRET);
    const results = [];
    for (let n = 0; n < 8; n++) results.push(await client.set(key(n), large, write).catch((error: Error) => error));
    await fails(Promise.reject(results.at(-1)), /out of memory/);
    assert.equal((await client.get(key(0)))?.value.length, large.length);
  });
});
