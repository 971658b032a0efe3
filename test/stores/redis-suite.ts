import assert from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "ioredis";
import type { SessionStore } from "../../src/core/contracts.ts";
import type { RedisStoreOptions } from "../../src/stores/redis/store.ts";
import { storeSuite } from "../../src/testing/index.ts";
import type { RedisServer } from "../support/servers/redis.ts";

/** Stores made so far. */
let count = 0;

/**
 * The suite on a store whose records lie on these primaries. Each test has a prefix of its own, and leaves no key that
 * would stay for ever.
 */
export function redisSuite(
  primaries: () => readonly RedisServer[],
  makeStore: (options: RedisStoreOptions) => SessionStore | Promise<SessionStore>,
  password?: string,
): void {
  storeSuite(
    test,
    async ({ now }) => {
      const prefix = `suite${count++}:`;
      const admins = primaries().map(({ socket }) => new Redis(socket, password === undefined ? {} : { password }));
      return {
        ...(await makeStore({ prefix, now })),
        age: async (ms) => {
          await Promise.all(admins.map((admin) => admin.eval(AGE, 0, `${prefix}*`, ms)));
        },
        close: async () => {
          for (const admin of admins) {
            for (const key of await admin.keys(`${prefix}*`)) assert.notEqual(await admin.pttl(key), -1);
            admin.disconnect();
          }
        },
      };
    },
    { binary: true, selfExpiring: true },
  );
}

/** Shortens the time that the keys have to live. A cluster refuses scripts with keys that are not declared, but for this flag. */
const AGE = `#!lua flags=allow-cross-slot-keys
for _, key in ipairs(redis.call("KEYS", ARGV[1])) do
  local left = redis.call("PTTL", key) - ARGV[2]
  if left <= 0 then redis.call("DEL", key) else redis.call("PEXPIRE", key, string.format("%.0f", left)) end
end`;
