import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SessionStore } from "../../src/core/contracts.ts";
import { newSessionKey } from "../../src/core/key.ts";
import { hashedKeys } from "../../src/stores/hashed-keys.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { storeSuite } from "../../src/testing/store-suite.ts";

describe("a store whose keys are hashed", () => {
  storeSuite(test, ({ now }) => hashedKeys(memoryStore({ now })), { binary: true });
});

test("no session key reaches the store, and what does is a key of Django's alphabet and length", async () => {
  const seen: string[] = [];
  const inner = memoryStore();
  const spy = Object.fromEntries(
    Object.entries(inner).map(([name, method]) => [
      name,
      (...args: unknown[]) => {
        seen.push(String(args[0]));
        return (method as (...args: unknown[]) => unknown)(...args);
      },
    ]),
  ) as unknown as SessionStore;
  const store = hashedKeys(spy);
  const keys = Array.from({ length: 1000 }, newSessionKey);
  const record = { payload: "payload", expiresAt: new Date(Date.now() + 60_000) };
  for (const key of keys) {
    await store.create(key, record);
    await store.load(key);
    await store.update(key, record, "payload");
    await store.delete(key, "payload");
  }
  assert.equal(new Set(seen).size, keys.length);
  for (const key of seen) assert.match(key, /^[a-z2-7]{40}$/);
  assert.ok(!seen.some((key) => keys.includes(key)));
});
