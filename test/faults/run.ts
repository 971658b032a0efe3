import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import type { Cell } from "./cell.ts";
import { scenes as plain } from "./faults/index.ts";
import { play } from "./play.ts";
import { promises } from "./promises.ts";
import { writeReport } from "./report.ts";
import { summaryOf, tableOf } from "./table.ts";
import { postgresOverTls, redisOverTls } from "./tls.ts";

/*
 * `npm run faults [-- words…] [--seconds n] [--seed n]`: sessions under load, while servers and networks fail. Runs the
 * faults whose scene and name contain all the words. Ends with 1 if a promise broke.
 */

const { values, positionals: words } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "10" }, seed: { type: "string", default: "1" } },
});
const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
const command = ["npm run faults", ...(process.argv.length > 2 ? ["--", ...process.argv.slice(2)] : [])].join(" ");

const scenes = [...plain, redisOverTls, postgresOverTls];
const cells: Cell[] = [];
let failures = 0;
await play({
  scenes,
  seconds,
  seed,
  isWanted: ({ name }, fault) =>
    words.every((word) => `${name}: ${fault.name}`.toLowerCase().includes(word.toLowerCase())),
  onCell(cell) {
    cells.push(cell);
    tell(cell);
    // Each time, for a long run may be broken off.
    write();
  },
  onFailure({ name }, fault, error) {
    failures++;
    console.log(`✗ ${name}: ${fault.name}: could not be run:`, error);
  },
});

const broken = cells.reduce((sum, cell) => sum + cell.broken.length, 0);
const total = cells.length * promises.length;
console.log(`\n${tableOf(cells)}\n\n${summaryOf(cells)}`);
if (cells.length > 0)
  console.log(`\n${broken === 0 ? total : `${total - broken} of ${total}`} promises held: ${write()}`);
if (failures > 0) console.log(`${failures} faults could not be run`);
process.exit(broken + failures > 0 || cells.length === 0 ? 1 : 0);

function write(): string {
  const order = scenes.map(({ name }) => name);
  cells.sort((a, b) => order.indexOf(a.scene) - order.indexOf(b.scene));
  const machine = { node: process.versions.node, cores: availableParallelism() };
  return writeReport("artifacts/faults", "faults", { command, seconds, seed, ...machine }, cells);
}

function tell({ scene, fault, figures, broken, attempts, lastWords }: Cell): void {
  const { requests, answered503, slowest, recovery } = figures;
  const times = `slowest ${Math.round(slowest)} ms, recovery ${Math.round(recovery)} ms`;
  const summary = broken.length > 0 ? broken.join(", ") : `${requests} requests, ${answered503} × 503, ${times}`;
  const again = attempts > 1 ? ` (run ${attempts} times: the machine was busy)` : "";
  console.log(`${broken.length > 0 ? "✗" : "✓"} ${scene}: ${fault}: ${summary}${again}`);
  for (const text of lastWords) console.log(text.replace(/^/gm, "    "));
}
