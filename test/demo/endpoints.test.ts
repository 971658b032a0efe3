import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { type DemoClient, demoClient } from "./demo-client.ts";
import { type DemoServer, startDemo } from "./demo-server.ts";

describe("The demo's endpoints", () => {
  let server: DemoServer;
  let client: DemoClient;
  before(async () => {
    server = await startDemo();
  });
  after(() => server.stop());
  beforeEach(() => {
    client = demoClient(server.address);
  });

  const data = async () => (await client.get("/get_session/")).json.data;

  test("/set_session/ without values sets uid to the text 123, and a cookie", async () => {
    const answer = await client.get("/set_session/");
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.json, { data: { uid: "123" } });
    assert.match(answer.headers.get("Set-Cookie")!, /^sessionid=[a-z0-9]{32}; expires=.*; HttpOnly; .*SameSite=Lax$/);
    assert.deepEqual(await data(), { uid: "123" });
  });

  test("/set_session/ sets each value of the query: JSON, else text", async () => {
    await client.get('/set_session/?a=1&b=text&c=%5B1,%7B"d":null%7D%5D&e=true&f="1"&g=');
    assert.deepEqual(await data(), { a: 1, b: "text", c: [1, { d: null }], e: true, f: "1", g: "" });
  });

  test("/set_session/ takes a JSON object by POST, with integers of any size and every key", async () => {
    const body = '{"big":12345678901234567890,"float":1.0,"nan":NaN,"__proto__":{"x":1}}';
    await client.post("/set_session/", body);
    assert.equal(
      (await client.get("/get_session/")).text,
      '{"data":{"big":12345678901234567890,"float":1,"nan":NaN,"__proto__":{"x":1}}}',
    );
  });

  test("/set_session/ refuses a body that is no JSON object", async () => {
    for (const body of ["[1]", "null", "{", "uid=123"]) {
      const answer = await client.post("/set_session/", body);
      assert.equal(answer.status, 400);
      assert.deepEqual(answer.json, { error: "The body must be a JSON object." });
      assert.equal(answer.headers.get("Set-Cookie"), null);
    }
  });

  test("/get_session/ says a key's value and whether it is there", async () => {
    assert.deepEqual((await client.get("/get_session/?key=uid")).json, { value: null, present: false });
    await client.get("/set_session/?uid=7&none=null");
    assert.deepEqual((await client.get("/get_session/?key=uid")).json, { value: 7, present: true });
    assert.deepEqual((await client.get("/get_session/?key=none")).json, { value: null, present: true });
  });

  test("/get_session/ for a stranger reads nothing and sets no cookie", async () => {
    const answer = await client.get("/get_session/");
    assert.deepEqual(answer.json, { data: {} });
    assert.equal(answer.headers.get("Set-Cookie"), null);
    assert.equal(answer.headers.get("Vary"), "Cookie");
  });

  test("/clear_session/ empties the data and keeps the session", async () => {
    await client.get("/set_session/");
    const key = client.cookies.get("sessionid");
    assert.deepEqual((await client.get("/clear_session/")).json, { data: {} });
    assert.deepEqual(await data(), {});
    assert.equal(client.cookies.get("sessionid"), key);
  });

  test("/flush/ deletes the session and its cookie, and the old cookie opens nothing", async () => {
    await client.get("/set_session/");
    const key = client.cookies.get("sessionid")!;
    assert.deepEqual((await client.get("/flush/")).json, { data: {} });
    assert.equal(client.cookies.size, 0);
    client.cookies.set("sessionid", key);
    assert.deepEqual(await data(), {});
  });

  test("/cycle/ keeps the data under a new key; the old one is dead", async () => {
    await client.get("/set_session/");
    const old = client.cookies.get("sessionid")!;
    assert.deepEqual((await client.get("/cycle/")).json, { data: { uid: "123" } });
    assert.notEqual(client.cookies.get("sessionid"), old);
    assert.deepEqual(await data(), { uid: "123" });
    client.cookies.set("sessionid", old);
    assert.deepEqual(await data(), {});
  });

  test("/delete/ deletes one key", async () => {
    await client.get("/set_session/?a=1&b=2");
    assert.deepEqual((await client.get("/delete/?key=a")).json, { data: { b: 2 } });
    assert.deepEqual(await data(), { b: 2 });
    assert.equal((await client.get("/delete/")).status, 400);
  });

  test("/dump/ shows everything, with the key, and is never cached", async () => {
    await client.get("/set_session/");
    const before = Date.now();
    const answer = await client.get("/dump/");
    const { expire_date, ...rest } = answer.json;
    assert.deepEqual(rest, {
      data: { uid: "123" },
      session_key: client.cookies.get("sessionid"),
      modified: false,
      expiry_age: 1_209_600,
      browser_close: false,
    });
    assert.match(expire_date, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00$/);
    assert.ok(Date.parse(expire_date) >= before + 1_209_600_000);
    assert.equal(answer.headers.get("Cache-Control"), "no-store");
  });

  test("/dump/ for a stranger has no key", async () => {
    const { data, session_key, modified } = (await client.get("/dump/")).json;
    assert.deepEqual({ data, session_key, modified }, { data: {}, session_key: null, modified: false });
  });

  test("/incr/ adds 1 to n, or what it is told, exactly at any size", async () => {
    assert.deepEqual((await client.get("/incr/")).json, { value: 1, present: true });
    assert.deepEqual((await client.get("/incr/?by=2.5")).json, { value: 3.5, present: true });
    await client.get("/set_session/?big=9007199254740993");
    assert.deepEqual((await client.get("/incr/?key=big&by=-3")).json, { value: 9_007_199_254_740_990, present: true });
    assert.deepEqual((await client.get("/incr/?key=big&by=3")).json, { value: 9_007_199_254_740_993n, present: true });
  });

  test("/incr/ refuses to add to a text", async () => {
    await client.get("/set_session/?n=text");
    assert.equal((await client.get("/incr/")).status, 400);
    assert.equal((await client.get("/incr/?exact=1")).status, 400);
    assert.deepEqual(await data(), { n: "text" });
  });

  test("/incr/?exact=1 loses no increment among parallel ones", async () => {
    await client.get("/set_session/?n=0");
    const answers = await Promise.all(Array.from({ length: 25 }, () => client.get("/incr/?exact=1")));
    assert.deepEqual(
      answers.map(({ json }) => json.value).sort((a, b) => a - b),
      Array.from({ length: 25 }, (_, index) => index + 1),
    );
    assert.deepEqual(await data(), { n: 25 });
  });

  test("/expiry/ takes seconds", async () => {
    const answer = await client.get("/expiry/?v=300");
    assert.equal(answer.json.expiry_age, 300);
    assert.equal(answer.json.modified, true);
    assert.match(answer.headers.get("Set-Cookie")!, /; Max-Age=300;/);
    assert.deepEqual(await data(), { _session_expiry: 300 });
  });

  test("/expiry/ takes 0, the end of the browser, and null, the global setting", async () => {
    const answer = await client.get("/expiry/?v=0");
    assert.equal(answer.json.browser_close, true);
    assert.doesNotMatch(answer.headers.get("Set-Cookie")!, /Max-Age|expires/);
    assert.equal((await client.get("/expiry/?v=null")).json.browser_close, false);
    assert.deepEqual(await data(), {});
  });

  test("/expiry/ takes an ISO date, as JSON or as text, escaped or not", async () => {
    for (const [v, expected] of [
      ["2040-12-04T11:46:18.566000%2B00:00", "2040-12-04T11:46:18.566000+00:00"],
      ["2040-12-04T11:46:18.566000+00:00", "2040-12-04T11:46:18.566000+00:00"],
      ['"2040-12-04T13:46:18%2B02:00"', "2040-12-04T11:46:18+00:00"],
      ["2040-12-04T11:46:18Z", "2040-12-04T11:46:18+00:00"],
      ["2040-12-04T11:46", "2040-12-04T11:46:00+00:00"],
      ["2040-12-04", "2040-12-04T00:00:00+00:00"],
    ]) {
      assert.equal((await client.get(`/expiry/?v=${v}`)).json.expire_date, expected);
    }
  });

  test('/expiry/ takes "never"', async () => {
    assert.equal((await client.get("/expiry/?v=never")).json.expire_date, "9999-01-01T00:00:00+00:00");
    assert.equal((await client.get('/expiry/?v="never"')).json.expire_date, "9999-01-01T00:00:00+00:00");
  });

  test("/expiry/ refuses everything else, and changes nothing", async () => {
    for (const query of ["", "?v=soon", "?v=NaN", "?v=1e300", "?v=true", "?v=2040-13-01", "?v=%5B1%5D"]) {
      const answer = await client.get(`/expiry/${query}`);
      assert.equal(answer.status, 400);
      assert.equal(typeof answer.json.error, "string");
      assert.equal(answer.headers.get("Set-Cookie"), null);
    }
  });

  test("/nested/ changes a nested object in place, and that is saved", async () => {
    await client.get("/nested/");
    await client.get("/nested/");
    assert.deepEqual((await client.get("/nested/")).json, { data: { nested: { count: 3 } } });
    assert.deepEqual(await data(), { nested: { count: 3 } });
  });

  test("/noop/ leaves session, cookie and caches alone", async () => {
    await client.get("/set_session/");
    const answer = await client.get("/noop/");
    assert.deepEqual(answer.json, { ok: true });
    assert.equal(answer.headers.get("Set-Cookie"), null);
    assert.equal(answer.headers.get("Vary"), null);
  });

  test("/status/ below 500 saves what it wrote", async () => {
    const answer = await client.get("/status/?code=404");
    assert.equal(answer.status, 404);
    assert.deepEqual(answer.json, { data: { uid: "123" } });
    assert.deepEqual(await data(), { uid: "123" });
    assert.equal((await client.get("/status/?code=201&k=1")).status, 201);
    assert.deepEqual(await data(), { uid: "123", k: 1 });
  });

  test("/status/ from 500 saves nothing and sets no cookie", async () => {
    const answer = await client.get("/status/?code=503");
    assert.equal(answer.status, 503);
    assert.equal(answer.headers.get("Set-Cookie"), null);
    assert.deepEqual(await data(), {});
  });

  test("/status/ refuses what is no status", async () => {
    for (const query of ["", "?code=abc", "?code=99", "?code=600", "?code=200.5"]) {
      assert.equal((await client.get(`/status/${query}`)).status, 400);
    }
  });

  test("/error/ answers 500, and its write is not saved", async () => {
    await client.get("/set_session/?k=before");
    const answer = await client.get("/error/?k=after");
    assert.equal(answer.status, 500);
    assert.equal(typeof answer.json.error, "string");
    assert.deepEqual(await data(), { k: "before" });
  });

  test("/slow/ reads, waits and writes; of parallel ones no write is lost", async () => {
    await client.get("/set_session/");
    const paths = ["a", "b", "c"].map((key) => `/slow/?s=0.05&${key}=1`);
    const answers = await Promise.all(paths.map((path) => client.get(path)));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200],
    );
    assert.deepEqual(await data(), { uid: "123", a: 1, b: 1, c: 1 });
    assert.equal((await client.get("/slow/?s=forever")).status, 400);
  });

  test("/interrupted/ answers 400 and brings nothing back, with and without a session", async () => {
    for (const path of ["/noop/", "/set_session/"]) {
      await client.get(path);
      const answer = await client.get("/interrupted/");
      assert.equal(answer.status, 400);
      assert.match(answer.text, /deleted before the request completed/);
      assert.equal(answer.headers.get("Set-Cookie"), null);
      assert.deepEqual(await data(), {});
    }
  });

  test("/testcookie/ sets the test cookie; check=1 says whether it came back, and deletes it", async () => {
    assert.deepEqual((await client.get("/testcookie/?check=1")).json, { worked: false });
    assert.deepEqual((await client.get("/testcookie/")).json, { data: { testcookie: "worked" } });
    assert.deepEqual((await client.get("/testcookie/?check=1")).json, { worked: true });
    assert.deepEqual((await client.get("/testcookie/?check=1")).json, { worked: false });
  });

  test("/vary/ sets Vary, to which a session that was read adds Cookie", async () => {
    const vary = async (query: string) => (await client.get(`/vary/?${query}`)).headers.get("Vary");
    assert.equal(await vary("v=Accept-Encoding"), "Accept-Encoding");
    assert.equal(await vary("v=Accept-Encoding&touch=1"), "Accept-Encoding, Cookie");
    assert.equal(await vary("v=Cookie&touch=1"), "Cookie");
    assert.equal(await vary("v=*&touch=1"), "*");
    assert.equal(await vary("touch=1"), "Cookie");
    assert.equal((await client.get("/vary/?v=%0d%0aX: 1")).status, 400);
  });

  test("an address that is not there answers 404 as JSON", async () => {
    const answer = await client.get("/nowhere/");
    assert.equal(answer.status, 404);
    assert.deepEqual(answer.json, { error: "There is nothing at this address." });
  });
});
