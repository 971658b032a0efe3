import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const running = new Set<ChildProcess>();

/** For `afterEach`: a test that failed must not wait for its children. */
export function endChildren(): void {
  for (const child of running) child.kill();
}

/** A child process that runs a module of this directory, as tests see it. */
export interface Child {
  /** Tells a child that waits for `told()` to go on. */
  tell(): void;
  /** Resolves when the child said that it is ready. */
  ready(): Promise<void>;
  /** What it printed, once it has ended well. Rejects, with its error output, if it has not. */
  end(): Promise<string>;
}

export function start(module: string, ...parameters: string[]): Child {
  const path = fileURLToPath(new URL(`./${module}.js`, import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [path, ...parameters], {
    stdio: ["pipe", "pipe", "pipe", "ipc"],
  });
  running.add(child);
  child.on("close", () => running.delete(child));
  let [output, errors] = ["", ""];
  child.stdout!.on("data", (text) => (output += text));
  child.stderr!.on("data", (text) => (errors += text));
  const closed = once(child, "close").then(([code, signal]) => {
    if (code === 0) return output;
    throw new Error(`${module} ended with ${code ?? signal}:\n${errors}`);
  });
  closed.catch(() => {});
  const ready = once(child, "message");
  return {
    tell: () => child.send("go"),
    ready: () => Promise.race([ready, closed]).then(() => {}),
    end: () => closed,
  };
}

/** For the child: says that it is ready, and resolves when it is told to go on. */
export async function told(): Promise<void> {
  process.send!("ready");
  await once(process, "message");
  process.disconnect();
}
