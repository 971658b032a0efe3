import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { fetchSessions } from "../../src/adapters/fetch.ts";
import { createSessions } from "../../src/core/sessions.ts";
import { type AdapterAnswer, adapterSuite } from "../../src/testing/adapter-suite.ts";
import { failing, probedEngine } from "../../src/testing/probed-engine.ts";
import { serveFetch } from "./servers.ts";

suite("fetch", () => {
  adapterSuite(test, (sessions, handlers) =>
    serveFetch(
      fetchSessions(sessions, async (request) => {
        const handler = handlers[new URL(request.url).pathname]!;
        return responseOf(await handler(() => sessions.get(request)));
      }),
    ),
  );
});

function responseOf({ status = 200, headers = {}, body }: AdapterAnswer): Response {
  const list = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value): [string, string] => [name, value]),
  );
  const stream = typeof body === "object" ? ReadableStream.from(body).pipeThrough(new TextEncoderStream()) : body;
  return new Response((stream ?? null) as never, { status, headers: list });
}

suite("fetch: responses of a handler", () => {
  const engine = probedEngine();
  const sessions = createSessions(engine);
  const request = (cookie = "") => new Request("http://localhost/", { headers: { cookie } });
  const answering = (response: () => Response) =>
    fetchSessions(sessions, async (incoming) => {
      (await sessions.get(incoming)).set("changed", true);
      return response();
    });

  test("one that is used for several requests is never given a session's cookie", async () => {
    const shared = new Response(null, { status: 204 });
    const handle = answering(() => shared);
    const [first, second] = [await handle(request()), await handle(request())];
    assert.equal(shared.headers.has("Set-Cookie"), false);
    assert.equal(first.headers.getSetCookie().length, 1);
    assert.equal(second.headers.getSetCookie().length, 1);
    assert.notEqual(first.headers.getSetCookie()[0], second.headers.getSetCookie()[0]);
  });

  test("one whose headers cannot be changed is given the cookie all the same", async () => {
    const redirect = await answering(() => Response.redirect("http://localhost/next", 303))(request());
    assert.equal(redirect.status, 303);
    assert.equal(redirect.headers.get("Location"), "http://localhost/next");
    assert.equal(redirect.headers.getSetCookie().length, 1);
  });

  test("one that cannot be copied is passed on as it is", async () => {
    const response = Response.error();
    assert.equal(await answering(() => response)(request()), response);
  });

  test("one that is not sent, because the save failed, has its body cancelled", async (t) => {
    t.mock.method(console, "error", () => {});
    failing(engine, "create");
    let reason: unknown;
    const body = new ReadableStream({
      cancel: (error) => {
        reason = error;
      },
    });
    const response = await answering(() => new Response(body))(request());
    failing(engine);
    assert.equal(response.status, 503);
    assert.equal((reason as { code?: string }).code, "ERR_SESSION_UNAVAILABLE");
  });

  test("an error that is not the session's is passed on", async () => {
    const error = new TypeError("of the handler");
    const handle = answering(() => {
      throw error;
    });
    await assert.rejects(handle(request()), error);
  });

  test("after cycleKey, an error answer still brings the new cookie: the old one is dead", async (t) => {
    t.mock.method(console, "error", () => {});
    const login = await answering(() => new Response())(request());
    const cookie = login.headers.getSetCookie()[0]!.split(";")[0]!;
    const handle = fetchSessions(sessions, async (incoming) => {
      const session = await sessions.get(incoming);
      await session.cycleKey();
      failing(engine, "update");
      session.set("more", true);
      await session.save();
      return new Response();
    });
    const response = await handle(request(cookie));
    failing(engine);
    assert.equal(response.status, 503);
    assert.match(String(response.headers.getSetCookie()[0]), /^sessionid=[a-z0-9]{32};/);
    assert.notEqual(response.headers.getSetCookie()[0]!.split(";")[0], cookie);
  });
});
