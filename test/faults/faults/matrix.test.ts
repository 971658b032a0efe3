import { join } from "node:path";
import { after, describe, mock, test } from "node:test";
import { temporaryDirectory, until } from "../../support/servers/server.ts";
import { type Backend, type Fault, genericFaults } from "../fault.ts";
import { openStore } from "../open-store.ts";
import { startApplication } from "./application.ts";
import { survivesClockJumps } from "./clock.ts";
import { endures, survivesDeath } from "./endures.ts";
import { scenes } from "./index.ts";
import { survivesKills } from "./killed-process.ts";

/* The matrix of stores and faults. docs/faults.md has the load, the figures and the report of the same scenes. */

/** `SOJOURN_KILLS=500` before a release. */
const KILLS = Number(process.env.SOJOURN_KILLS ?? 50);

mock.method(console, "error", () => {});

const backends = await Promise.all(scenes.map(({ backend }) => backend()));
// Only now: making a database's files keeps this process from everything else.
const applications = await Promise.all(
  backends.map(async (backend) => {
    await migrate(backend);
    return startApplication(backend);
  }),
);
after(async () => {
  for (const application of applications) await application.close();
  for (const backend of backends) await backend.close();
});

async function migrate({ open }: Pick<Backend, "open">): Promise<void> {
  const store = await open();
  await until(() => store.migrate().then(() => true), "the store");
  await store.close();
}

const EFFECTS: Record<Fault["effect"], string> = {
  unavailable: "503 at most",
  served: "nobody notices",
  "writes-fail": "reads are served, writes 503",
  "data-loss": "what the server lost is no session",
};

/** The network's faults are the driver's affair: once for each driver, and once for a cache in front of it. */
function faultsOf(index: number): readonly Fault[] {
  const kind = ({ url, cache }: Backend) => `${url.split(":", 1)} ${cache === undefined}`;
  const isFirst = backends.findIndex((other) => kind(other) === kind(backends[index]!)) === index;
  const generic = isFirst && backends[index]!.proxy ? genericFaults : [];
  // Not all scenes the same at the same time.
  return [...generic.slice(index), ...generic.slice(0, index), ...scenes[index]!.faults];
}

const SIDE_BY_SIDE = 3;

describe("a whole application", { concurrency: SIDE_BY_SIDE }, () => {
  for (const [index, { name, faults }] of scenes.entries()) {
    const [backend, application] = [backends[index]!, applications[index]!];
    const death = faults.find((fault) => fault.name.startsWith("killed"));
    const silence = faults.find((fault) => fault.name.startsWith("frozen"));
    describe(`on ${name}`, { concurrency: 1 }, () => {
      for (const fault of faultsOf(index)) {
        test(`${fault.name}: ${EFFECTS[fault.effect]}`, () => endures(application, backend, fault));
      }
      if (death) {
        test("the server dies under many requests, and another application starts meanwhile", () =>
          survivesDeath(application, backend, death));
      }
      if (silence) test("the clock jumps: nobody is logged out", () => survivesClockJumps(backend, silence));
    });
  }
});

// After the faults: what they take from a server is not the process's doing.
test(`an application is killed ${KILLS} times while it writes: no session is torn, no acknowledged write lost`, async () => {
  const url = `sqlite:${join(temporaryDirectory(), "sessions.sqlite3")}`;
  const sqlite = { name: "SQLite", url };
  await migrate({ open: () => openStore(sqlite) });
  await survivesKills([...backends.filter((backend) => !/cluster|sentinel/.test(backend.url)), sqlite], KILLS);
});
