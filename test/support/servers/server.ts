import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A private server of one test file: on loopback, in a directory of its own, gone with the process that started it. */
export interface Server {
  readonly process: ChildProcess;
  /** What it has said so far, at most the last 2,000 characters. */
  output(): string;
  /** Stops it until `thaw`, as an overloaded machine would: it neither answers nor goes away. */
  freeze(): Promise<void>;
  thaw(): void;
  /** Kills it as a power failure would, and waits until it is gone. */
  kill(): Promise<void>;
}

/** Milliseconds that a server has until it is ready; the slowest takes about one second. */
const START_TIMEOUT_MS = 30_000;

const directories: string[] = [];
process.once("exit", () => {
  // Servers may still write there, for they die after this process; then the directory is not empty at first.
  for (const path of directories) rmSync(path, { recursive: true, force: true, maxRetries: 10 });
});

/** A directory that is removed when this process exits. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), "sojourn-"));
  directories.push(path);
  return path;
}

/**
 * A port that nothing listens on: below those that the system gives to outgoing connections, of which one could take it
 * before the server does. A node of a Redis cluster listens on its port plus 10,000 as well, which is why the ports end
 * at half of that range.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 20_000);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/**
 * Runs a server in the foreground. It dies with this process, however this process dies: a test that was killed leaves
 * nothing behind.
 *
 * @param user the system user that it runs as; database servers refuse root
 */
export function startServer(command: string, args: readonly string[], user?: string): Server {
  const identity = user && process.getuid?.() === 0 ? ["--reuid", user, "--regid", user, "--init-groups"] : [];
  const child = spawn("setpriv", [...identity, "--pdeathsig", "KILL", "--", command, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: "/",
  });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      output = `${output}${chunk}`.slice(-2000);
    });
  // A test file ends when its tests have ended, not when its servers have.
  child.unref();
  for (const stream of [child.stdout, child.stderr]) (stream as unknown as { unref(): void }).unref();
  return {
    process: child,
    output: () => output,
    freeze: () => freeze(child.pid!),
    thaw: () => void child.kill("SIGCONT"),
    async kill() {
      child.ref();
      child.kill("SIGKILL");
      await gone;
    },
  };
}

/** Stops a process. The signal is sent before it has reached every thread, and the others still answer. */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  const tasks = `/proc/${pid}/task`;
  // Or it has ended, and its parent has not looked.
  const isStill = (thread: string) => /\) [TZ]/.test(readFileSync(`${tasks}/${thread}/stat`, "utf8"));
  await until(async () => readdirSync(tasks).every(isStill), "the freezing");
}

/**
 * Asks until the answer is yes.
 *
 * @param server that gives the answer: once it has ended, nobody waits for it
 */
export async function until(isReady: () => Promise<boolean>, what: string, server?: Server): Promise<void> {
  for (const deadline = performance.now() + START_TIMEOUT_MS; !(await isReady().catch(() => false)); ) {
    const code = server?.process.exitCode ?? null;
    if (code !== null) throw new Error(`${what} ended with ${code}:\n${server?.output()}`);
    if (performance.now() > deadline) throw new Error(`${what} was not ready in ${START_TIMEOUT_MS / 1000} s`);
    await sleep(20);
  }
}

/** Whether something accepts connections there. */
export function accepts(address: { port: number; host: string } | { path: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
