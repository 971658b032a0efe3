import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Assignment, Condition } from "./application.ts";

const OUTPUT_LENGTH = 1_000_000;

/** A running application. */
export interface Application {
  readonly port: number;
  /** What it told last. */
  condition(): Condition;
  /** Whether it ended by itself. */
  hasEnded(): boolean;
  /** What it logged. */
  output(): string;
  stop(): Promise<void>;
}

export async function startApplication(assignment: Assignment): Promise<Application> {
  const child: ChildProcess = fork(fileURLToPath(new URL("./application.js", import.meta.url)), {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let output = "";
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on("data", (text) => {
      output = `${output}${text}`.slice(-OUTPUT_LENGTH);
    });
  }
  const gone = once(child, "exit");
  child.send(assignment);
  let condition: Condition | undefined;
  child.on("message", (told: Condition) => {
    condition = told;
  });
  await Promise.race([once(child, "message"), gone]);
  if (condition === undefined) throw new Error(`The application ended at its start:\n${output}`);
  let stopping = false;
  return {
    port: condition.port,
    condition: () => condition!,
    hasEnded: () => !stopping && (child.exitCode !== null || child.signalCode !== null),
    output: () => output,
    async stop() {
      stopping = true;
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await gone;
    },
  };
}
