import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Task, Told } from "./children/serve.ts";

/** Processes that do the same thing at the same time. */
export interface Processes {
  /** What each answers to a task. What one says to the others meanwhile, they hear. */
  all<T>(task: Task): Promise<T[]>;
  end(): Promise<unknown>;
}

export async function startProcesses(count: number): Promise<Processes> {
  const path = fileURLToPath(new URL("./children/serve.js", import.meta.url));
  const children = Array.from({ length: count }, (_, n) => fork(path, [String(n)]));
  await Promise.all(children.map((child) => once(child, "message")));
  let tasks = 0;

  for (const child of children) {
    child.on("message", (told: Told) => {
      if (told.says === undefined) return;
      for (const other of children) if (other !== child && other.connected) other.send(told);
    });
  }

  function ask<T>(child: ChildProcess, id: number, task: Task): Promise<T> {
    return new Promise((resolve, reject) => {
      const over = () => child.off("message", hear).off("exit", died);
      const died = (code: number | null) => reject(new Error(`A process ended with ${code}.`));
      const hear = (told: Told) => {
        if (told.id !== id || told.says !== undefined) return;
        over();
        if (told.error === undefined) resolve(told.answer as T);
        else reject(new Error(told.error));
      };
      child.on("message", hear).once("exit", died);
      child.send({ id, task });
    });
  }

  return {
    all: (task) => {
      const id = tasks++;
      return Promise.all(children.map((child) => ask<any>(child, id, task)));
    },
    end: () =>
      Promise.all(
        children.map((child) => {
          child.kill("SIGKILL");
          return child.exitCode === null && child.signalCode === null ? once(child, "exit") : null;
        }),
      ),
  };
}
