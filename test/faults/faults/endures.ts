import assert from "node:assert/strict";
import { until } from "../../support/servers/server.ts";
import type { Backend, Fault } from "../fault.ts";
import { type Application, startApplication } from "./application.ts";
import { type Outcome, type Person, person, SLACK_MS, type Weather } from "./person.ts";

const PEOPLE = 4;
const RECOVERY_MS = 2000;

/** Rounds of requests until a fault that hurts only now and then has hurt. */
const MAX_ROUNDS = 100;

/**
 * A fault begins while people are logged in, lasts while they read, write, log in and out, and ends. Every answer is
 * right or 503 with Retry-After and without a cookie, in time; who does not touch sessions notices nothing; nobody is
 * logged out, nothing acknowledged is lost, and it is over two seconds after its end. Where the server itself loses
 * what it had (`data-loss`), people are logged out, and can log in again.
 */
export async function endures(application: Application, backend: Backend, fault: Fault): Promise<void> {
  // So much that a full disk or memory does not find room for it by chance.
  const ballast = fault.effect === "writes-fail" ? 4000 : 0;
  let weather: Weather = "calm";
  const people = Array.from({ length: PEOPLE }, () => person(application, () => weather));
  const [leaver] = people as [Person];
  await until(async () => (await application.ask("/login")).status === 200, "the application");
  for (const each of people) assert.equal(await each.login(), "served");
  await Promise.all(people.map((each) => each.assertServed()));

  weather = fault.effect;
  await fault.begin(backend);
  try {
    const outcomes: Outcome[] = [];
    const isFelt = () => outcomes.some((outcome) => outcome !== "served");
    for (let round = 0; round < 2 || (fault.effect !== "served" && !isFelt()); round++) {
      assert.ok(round < MAX_ROUNDS, "nobody has felt the fault");
      const newcomer = person(application, () => weather);
      const asked = await Promise.all([
        ...people.slice(1).map(async (each) => [await each.read(), await each.write(ballast)]),
        round === 0 ? leaver.logout() : leaver.read(),
        newcomer.login(),
        assertUntouched(application),
      ]);
      outcomes.push(...asked.flat().filter((outcome) => outcome !== undefined));
      // Until the leaver's logout has succeeded, or the session is gone, it says nothing.
      if (outcomes.includes("gone") && fault.effect !== "data-loss") outcomes.splice(outcomes.indexOf("gone"), 1);
    }
  } finally {
    await fault.end(backend);
  }

  const end = performance.now();
  for (let isBack = false; !isBack; ) {
    const outcomes = await Promise.all(people.map(async (each) => [await each.read(), await each.write()]));
    isBack = !outcomes.flat().includes("refused");
    const ms = performance.now() - end;
    assert.ok(ms < RECOVERY_MS + SLACK_MS, `refused ${ms} ms after its end`);
  }
  for (const each of people) {
    if ((await each.read()) === "gone") assert.equal(await each.login(), "served");
  }
  weather = "calm";
  await Promise.all(people.map((each) => each.assertServed()));
}

const OPEN_REQUESTS = 200;

/**
 * The servers die while many requests are open: each is answered. An application that starts while they are dead is
 * there for who does not touch sessions, and comes up by itself.
 */
export async function survivesDeath(application: Application, backend: Backend, death: Fault): Promise<void> {
  const { setCookie } = await application.ask("/login?text=early");
  const cookie = setCookie[0]!.split(";")[0]!;
  const open = Array.from({ length: OPEN_REQUESTS }, (_, n) =>
    application.ask(n % 2 ? "/read" : `/write?text=${n}`, cookie),
  );
  await open[0];
  await death.begin(backend);
  const late = await startApplication(backend);
  try {
    for (const { status, setCookie } of await Promise.all(open)) {
      assert.ok([200, 503, ...(death.effect === "data-loss" ? [400, 401] : [])].includes(status), `${status}`);
      if (status === 503) assert.deepEqual(setCookie, []);
    }
    await assertUntouched(late);
    const { status, retryAfter } = await late.ask("/read", cookie);
    assert.equal(status, 503);
    assert.match(retryAfter ?? "", /^\d+$/);
  } finally {
    await death.end(backend);
  }
  try {
    const end = performance.now();
    await until(async () => (await late.ask("/login?text=late")).status === 200, "the late application");
    assert.ok(performance.now() - end < RECOVERY_MS + SLACK_MS);
    assert.equal((await late.ask("/read", cookie)).status, death.effect === "data-loss" ? 401 : 200);
  } finally {
    await late.close();
  }
}

async function assertUntouched(application: Application): Promise<undefined> {
  const [untouched, stranger] = await Promise.all([application.ask("/untouched"), application.ask("/read")]);
  assert.equal(untouched.status, 200);
  // Without a cookie there is nothing to ask for.
  assert.equal(stranger.status, 401);
  for (const { ms, setCookie } of [untouched, stranger]) {
    assert.ok(ms < SLACK_MS, `${ms} ms without a session`);
    assert.deepEqual(setCookie, []);
  }
}
