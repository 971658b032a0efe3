import { writeFileSync } from "node:fs";
import type { SessionStore } from "sojourn";
import { compare, type Operation } from "./measure.ts";
import { SUBJECTS } from "./subjects.ts";

/*
 * `npm run bench:stores [name…]`: what each store costs next to its bare driver, on private servers that this starts.
 * Prints a table, and writes it to bench/stores/README.md when all were measured.
 */

const SESSIONS = 1000;
const HOUR = 3_600_000;
const PAYLOADS = { "100 B": 100, "4 KB": 4096 } as const;
const CONCURRENCIES = [1, 64] as const;

const wanted = process.argv.slice(2);
const lines = [
  "| store | operation | payload | at a time | operations/s | µs CPU | bare driver | ratio |",
  "|---|---|---|---|---|---|---|---|",
];
for (const line of lines) console.log(line);

for (const [name, open] of Object.entries(SUBJECTS)) {
  if (wanted.length > 0 && !wanted.some((word) => name.toLowerCase().includes(word.toLowerCase()))) continue;
  const { store, bare, close } = await open();
  for (const [size, bytes] of Object.entries(PAYLOADS)) {
    const [keys, bareKeys] = [await fill(store, bytes, "own"), await fill(store, bytes, "bare")];
    const operations: Record<string, [Operation, Operation]> = {
      load: [(n) => store.load(keys[n % SESSIONS]!), (n) => bare.load(bareKeys[n % SESSIONS]!)],
      update: [
        updating(store, keys, bytes),
        (n) => bare.update(bareKeys[n % SESSIONS]!, payload(bytes, n), inAnHour()),
      ],
    };
    for (const [operation, [own, its]] of Object.entries(operations)) {
      for (const concurrency of CONCURRENCIES) {
        const { store: measured, bare: driver, ratio } = await compare(own, its, concurrency);
        report(
          `| ${name} | ${operation} | ${size} | ${concurrency} | ${Math.round(measured.perSecond).toLocaleString("en")} | ${measured.cpu.toFixed(1)} | ${driver.cpu.toFixed(1)} | ${ratio.toFixed(2)} |`,
        );
      }
    }
  }
  await close();
}

if (wanted.length === 0) {
  const intro = [
    "# What the stores cost",
    "",
    "Microseconds of CPU of the Node process for one operation, beside the same operation by the bare driver: without",
    "compare-and-swap, without expiry, without our contract. Private servers on the same machine, which take CPU time of",
    `their own: operations per second are of a machine with both. Node ${process.versions.node}, \`npm run bench:stores\`.`,
    "",
  ];
  writeFileSync("bench/stores/README.md", [...intro, ...lines, ""].join("\n"));
}
process.exit();

function report(line: string): void {
  lines.push(line);
  console.log(line);
}

async function fill(store: SessionStore, bytes: number, name: string): Promise<string[]> {
  const keys = Array.from(
    { length: SESSIONS },
    (_, n) => `${name}${bytes}`.padEnd(20, "k") + String(n).padStart(12, "0"),
  );
  for (const key of keys) {
    await store.delete(key);
    await store.create(key, { payload: payload(bytes, 0), expiresAt: inAnHour() });
  }
  return keys;
}

/** As a request does it: the payload that is stored is expected, and each session has one writer at a time. */
function updating(store: SessionStore, keys: string[], bytes: number): Operation {
  const latest = new Map(keys.map((key) => [key, payload(bytes, 0)]));
  return async (n) => {
    const key = keys[n % SESSIONS]!;
    const [expected, next] = [latest.get(key)!, payload(bytes, n)];
    latest.set(key, next);
    if (!(await store.update(key, { payload: next, expiresAt: inAnHour() }, expected))) {
      throw new Error("A writer was overtaken.");
    }
  };
}

function inAnHour(): Date {
  return new Date(Date.now() + HOUR);
}

/** Text of this length that is another each time. */
function payload(bytes: number, n: number): string {
  return String(n).padStart(bytes, "abcdefghijklmnopqrstuvwxyz0123456789");
}
