import assert from "node:assert/strict";
import type { SessionStore } from "../../src/core/contracts.ts";

export const KEY = "k3y0fas3ss10nk3y0fas3ss10nk3y0fa";

export const inAnHour = (): Date => new Date(Date.now() + 3_600_000);

/** Each operation, with and without expectation, and with bytes that are no text. */
export async function doesAll(store: SessionStore): Promise<void> {
  const record = (payload: string | Uint8Array) => ({ payload, expiresAt: inAnHour() });
  const bytes = new Uint8Array([0xff, 0x00, 0x80]);
  assert.equal(await store.load(KEY), null);
  assert.equal(await store.update(KEY, record("x")), false);
  assert.equal(await store.create(KEY, record("a")), true);
  assert.equal(await store.create(KEY, record("x")), false);
  assert.equal(String((await store.load(KEY))?.payload), "a");
  assert.equal(await store.update(KEY, record(bytes), "a"), true);
  assert.equal(await store.update(KEY, record("x"), "a"), false);
  assert.deepEqual([...((await store.load(KEY))!.payload as Uint8Array)], [...bytes]);
  assert.equal(await store.update(KEY, record("b"), bytes), true);
  assert.equal(await store.update(KEY, record("c")), true);
  assert.equal(await store.delete(KEY, "b"), false);
  assert.equal(await store.delete(KEY, "c"), true);
  assert.equal(await store.delete(KEY, "c"), false);
  assert.equal(await store.create(KEY, record("d")), true);
  assert.equal(await store.delete(KEY), true);
  assert.equal(await store.delete(KEY), false);
  assert.equal(await store.deleteExpired(), 0);
}

/** Asks until it answers, and says after how many milliseconds it did. */
export async function backAgain(operation: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  for (;;) {
    try {
      await operation();
      return performance.now() - begin;
    } catch (error) {
      if (performance.now() - begin > 30_000) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
