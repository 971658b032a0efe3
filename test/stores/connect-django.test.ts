import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { startRedis } from "../support/servers/redis.ts";
import { newFile } from "./files.ts";

test("connectDjango closes what it has opened when the cache's options are refused: the process can end", async () => {
  const server = await startRedis();
  const settings = {
    SECRET_KEY: "a secret key for tests, 32 characters at least",
    SESSION_ENGINE: "django.contrib.sessions.backends.cached_db",
    DATABASES: { default: { ENGINE: "django.db.backends.sqlite3", NAME: newFile() } },
    // Its connection keeps a process from ending, until it is closed.
    CACHES: {
      default: { BACKEND: "django.core.cache.backends.redis.RedisCache", LOCATION: `redis://127.0.0.1:${server.port}` },
    },
  };
  const script = `
    const { connectDjango, resolveDjangoSettings } = await import(${JSON.stringify(import.meta.resolve("../../src/django.js"))});
    await connectDjango(resolveDjangoSettings(${JSON.stringify(settings)}), { maxAge: -1 }).catch(({ code }) => console.log(code));`;
  const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    timeout: 15_000,
  });
  assert.deepEqual([status, stdout], [0, "ERR_CONFIG\n"]);
});
