import { availableParallelism } from "node:os";
import { type Cell, runCell } from "./cell.ts";
import { type Backend, type Fault, genericFaults, type Scene } from "./fault.ts";
import { mayBeTheMachine } from "./promises.ts";

const MAX_ATTEMPTS = 3;

export interface Plan {
  readonly scenes: readonly Scene[];
  isWanted(scene: Scene, fault: Fault): boolean;
  /** Of each cell. */
  readonly seconds: number;
  readonly seed: number;
  /** Told of each cell when it is over, or why it could not be run. */
  onCell(cell: Cell): void;
  onFailure(scene: Scene, fault: Fault, error: unknown): void;
}

/** Plays the scenes: the faults of each one after another, several scenes side by side where the machine allows. */
export async function play(plan: Plan): Promise<void> {
  const waiting = plan.scenes.filter((scene) => faultsOf(scene, plan).length > 0);
  // Two processes, their load and their server want two cores.
  const lanes = Math.max(1, availableParallelism() >> 1);
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (let scene = waiting.shift(); scene; scene = waiting.shift()) await playScene(scene, plan);
    }),
  );
}

/** The network's faults too; of one that has no network, they are left out when there is a backend to look at. */
function faultsOf(scene: Scene, { isWanted }: Plan): readonly Fault[] {
  return [...genericFaults, ...scene.faults].filter((fault) => isWanted(scene, fault));
}

async function playScene(scene: Scene, plan: Plan): Promise<void> {
  let backend: Backend | undefined;
  try {
    for (const fault of faultsOf(scene, plan)) {
      try {
        backend ??= await open(scene);
        if (genericFaults.includes(fault) && !backend.proxy) continue;
        plan.onCell(await fairly(backend, fault, plan));
      } catch (error) {
        plan.onFailure(scene, fault, error);
        // Nobody knows what the servers are like now.
        await backend?.close().catch(() => {});
        backend = undefined;
      }
    }
  } finally {
    await backend?.close();
  }
}

/** Once more where the machine was too busy to say anything, and that is all that is wrong. */
async function fairly(backend: Backend, fault: Fault, { seconds, seed }: Plan): Promise<Cell> {
  for (let attempt = 1; ; attempt++) {
    const cell = await runCell(backend, fault, seconds, seed);
    if (attempt === MAX_ATTEMPTS || !mayBeTheMachine(cell.figures)) return { ...cell, attempts: attempt };
  }
}

async function open(scene: Scene): Promise<Backend> {
  const backend = await scene.backend();
  const store = await backend.open();
  await store.migrate();
  await store.close();
  return backend;
}
