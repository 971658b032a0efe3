import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Redis } from "ioredis";
import type { SessionStore } from "../../src/core/contracts.ts";
import { storeSuite } from "../../src/testing/index.ts";
import type { RedisServer } from "../support/servers/redis.ts";

/**
 * The suite on one store, whose records lie on these primaries. Each test leaves no key that would stay for ever, and
 * then none at all.
 */
export function redisSuite(
  primaries: () => readonly RedisServer[],
  makeStore: (options: { now: () => Date }) => SessionStore | Promise<SessionStore>,
  password?: string,
): void {
  let [admins, time]: [Redis[], () => Date] = [[], () => new Date()];
  let store: SessionStore;
  before(async () => {
    admins = primaries().map(({ socket }) => new Redis(socket, password === undefined ? {} : { password }));
    store = await makeStore({ now: () => time() });
  });
  after(() => admins.map((admin) => admin.disconnect()));

  storeSuite(
    test,
    async ({ now }) => {
      time = now;
      return {
        ...store,
        age: async (ms) => {
          await Promise.all(admins.map((admin) => admin.eval(AGE, 0, ms)));
        },
        close: async () => {
          for (const admin of admins) {
            for (const key of await admin.keys("*")) assert.notEqual(await admin.pttl(key), -1);
            await admin.flushall();
          }
        },
      };
    },
    { binary: true, selfExpiring: true },
  );
}

/** Shortens the time that the keys have to live. The flag is for clusters, where a script must declare its keys. */
const AGE = `#!lua flags=allow-cross-slot-keys
for _, key in ipairs(redis.call("KEYS", "*")) do
  local left = redis.call("PTTL", key) - ARGV[1]
  if left <= 0 then redis.call("DEL", key) else redis.call("PEXPIRE", key, string.format("%.0f", left)) end
end`;
