import assert from "node:assert/strict";
import { test } from "node:test";
import type { Step } from "../support/django/peer.ts";
import { until } from "../support/servers/server.ts";
import type { Pair, Project } from "./pair.ts";

/** Where the server counts by its own clock: a session of one second, and waiting until it is gone. */
export function shortLives(pair: () => Pair): void {
  test("a session that Django lets end is gone for Node", async () => {
    const { django, sessions } = pair();
    const { key } = await django.session(null, ["set", "a", 1], ["setExpiry", 1], ["save"]);
    await until(async () => !(await sessions.exists(key!)), "the session's end");
  });

  test("a session that Node lets end is gone for Django", async () => {
    const { django, sessions } = pair();
    const request = sessions.open(undefined);
    const session = await request.session();
    session.set("a", 1);
    session.setExpiry(1);
    await request.commit(200);
    await until(async () => {
      const { results } = await django.session(session.key, ["keys"]);
      return (results[0]!.value as string[]).length === 0;
    }, "the session's end");
  });
}

/** Where Node counts by its own clock. */
export function endsByClock(pair: () => Pair): void {
  for (const [expiry, age] of [
    ["an age in seconds", 3600],
    ["SESSION_COOKIE_AGE", 1_209_600],
  ] as const) {
    test(`what Django wrote ends for Node after ${expiry}`, async () => {
      const { django, sessionsAt } = pair();
      const ends: Step[] = age === 3600 ? [["setExpiry", age]] : [];
      const { key } = await django.session(null, ["set", "a", 1], ...ends, ["save"]);
      const foundAfter = async (seconds: number) => {
        const session = await (await sessionsAt(new Date(Date.now() + seconds * 1000)))
          .open(`sessionid=${key}`)
          .session();
        return session.get("a") === 1;
      };
      assert.equal(await foundAfter(age - 60), true);
      assert.equal(await foundAfter(age + 60), false);
    });
  }
}

/** Where `clearsessions` removes what has expired. @param keys those that are there, expired or not */
export function cleanUp(
  pair: () => Pair,
  { version, settings }: Project,
  keys: () => Promise<readonly string[]>,
): void {
  const useTz = settings.USE_TZ ?? true;
  // See docs/django-versions.md.
  const hasInstants = version !== "3.2";
  const [future, past] = ["2090-01-02T03:04:05.678901", "2020-01-02T03:04:05"];
  const live = [null, 3600, ...(hasInstants ? [future] : [])];
  const expired = [-10, ...(hasInstants ? [past] : [])];

  async function madeByNode(expiries: readonly (number | string | null)[]): Promise<string[]> {
    const made: string[] = [];
    for (const expiry of expiries) {
      const request = pair().sessions.open(undefined);
      const session = await request.session();
      session.set("a", 1);
      session.setExpiry(typeof expiry === "string" ? new Date(`${expiry}Z`) : expiry);
      await request.commit(200);
      made.push(session.key!);
    }
    return made;
  }

  async function madeByDjango(expiries: readonly (number | string | null)[]): Promise<string[]> {
    const instant = (text: string) => ({ $datetime: useTz ? `${text}+00:00` : text });
    const answers = await pair().django.batch(
      expiries.map((expiry) => ({
        key: null,
        steps: [["set", "a", 1], ["setExpiry", typeof expiry === "string" ? instant(expiry) : expiry], ["save"]],
      })),
    );
    return answers.map(({ key }) => key!);
  }

  async function foundByNode(key: string): Promise<boolean> {
    return pair().sessions.exists(key);
  }

  async function foundByDjango(key: string): Promise<boolean> {
    const { results } = await pair().django.session(key, ["keys"]);
    return (results[0]!.value as string[]).length > 0;
  }

  const sides = {
    Django: { make: madeByDjango, finds: foundByDjango, clear: async () => pair().django.clearsessions() },
    Node: { make: madeByNode, finds: foundByNode, clear: async () => void (await pair().sessions.clearExpired()) },
  };

  for (const [maker, other] of [
    ["Django", "Node"],
    ["Node", "Django"],
  ] as const) {
    test(`${other}'s clearsessions removes what ${maker} wrote and has expired, and leaves the rest`, async () => {
      await sides[other].clear();
      const before = await keys();
      const [alive, dead] = [await sides[maker].make(live), await sides[maker].make(expired)];
      assert.deepEqual((await keys()).toSorted(), [...before, ...alive, ...dead].toSorted());
      await sides[other].clear();
      assert.deepEqual((await keys()).toSorted(), [...before, ...alive].toSorted());
    });

    test(`what ${maker} wrote is found by ${other} until it has expired`, async () => {
      for (const key of await sides[maker].make(live)) assert.equal(await sides[other].finds(key), true);
      for (const key of await sides[maker].make(expired)) assert.equal(await sides[other].finds(key), false);
    });
  }
}
