import assert from "node:assert/strict";
import type { ParityEngine } from "./parity-engine.ts";

/** 1240 characters, as in Django's test. */
const OVERLONG = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".repeat(20);

export async function overlongKey({ engine, session }: ParityEngine): Promise<void> {
  assert.equal(engine.isToken(OVERLONG), false);
  const none = await session(OVERLONG);
  assert.equal(none.key, null);
  assert.equal(none.size, 0);
}
