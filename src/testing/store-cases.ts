import assert from "node:assert/strict";
import { atOnce, CROWD, HOUR, KEY, numberedKey, payloadOf, type StoreCases } from "./store-case.ts";

/** Keys that a store must tell apart: by case, by one character, by length. Some databases' default collations do not. */
const SIMILAR_KEYS = [
  "abcdefghijklmnopqrstuvwxyz012345",
  "abcdefghijklmnopqrstuvwxyz012346",
  "Abcdefghijklmnopqrstuvwxyz012345",
  "abcdefghijklmnopqrstuvwxyz01234",
  "abcdefghijklmnopqrstuvwxyz0123456",
  "abcdefgh",
  "abcdefghijklmnopqrstuvwxyz0123456789abcd",
];

/** The contract but for time and for what payloads are made of. */
export const storeCases: StoreCases = {
  // --- load ---------------------------------------------------------------------------------------------------------

  "load of a key that was never created is null, and creates nothing": async (store, clock) => {
    assert.equal(await store.load(KEY), null);
    assert.equal(await store.update(KEY, { payload: "a", expiresAt: clock.in(HOUR) }), false);
    assert.equal(await store.delete(KEY), false);
    assert.equal(await store.create(KEY, { payload: "a", expiresAt: clock.in(HOUR) }), true);
  },

  "load gives the payload as it was created, and its expiry if any": async (store, clock) => {
    const expiresAt = clock.in(HOUR);
    assert.equal(await store.create(KEY, { payload: "a", expiresAt }), true);
    const loaded = await store.load(KEY);
    assert.equal(loaded && Buffer.from(loaded.payload).toString(), "a");
    if (loaded?.expiresAt) assert.deepEqual(loaded.expiresAt, expiresAt);
  },

  // --- create -------------------------------------------------------------------------------------------------------

  "create refuses a taken key, and writes neither payload nor expiry": async (store, clock) => {
    await store.create(KEY, { payload: "first", expiresAt: clock.in(HOUR) });
    assert.equal(await store.create(KEY, { payload: "second", expiresAt: clock.in(2 * HOUR) }), false);
    assert.equal(await payloadOf(store, KEY), "first");
    await clock.advance(HOUR);
    assert.equal(await store.load(KEY), null);
  },

  "of many parallel creates of one key exactly one succeeds, and its payload is kept": async (store, clock) => {
    const created = await atOnce(CROWD, (n) => store.create(KEY, { payload: `${n}`, expiresAt: clock.in(HOUR) }));
    assert.equal(created.filter(Boolean).length, 1);
    assert.equal(await payloadOf(store, KEY), `${created.indexOf(true)}`);
  },

  "parallel creates of different keys all succeed": async (store, clock) => {
    const create = (n: number) => store.create(numberedKey(n), { payload: `${n}`, expiresAt: clock.in(HOUR) });
    assert.ok((await atOnce(CROWD, create)).every(Boolean));
    const payloads = await atOnce(CROWD, (n) => payloadOf(store, numberedKey(n)));
    assert.deepEqual(payloads, [...payloads.keys()].map(String));
  },

  "keys that differ in case, in one character or in length are different sessions": async (store, clock) => {
    for (const key of SIMILAR_KEYS) {
      assert.equal(await store.create(key, { payload: key, expiresAt: clock.in(HOUR) }), true, key);
    }
    for (const key of SIMILAR_KEYS) {
      assert.equal(await store.update(key, { payload: `${key}!`, expiresAt: clock.in(HOUR) }, key), true, key);
    }
    const [gone, ...others] = SIMILAR_KEYS as [string, ...string[]];
    await store.delete(gone);
    for (const key of others) assert.equal(await payloadOf(store, key), `${key}!`);
    assert.equal(await store.load(gone), null);
  },

  // --- update -------------------------------------------------------------------------------------------------------

  "update of a key that was never created is refused, and inserts nothing": async (store, clock) => {
    const record = { payload: "a", expiresAt: clock.in(HOUR) };
    assert.equal(await store.update(KEY, record), false);
    assert.equal(await store.update(KEY, record, "a"), false);
    assert.equal(await store.update(KEY, record, ""), false);
    assert.equal(await store.load(KEY), null);
  },

  "update of a deleted session is refused: it does not come back (CVE-2025-46336)": async (store, clock) => {
    const record = { payload: "a", expiresAt: clock.in(HOUR) };
    await store.create(KEY, record);
    await store.delete(KEY);
    assert.equal(await store.update(KEY, record), false);
    assert.equal(await store.update(KEY, record, "a"), false);
    assert.equal(await store.load(KEY), null);
  },

  "update replaces payload and expiry": async (store, clock) => {
    await store.create(KEY, { payload: "a", expiresAt: clock.in(HOUR) });
    assert.equal(await store.update(KEY, { payload: "b", expiresAt: clock.in(2 * HOUR) }), true);
    await clock.advance(HOUR);
    assert.equal(await payloadOf(store, KEY), "b");
    await clock.advance(HOUR);
    assert.equal(await store.load(KEY), null);
  },

  "update with another payload expected is refused, and writes neither payload nor expiry": async (store, clock) => {
    await store.create(KEY, { payload: "a", expiresAt: clock.in(HOUR) });
    assert.equal(await store.update(KEY, { payload: "c", expiresAt: clock.in(2 * HOUR) }, "b"), false);
    assert.equal(await payloadOf(store, KEY), "a");
    await clock.advance(HOUR);
    assert.equal(await store.load(KEY), null);
  },

  "update with the empty payload expected is not an update without expectation": async (store, clock) => {
    await store.create(KEY, { payload: "a", expiresAt: clock.in(HOUR) });
    assert.equal(await store.update(KEY, { payload: "b", expiresAt: clock.in(HOUR) }, ""), false);
    assert.equal(await payloadOf(store, KEY), "a");
  },

  // MySQL counts changed rows unless told to count found ones.
  "update to what is already stored succeeds": async (store, clock) => {
    const record = { payload: "a", expiresAt: clock.in(HOUR) };
    await store.create(KEY, record);
    assert.equal(await store.update(KEY, record), true);
    assert.equal(await store.update(KEY, record, "a"), true);
  },

  "of many parallel updates that expect the same payload exactly one succeeds": async (store, clock) => {
    await store.create(KEY, { payload: "start", expiresAt: clock.in(HOUR) });
    const updated = await atOnce(CROWD, (n) =>
      store.update(KEY, { payload: `${n}`, expiresAt: clock.in(HOUR) }, "start"),
    );
    assert.equal(updated.filter(Boolean).length, 1);
    assert.equal(await payloadOf(store, KEY), `${updated.indexOf(true)}`);
  },

  "many parallel writers that try again when refused lose nothing": async (store, clock) => {
    await store.create(KEY, { payload: "", expiresAt: clock.in(HOUR) });
    await atOnce(CROWD, async (n) => {
      for (let updated = false; !updated; ) {
        const before = (await payloadOf(store, KEY))!;
        updated = await store.update(KEY, { payload: `${before}${n};`, expiresAt: clock.in(HOUR) }, before);
      }
    });
    const written = (await payloadOf(store, KEY))!.split(";").slice(0, -1).map(Number);
    assert.deepEqual(
      written.sort((a, b) => a - b),
      Array.from({ length: CROWD }, (_, n) => n),
    );
  },

  // --- delete -------------------------------------------------------------------------------------------------------

  "delete removes the session, and says whether there was one": async (store, clock) => {
    await store.create(KEY, { payload: "a", expiresAt: clock.in(HOUR) });
    assert.equal(await store.delete(KEY), true);
    assert.equal(await store.load(KEY), null);
    assert.equal(await store.delete(KEY), false);
  },

  "delete frees the key": async (store, clock) => {
    await store.create(KEY, { payload: "a", expiresAt: clock.in(HOUR) });
    await store.delete(KEY);
    assert.equal(await store.create(KEY, { payload: "b", expiresAt: clock.in(HOUR) }), true);
    assert.equal(await payloadOf(store, KEY), "b");
  },

  "delete with another payload expected is refused, and removes nothing": async (store, clock) => {
    await store.create(KEY, { payload: "a", expiresAt: clock.in(HOUR) });
    assert.equal(await store.delete(KEY, "b"), false);
    assert.equal(await store.delete(KEY, ""), false);
    assert.equal(await payloadOf(store, KEY), "a");
    assert.equal(await store.delete(KEY, "a"), true);
    assert.equal(await store.load(KEY), null);
    assert.equal(await store.delete(KEY, "a"), false);
  },

  "of many parallel deletes exactly one says that there was a session": async (store, clock) => {
    await store.create(KEY, { payload: "a", expiresAt: clock.in(HOUR) });
    const deleted = await atOnce(CROWD, (n) => (n % 2 ? store.delete(KEY) : store.delete(KEY, "a")));
    assert.equal(deleted.filter(Boolean).length, 1);
  },

  "a delete among parallel updates is final": async (store, clock) => {
    for (let round = 0; round < CROWD; round++) {
      await store.create(KEY, { payload: "a", expiresAt: clock.in(HOUR) });
      await atOnce(10, async (n) => {
        if (n === round % 10) await store.delete(KEY);
        else await store.update(KEY, { payload: "b", expiresAt: clock.in(HOUR) });
      });
      assert.equal(await store.load(KEY), null);
    }
  },

  // What moving a session to a new key rests on: either the move or the other request's write is told that it is late.
  "of an update and a delete that expect the same payload exactly one succeeds": async (store, clock) => {
    for (let round = 0; round < CROWD; round++) {
      const key = numberedKey(round);
      await store.create(key, { payload: "a", expiresAt: clock.in(HOUR) });
      const [updated, deleted] = await atOnce(2, (n) =>
        n === round % 2 ? store.update(key, { payload: "b", expiresAt: clock.in(HOUR) }, "a") : store.delete(key, "a"),
      ).then((results) => (round % 2 ? results.reverse() : results));
      assert.notEqual(updated, deleted);
      assert.equal(await payloadOf(store, key), updated ? "b" : null);
    }
  },
};
