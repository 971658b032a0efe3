import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { resolveDjangoSettings } from "../../src/django/settings/resolve.ts";
import { connectDjango } from "../../src/django.ts";
import { startMemcached } from "../support/servers/memcached.ts";

/* Python's clients take a value of memcached for a pickle where its flags are 1, and for bytes where they are 0. */

const server = await startMemcached();

/** What `get` answers, to the first line's end: `VALUE <key> <flags> <bytes>`. */
async function firstLine(key: string): Promise<string> {
  const socket = connect(server.port, "127.0.0.1");
  socket.end(`get ${key}\r\nquit\r\n`);
  let text = "";
  for await (const chunk of socket.setEncoding("latin1")) text += chunk;
  return text.slice(0, text.indexOf("\r\n"));
}

const notNeeded = () => assert.fail("Nobody else has changed the session.");

describe("Django's cache engine on memcached", () => {
  for (const backend of ["PyMemcacheCache", "PyLibMCCache"]) {
    test(`tells Python that sessions are pickles, when it creates, changes and cycles them: ${backend}`, async (t) => {
      const { engine, store } = await connectDjango(
        resolveDjangoSettings({
          SECRET_KEY: "a secret key for tests, 32 characters at least",
          SESSION_ENGINE: "django.contrib.sessions.backends.cache",
          CACHES: {
            default: {
              BACKEND: `django.core.cache.backends.memcached.${backend}`,
              LOCATION: `127.0.0.1:${server.port}`,
            },
          },
        }),
      );
      t.after(() => store!.close());
      const saving = { now: new Date(), expiresAt: () => new Date(Date.now() + 3_600_000) };
      const isPickle = async (token: string) => {
        const item = `:1:django.contrib.sessions.cache${token}`;
        assert.match(await firstLine(item), new RegExp(`^VALUE ${item} 1 \\d+$`));
      };
      const created = await engine.create({ user: 1 }, saving);
      await isPickle(created.token);
      const changed = await engine.update(created, { user: 2 }, saving, notNeeded);
      await isPickle(changed.token);
      const cycled = await engine.cycle(changed, { user: 3 }, saving, notNeeded);
      await isPickle(cycled.token);
      assert.equal(await firstLine(`:1:django.contrib.sessions.cache${created.token}`), "END");
    });
  }
});
