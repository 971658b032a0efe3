import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryDirectory, until } from "../../support/servers/server.ts";
import type { Backend, Fault } from "../fault.ts";
import { visitor } from "./application.ts";
import { BUDGET_MS, person, SLACK_MS } from "./person.ts";

const LIBRARY = readdirSync("/usr/lib")
  .map((directory) => join("/usr/lib", directory, "faketime/libfaketimeMT.so.1"))
  .find(existsSync);

/**
 * The clock of an application's process jumps forward by two days and back by an hour. Nobody is logged out, whenever
 * the session was written; and time-outs, and the recovery from an outage, go by another clock.
 *
 * @param outage in which the store does not answer
 */
export async function survivesClockJumps(backend: Backend, outage: Fault): Promise<void> {
  const file = join(temporaryDirectory(), "time");
  const setClock = (offset: "+0" | "+2d" | "-1h") => writeFileSync(file, offset);
  setClock("+0");
  const child = fork(fileURLToPath(new URL("./clock-application.js", import.meta.url)), {
    env: {
      ...process.env,
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      NO_FAKE_STAT: "1",
    },
  });
  try {
    const { url, cache } = backend;
    child.send({ url, cache });
    const [address] = await once(child, "message");
    const application = visitor(address);
    let weather: Fault["effect"] | "calm" = "calm";
    const people = [];
    for (const offset of ["+0", "-1h", "+2d", "+0", "-1h"] as const) {
      setClock(offset);
      const { setCookie } = await application.ask("/login?text=x");
      const year = /expires=([^;]*)/.exec(setCookie[0]!)![1]!;
      assert.ok(Math.abs(Date.parse(year) - expected(offset)) < 60_000, `the clock says ${year}`);
      for (const each of people) await each.assertServed();
      people.push(person(application, () => weather));
      assert.equal(await people.at(-1)!.login(), "served");
    }

    weather = "unavailable";
    const [first] = people;
    await outage.begin(backend);
    try {
      for (const offset of ["+2d", "-1h", "+0"] as const) {
        const begin = performance.now();
        // What is only read may lie in a cache.
        const writing = first!.write();
        setClock(offset);
        assert.equal(await writing, "refused");
        assert.ok(performance.now() - begin < BUDGET_MS + SLACK_MS);
      }
      for (let n = 0; n < 5; n++) await Promise.all(people.map((each) => each.read()));
      setClock("-1h");
    } finally {
      await outage.end(backend);
    }
    const end = performance.now();
    await until(async () => (await first!.write()) === "served", "the recovery");
    assert.ok(performance.now() - end < 2000 + SLACK_MS);
    weather = "calm";
    for (const each of people) await each.assertServed();
  } finally {
    child.kill("SIGKILL");
  }
}

/** When the cookie of a session ends that is made now: in two weeks. */
function expected(offset: "+0" | "+2d" | "-1h"): number {
  const jump = { "+0": 0, "+2d": 2 * 86_400, "-1h": -3600 }[offset];
  return Date.now() + (jump + 1_209_600) * 1000;
}
