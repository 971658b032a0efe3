import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Cell } from "./cell.ts";
import type { Scene } from "./fault.ts";
import { postgres } from "./faults/postgres.ts";
import { redisWithAof } from "./faults/redis.ts";
import { play } from "./play.ts";
import { writeReport } from "./report.ts";

/* `npm run faults` has every scene and every fault; this is what each change is tried with. */

const SECONDS = 5;
const SEED = 1;
const ARTIFACTS = fileURLToPath(new URL("../../../artifacts/faults/", import.meta.url));

const CHOSEN: readonly (readonly [Scene, readonly string[]])[] = [
  [redisWithAof as Scene, ["replies dropped", "out of memory (OOM)", "killed (SIGKILL), and started again"]],
  [postgres as Scene, ["black hole", "reset on reply", "killed (SIGKILL), and started again"]],
];

describe("Sessions under load, while servers and networks fail", () => {
  const cells: Cell[] = [];
  before(async () => {
    await play({
      scenes: CHOSEN.map(([scene]) => scene),
      seconds: SECONDS,
      seed: SEED,
      isWanted: (scene, { name }) => CHOSEN.some(([each, names]) => each === scene && names.includes(name)),
      onCell: (cell) => void cells.push(cell),
      onFailure(_scene, _fault, error) {
        throw error;
      },
    });
    const machine = { node: process.versions.node, cores: availableParallelism() };
    writeReport(
      ARTIFACTS,
      "short",
      { command: "npm test -- faults/short", seconds: SECONDS, seed: SEED, ...machine },
      cells,
    );
  });

  for (const [scene, names] of CHOSEN) {
    for (const name of names) {
      test(`${scene.name}: ${name}: every promise holds`, () => {
        const cell = cells.find((each) => each.scene === scene.name && each.fault === name)!;
        assert.deepEqual(cell.broken, [], cell.lastWords.join("\n"));
        const { acknowledged, deadTried, forgedTried, answered503 } = cell.figures;
        // That nothing was found means something only where something was tried.
        for (const tried of [acknowledged, deadTried, forgedTried, answered503]) assert.ok(tried > 0);
      });
    }
  }
});
