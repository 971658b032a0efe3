import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pair } from "./pair.ts";

/**
 * Both sides have the session in their hands at once.
 *
 * @param save what becomes of a save of Django's where the session is gone
 */
export function concurrency(pair: () => Pair, save: "is refused" | "brings the session back" = "is refused"): void {
  async function held() {
    const { django, sessions } = pair();
    const { key } = await django.session(null, ["update", { before: 1 }], ["save"]);
    const request = sessions.open(`sessionid=${key}`);
    const session = await request.session();
    assert.equal(session.get("before"), 1);
    session.set("node", true);
    return { django, sessions, key: key!, request };
  }

  async function found(key: string): Promise<unknown> {
    const { results } = await pair().django.session(key, ["plain"]);
    return results[0]!.value;
  }

  test("Django changes the session that Node holds: both changes are kept", async () => {
    const { django, key, request } = await held();
    await django.session(key, ["set", "django", true], ["set", "before", 2], ["save"]);
    await request.commit(200);
    assert.deepEqual(await found(key), { before: 2, django: true, node: true });
  });

  for (const [end, step] of [
    ["deletes", "flush"],
    ["cycles the key of", "cycleKey"],
  ] as const) {
    test(`Django ${end} the session that Node holds: Node's save is refused, and nothing comes back`, async () => {
      const { django, sessions, key, request } = await held();
      await django.session(key, [step]);
      await assert.rejects(async () => request.commit(200), { code: "ERR_SESSION_INTERRUPTED" });
      assert.deepEqual(await found(key), {});
      assert.equal(await sessions.exists(key), false);
    });
  }

  test(`Node deletes the session that Django holds: Django's save ${save}`, async () => {
    const { django, sessions, key } = await held();
    const view = django.hold(key);
    await view(["set", "django", true]);
    await sessions.delete(key);
    const { results } = await view(["save"]);
    assert.equal(results[0]!.error, save === "is refused" ? "UpdateError" : undefined);
    assert.deepEqual(await found(key), save === "is refused" ? {} : { before: 1, django: true });
  });

  test("Node changes the session that Django holds: Django saves all that it loaded, and the change is lost", async () => {
    const { django, sessions, key, request } = await held();
    const view = django.hold(key);
    await view(["set", "django", true]);
    await request.commit(200);
    await view(["save"]);
    assert.deepEqual(await found(key), { before: 1, django: true });
    const session = await sessions.open(`sessionid=${key}`).session();
    assert.deepEqual({ ...session.data }, { before: 1, django: true });
  });
}
