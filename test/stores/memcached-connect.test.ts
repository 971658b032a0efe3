import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { connect } from "../../src/connect.ts";
import { SessionError } from "../../src/core/errors.ts";
import { memcachedClient } from "../../src/stores/memcached/client.ts";
import { startMemcached } from "../support/servers/memcached.ts";
import { freePort, temporaryDirectory } from "../support/servers/server.ts";
import { fails, KEY } from "./memcached-fault.ts";

const record = { payload: "a", expiresAt: new Date(Date.now() + 60_000) };
const server = await startMemcached();

describe("connect to a memcached", () => {
  for (const url of [`memcached://127.0.0.1:${server.port}`, `memcached://localhost:${server.port}/`]) {
    test(`by ${url.replace(/\d{2,}/, "port")}`, async () => {
      const store = await connect(url);
      assert.equal(await store.migrate(), false);
      assert.equal(await store.create(KEY, record), true);
      assert.equal(Buffer.from((await store.load(KEY))!.payload).toString(), "a");
      assert.equal(await store.delete(KEY), true);
      await store.close();
      await fails(store.load(KEY), /closed/);
    });
  }

  test("by the path of its socket, taken as it is", async (t) => {
    const path = join(temporaryDirectory(), "100%25 ä?x=1#@,.sock");
    const other = await startMemcached(["-s", path]);
    t.after(() => other.kill());
    const store = await connect(`memcached://${path}`);
    assert.equal(await store.create(KEY, record), true);
    await store.close();
  });

  test("with the prefix and the flags that are asked for", async () => {
    const store = await connect(`memcached://127.0.0.1:${server.port}`, { prefix: ":1:mine", flags: 1 });
    await store.create(KEY, record);
    const client = memcachedClient({ port: server.port });
    const item = await client.get(`:1:mine${KEY}`);
    assert.deepEqual([Buffer.from(item!.value).toString(), item!.flags], ["a", 1]);
    await store.close();
    client.close();
  });

  test("with the clock that is given", async () => {
    const now = () => new Date(record.expiresAt);
    const store = await connect(`memcached://127.0.0.1:${server.port}`, { prefix: "clock:", now });
    await store.create(KEY, record);
    assert.equal(await store.load(KEY), null);
    await store.close();
  });

  test("does not need it to be there, and finds it when it is", async (t) => {
    const port = await freePort();
    const store = await connect(`memcached://127.0.0.1:${port}`);
    await fails(store.load(KEY), /ECONNREFUSED\. Is it running\?/);
    const late = await startMemcached([], port);
    t.after(() => late.kill());
    assert.equal(await store.load(KEY), null);
    await store.close();
  });

  test("names its address in faults: the usual port, and IPv6 in brackets", async () => {
    for (const [url, where] of [
      ["memcached://127.0.0.2", "127.0.0.2:11211"],
      ["memcached://[::1]:1", "[::1]:1"],
      ["memcached:///nowhere/at.all", "/nowhere/at.all"],
    ] as const) {
      const store = await connect(url);
      await assert.rejects(store.load(KEY), (error: Error) => error.message.startsWith(`memcached at ${where} `));
      await store.close();
    }
  });
});

describe("connect refuses at once, without showing it,", () => {
  for (const [what, url, reason] of [
    ["several servers", "memcached://one:11211,two:11211", /Several memcached servers.*chooses among them/],
    ["several servers, in Django's manner", "memcached://one;two", /Several memcached servers/],
    ["a password", "memcached://user:secret@host", /passwords for memcached are not supported/],
    ["no host", "memcached:", /memcached:\/\/host:port/],
    ["no host, with slashes", "memcached://", /memcached:\/\/host:port/],
    ["no path", "memcached:///", /memcached:\/\/host:port/],
    ["port 0", "memcached://host:0", /memcached:\/\/host:port/],
    ["a port beyond 65535", "memcached://host:65536", /memcached:\/\/host:port/],
    ["a port that is none", "memcached://host:secret", /memcached:\/\/host:port/],
    ["a database", "memcached://host/secret", /memcached:\/\/host:port/],
    ["parameters", "memcached://host?secret=1", /memcached:\/\/host:port/],
    ["an IPv6 address without brackets", "memcached://::1", /memcached:\/\/host:port/],
    ["a blank", "memcached://host name", /memcached:\/\/host:port/],
  ] as const) {
    test(what, async () => {
      await assert.rejects(connect(url), (error) => {
        assert.ok(error instanceof SessionError);
        assert.equal(error.code, "ERR_CONFIG");
        assert.match(error.message, reason);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    });
  }

  test("a prefix that memcached does not take", async () => {
    await assert.rejects(connect("memcached://host", { prefix: "a b" }), { code: "ERR_CONFIG" });
  });
});
