import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { DJANGO_ENGINES } from "../support/django-engines.ts";
import { demoClient } from "./demo-client.ts";
import { type DemoServer, startDemoOn } from "./demo-server.ts";

/* The demo on every engine, by nothing but a Django project's settings. */

for (const [name, settings] of Object.entries(DJANGO_ENGINES)) {
  const isCookie = settings.SESSION_ENGINE?.endsWith("signed_cookies");

  describe(`The demo with ${name}`, () => {
    const servers: DemoServer[] = [];
    const start = async () => {
      const server = await startDemoOn(settings);
      servers.push(server);
      return demoClient(server.address);
    };
    after(() => Promise.all(servers.map((server) => server.stop())));

    test("logs in, changes, moves and logs out a session", async () => {
      const client = await start();
      await client.get('/set_session/?uid=123&cart=["apple"]&pi=3.5&none=null');
      assert.deepEqual((await client.get("/get_session/")).json, {
        data: { uid: 123, cart: ["apple"], pi: 3.5, none: null },
      });
      const [before] = client.cookies.values();
      await client.get("/cycle/");
      const [moved] = client.cookies.values();
      // A signed cookie has no key to change, in Django neither.
      if (!isCookie) assert.notEqual(moved, before);
      await client.get("/incr/?key=n&by=2&exact=1");
      assert.equal((await client.get("/get_session/?key=n")).json.value, 2);
      await client.get("/expiry/?v=60");
      await client.get("/flush/");
      assert.equal(client.cookies.size, 0);
      client.cookies.set("sessionid", moved!);
      // Nobody can call a signed cookie back.
      assert.equal((await client.get("/get_session/?key=uid")).json.present, isCookie ?? false);
    });

    test("shows the session where it is", async () => {
      const client = await start();
      await client.get("/set_session/?uid=123");
      const page = await client.get("/", { Accept: "text/html" });
      assert.equal(page.status, 200);
      assert.match(page.text, />uid</);
      const [key] = client.cookies.values();
      assert.ok(!page.text.includes(key!), "the page shows the key");
    });

    if (!isCookie) {
      test("keeps what parallel requests write", async () => {
        const client = await start();
        await client.get("/set_session/?uid=123");
        const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => client.get(`/set_session/?k${n}=${n}`)));
        assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
        const { data } = (await client.get("/get_session/")).json;
        for (let n = 0; n < 20; n++) assert.equal(data[`k${n}`], n);
      });
    }
  });
}
