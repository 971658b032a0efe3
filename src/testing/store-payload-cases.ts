import assert from "node:assert/strict";
import type { Payload, SessionRecord, SessionStore } from "../core/contracts.ts";
import { SessionError } from "../core/errors.ts";
import { HOUR, KEY, payloadOf, type StoreCases } from "./store-case.ts";

const TEXTS = {
  "the empty payload": "",
  "blanks at both ends": "  a \t\n ",
  "characters beyond ASCII": "é ß 漢字 \u2028",
  "characters beyond the basic plane": "😀 \u{10ffff}",
  "composed and decomposed accents": "\u00e9 e\u0301",
  "text that looks like SQL": `'; DROP TABLE django_session; -- " \\ % _ ? $1 :a @b`,
  "text that looks like a number": "0012.50",
  "text that looks like JSON": '{"a": [1.0, null]}',
  "a megabyte": "0123456789abcdef".repeat(65_536),
};

/** Pairs that some database, collation or trimming layer takes for equal. */
const LOOKALIKES: Readonly<Record<string, readonly [string, string]>> = {
  case: ["payload", "Payload"],
  "a blank at the end": ["payload", "payload "],
  "a blank at the start": ["payload", " payload"],
  "a line break at the end": ["payload", "payload\n"],
  "an accent": ["resume", "résumé"],
  "the normal form of an accent": ["\u00e9", "e\u0301"],
  width: ["a", "\uff41"],
  "ligature or two letters": ["straße", "strasse"],
  "a character beyond the basic plane": ["😀", "😁"],
  "how a number is written": ["1", "1.0"],
  "the empty payload and a blank": ["", " "],
  "what follows a NUL": ["a", "a\0b"],
  "the last character of a megabyte": ["x".repeat(1_048_575), `${"x".repeat(1_048_574)}y`],
};

/** Payloads are opaque, and the payload is the version: what was loaded equals what is stored, byte for byte. */
export const storePayloadCases: StoreCases = {
  ...Object.fromEntries(
    Object.entries(TEXTS).map(([name, payload]) => [
      `payloads come back as they were written, and can be expected: ${name}`,
      (store: SessionStore, clock: { in(ms: number): Date }) => keeps(store, clock.in(HOUR), payload),
    ]),
  ),

  // Where a backend or a driver takes no NUL, refusing is right: a text that is cut off never equals itself again.
  "a payload with NUL characters comes back whole, or is refused and nothing is written": async (store, clock) => {
    const record = { payload: "a\0b\0", expiresAt: clock.in(HOUR) };
    await store.create(KEY, { payload: "a", expiresAt: clock.in(HOUR) });
    try {
      assert.equal(await store.update(KEY, record), true);
      assert.equal(await payloadOf(store, KEY), "a\0b\0");
    } catch (error) {
      assert.ok(error instanceof SessionError, String(error));
      assert.equal(await payloadOf(store, KEY), "a");
      await store.delete(KEY);
      await assert.rejects(store.create(KEY, record), SessionError);
      assert.equal(await store.load(KEY), null);
    }
  },

  ...Object.fromEntries(
    Object.entries(LOOKALIKES).map(([name, pair]) => [
      `an expected payload is compared byte for byte: ${name}`,
      async (store: SessionStore, clock: { in(ms: number): Date }) => {
        for (const [stored, expected] of [pair, pair.toReversed() as [string, string]]) {
          if (!(await createdUnlessRefused(store, { payload: stored, expiresAt: clock.in(HOUR) }))) continue;
          assert.equal(await store.update(KEY, { payload: "new", expiresAt: clock.in(HOUR) }, expected), false);
          assert.equal(await store.delete(KEY, expected), false);
          assert.equal(await payloadOf(store, KEY), stored);
          assert.equal(await store.delete(KEY, stored), true);
        }
      },
    ]),
  ),
};

export const binaryPayloadCases: StoreCases = {
  "payloads of bytes come back as they were written, and can be expected": async (store, clock) => {
    const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    for (const bytes of [
      every,
      every.subarray(100, 200),
      new Uint8Array(),
      new Uint8Array([0]),
      new Uint8Array(1_048_576).fill(0xff),
    ]) {
      await keeps(store, clock.in(HOUR), bytes);
    }
  },

  "an expected payload of bytes is compared byte for byte": async (store, clock) => {
    await store.create(KEY, { payload: new Uint8Array([1, 0, 2]), expiresAt: clock.in(HOUR) });
    for (const bytes of [[1, 0, 3], [1, 0], [1, 0, 2, 0], []]) {
      const expected = new Uint8Array(bytes);
      assert.equal(await store.update(KEY, { payload: "a", expiresAt: clock.in(HOUR) }, expected), false);
      assert.equal(await store.delete(KEY, expected), false);
    }
    assert.equal(await store.delete(KEY, Buffer.from([1, 0, 2])), true);
  },

  "payloads of bytes belong to the store: changing the caller's arrays changes nothing": async (store, clock) => {
    const created = new Uint8Array([1]);
    await store.create(KEY, { payload: created, expiresAt: clock.in(HOUR) });
    created[0] = 9;
    const loaded = await bytesOf(store);
    assert.deepEqual([...loaded], [1]);
    loaded[0] = 9;
    assert.deepEqual([...(await bytesOf(store))], [1]);
    const updated = new Uint8Array([2]);
    await store.update(KEY, { payload: updated, expiresAt: clock.in(HOUR) });
    updated[0] = 9;
    assert.deepEqual([...(await bytesOf(store))], [2]);
  },
};

export const noBinaryPayloadCases: StoreCases = {
  "payloads of bytes are refused as a wrong configuration, and nothing is written": async (store, clock) => {
    const record = { payload: new Uint8Array([65]), expiresAt: clock.in(HOUR) };
    await assert.rejects(store.create(KEY, record), { name: "SessionError", code: "ERR_CONFIG" });
    assert.equal(await store.load(KEY), null);
    await store.create(KEY, { payload: "a", expiresAt: clock.in(HOUR) });
    await assert.rejects(store.update(KEY, record), { name: "SessionError", code: "ERR_CONFIG" });
    assert.equal(await payloadOf(store, KEY), "a");
  },
};

async function keeps(store: SessionStore, expiresAt: Date, payload: Payload): Promise<void> {
  const check = async () => {
    const loaded = (await store.load(KEY))?.payload;
    // Not deepEqual: its message would hold a megabyte.
    assert.ok(
      loaded !== undefined && Buffer.from(loaded).equals(Buffer.from(payload)),
      "the payload came back changed",
    );
    if (typeof payload !== "string") assert.notEqual(typeof loaded, "string");
    // What was loaded is what the engine will expect.
    assert.equal(await store.update(KEY, { payload, expiresAt }, loaded), true);
  };
  assert.equal(await store.create(KEY, { payload, expiresAt }), true);
  await check();
  assert.equal(await store.update(KEY, { payload: "other", expiresAt }, payload), true);
  assert.equal(await store.update(KEY, { payload, expiresAt }, "other"), true);
  await check();
  assert.equal(await store.delete(KEY, payload), true);
}

/** What a store refuses to keep cannot be mistaken for something else. */
async function createdUnlessRefused(store: SessionStore, record: SessionRecord): Promise<boolean> {
  try {
    return await store.create(KEY, record);
  } catch (error) {
    if (error instanceof SessionError) return false;
    throw error;
  }
}

async function bytesOf(store: SessionStore): Promise<Uint8Array> {
  return (await store.load(KEY))?.payload as Uint8Array;
}
