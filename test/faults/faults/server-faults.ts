import type { Backend, Fault, FaultEffect } from "../fault.ts";
import { lasting } from "./lasting.ts";

/** A server of a backend: any of them. */
interface Part {
  freeze(): unknown;
  thaw(): unknown;
  kill(): Promise<void>;
  restart(): Promise<Part>;
}

/** The server under that name neither answers nor goes away. */
export function frozen<Name extends string>(
  part: Name,
  effect: FaultEffect = "unavailable",
): Fault<Backend & { [name in Name]: Part }> {
  return lasting(named(part, "frozen (SIGSTOP)"), effect, async (backend) => {
    await backend[part].freeze();
    return () => backend[part].thaw();
  });
}

/** The server under that name is not there; it comes back with what its disk has. */
export function killed<Name extends string>(
  part: Name,
  effect: FaultEffect,
): Fault<Backend & { [name in Name]: Part }> {
  return lasting(named(part, "killed (SIGKILL), and started again"), effect, async (backend) => {
    await backend[part].kill();
    return async () => {
      (backend as { [name in Name]: Part })[part] = await backend[part].restart();
    };
  });
}

function named(part: string, what: string): string {
  return part === "server" ? what : `${part} ${what}`;
}
