import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { fingerprint, memoryStore } from "sojourn";
import { type DemoClient, demoClient } from "./demo-client.ts";
import { type DemoServer, startDemo } from "./demo-server.ts";

describe("The demo's page", () => {
  let server: DemoServer;
  let client: DemoClient;
  before(async () => {
    server = await startDemo();
  });
  after(() => server.stop());
  beforeEach(() => {
    client = demoClient(server.address);
  });

  const form = (fields: Record<string, string>) => new URLSearchParams(fields);
  const data = async () => (await client.get("/get_session/")).json.data;

  test("costs a stranger no cookie", async () => {
    const answer = await client.get("/");
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get("Content-Type")!, /^text\/html/);
    assert.equal(answer.headers.get("Set-Cookie"), null);
    assert.match(answer.text, /No cookie\./);
    assert.match(answer.text, /No row\./);
  });

  test("runs nothing but its own style sheet and script, and stands in no frame", async () => {
    const { headers } = await client.get("/");
    const policy = headers.get("Content-Security-Policy")!;
    assert.match(policy, /default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+';/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.equal(headers.get("X-Content-Type-Options"), "nosniff");
    assert.equal(headers.get("Referrer-Policy"), "same-origin");
    assert.equal(headers.get("Cache-Control"), "no-store");
    assert.equal(headers.get("X-Powered-By"), null);
  });

  test("answers each form with a redirect back", async () => {
    const actions: [string, Record<string, string>, unknown][] = [
      ["set", { key: "uid", value: "[1]" }, { uid: [1] }],
      ["set", { key: "name", value: "Ada" }, { uid: [1], name: "Ada" }],
      ["delete", { key: "uid" }, { name: "Ada" }],
      ["expiry", { v: "60", at: "" }, { name: "Ada", _session_expiry: 60 }],
      ["expiry", { v: "at", at: "2040-01-02T03:04" }, { name: "Ada", _session_expiry: "2040-01-02T03:04:00+00:00" }],
      ["cycle", {}, { name: "Ada", _session_expiry: "2040-01-02T03:04:00+00:00" }],
      ["clear", {}, {}],
      ["flush", {}, {}],
    ];
    for (const [action, fields, expected] of actions) {
      const answer = await client.post(`/do/${action}`, form(fields));
      assert.equal(answer.status, 303);
      assert.equal(answer.headers.get("Location"), `/?did=${action}`);
      assert.deepEqual(await data(), expected);
    }
    assert.equal(client.cookies.size, 0);
  });

  test("says what happened, in its own words only", async () => {
    assert.match((await client.get("/?did=flush")).text, /<p id="said" role="status">Logged out/);
    for (const did of ["<b>", "constructor", "__proto__", "toString"]) {
      assert.match((await client.get(`/?did=${encodeURIComponent(did)}`)).text, /<p id="said" role="status"><\/p>/);
    }
  });

  test("reads a value aloud, and changes nothing by it", async () => {
    await client.get("/set_session/?uid=7");
    const answer = await client.get("/?read=uid");
    assert.match(answer.text, /role="status">uid is 7</);
    assert.equal(answer.headers.get("Set-Cookie"), null);
    assert.match((await client.get("/?read=other")).text, /There is no other in the session\./);
  });

  test("shows fingerprints of the key, the payload as stored and the data; never the key", async () => {
    await client.get("/set_session/?uid=7");
    const key = client.cookies.get("sessionid")!;
    const { text } = await client.get("/");
    assert.equal(text.split(`<code>${fingerprint(key)}</code>`).length - 1, 2);
    assert.match(text, /<span class="part-data">eyJ1aWQiOjd9<\/span>:<span class="part-time">/);
    assert.ok(!text.includes(key));
  });

  test("shows a row's expiry as it is stored, however late one looks", async () => {
    let now = new Date("2030-01-01T00:00:00.500Z");
    const store = memoryStore({ now: () => now });
    // As SQL stores answer: of the row's expiry the payload alone can tell.
    const load = async (key: string) => {
      const record = await store.load(key);
      return record && { payload: record.payload };
    };
    const demo = await startDemo({ now: () => now, store: { ...store, load } });
    try {
      const visitor = demoClient(demo.address);
      const expireDate = async () => /expire_date<\/dt><dd>(.*?)<\/dd>/.exec((await visitor.get("/")).text)![1]!;
      await visitor.get("/expiry/?v=3600");
      now = new Date("2030-01-01T00:29:30Z");
      assert.match(await expireDate(), />2030-01-01 01:00:00 UTC<.*>in 30 minutes 30 seconds</);
      await visitor.get("/expiry/?v=2040-01-02T03:04:05Z");
      assert.match(await expireDate(), />2040-01-02 03:04:05 UTC</);
      await visitor.get("/expiry/?v=never");
      assert.equal(await expireDate(), "never");
    } finally {
      await demo.stop();
    }
  });

  test("shows hostile keys and values as text", async () => {
    const hostile = `"'><img src=x onerror=alert(1)></script><script>alert(2)</script>&amp;`;
    await client.post("/do/set", form({ key: hostile, value: hostile }));
    for (const path of ["/", `/?read=${encodeURIComponent(hostile)}`]) {
      const { text } = await client.get(path);
      assert.ok(!text.includes("<img"));
      assert.equal(text.split("<script").length, 2);
      assert.match(text, /&lt;img src=x onerror=alert\(1\)&gt;&lt;\/script&gt;/);
    }
  });

  test("shows the letters of all scripts, and characters that cannot be seen as escapes", async () => {
    await client.post("/do/set", form({ key: "name", value: "Zoë 日本 😀 \\u0041 \u0000" }));
    assert.ok((await client.get("/")).text.includes("&quot;Zoë 日本 😀 \\\\u0041 \\u0000&quot;"));
  });

  test("says that a cookie leads nowhere, and takes it away", async () => {
    client.cookies.set("sessionid", "0123456789abcdefghijklmnopqrstuv");
    const answer = await client.get("/");
    assert.match(answer.text, /no session here/);
    assert.equal(client.cookies.size, 0);
  });

  test("refuses forms of other sites and of other ports", async () => {
    for (const site of ["cross-site", "same-site"]) {
      const answer = await client.post("/do/set", form({ key: "a", value: "1" }), { "Sec-Fetch-Site": site });
      assert.equal(answer.status, 403);
      assert.equal(answer.headers.get("Set-Cookie"), null);
    }
    const own = await client.post("/do/set", form({ key: "a", value: "1" }), { "Sec-Fetch-Site": "same-origin" });
    assert.equal(own.status, 303);
  });

  test("changes nothing by GET", async () => {
    await client.get("/set_session/");
    assert.equal((await client.get("/do/flush")).status, 404);
    assert.deepEqual(await data(), { uid: "123" });
  });

  test("answers browsers' mistakes with a page, everyone else's with JSON", async () => {
    const browser = { Accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
    for (const [action, status] of [
      ["set", 400],
      ["expiry", 400],
      ["nothing", 404],
      ["constructor", 404],
    ] as const) {
      const asPage = await client.post(`/do/${action}`, form({}), browser);
      assert.equal(asPage.status, status);
      assert.match(asPage.text, /<p id="said" class="bad" role="status">[^<]+<\/p>/);
      const asJson = await client.post(`/do/${action}`, form({}));
      assert.equal(asJson.status, status);
      assert.equal(typeof asJson.json.error, "string");
    }
  });

  test("has another cookie's name and attributes if the settings say so", async () => {
    const other = await startDemo({ django: { SESSION_COOKIE_NAME: "sid", SESSION_COOKIE_SAMESITE: "Strict" } });
    try {
      const visitor = demoClient(other.address);
      await visitor.post("/do/set", form({ key: "uid", value: "1" }));
      const { text } = await visitor.get("/");
      assert.match(text, /<dt>sid<\/dt>/);
      assert.match(text, /<code>SameSite=Strict<\/code>/);
      assert.ok(text.includes(fingerprint(visitor.cookies.get("sid")!)));
    } finally {
      await other.stop();
    }
  });
});
