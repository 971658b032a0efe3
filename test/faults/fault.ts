import type { ConnectedStore } from "../../src/connect.ts";
import type { FaultProxy, ProxyMode } from "./proxy.ts";

/** Where the application's sessions are, in words that can be told to another process. */
export interface StoreAddress {
  /** For `connect`: through the proxy where there is one. */
  readonly url: string;
  /** For `connect` too: the cache in front of it, as in Django's cached_db. */
  readonly cache?: string | undefined;
}

/** The servers of one scene, private and running. */
export interface Backend extends StoreAddress {
  readonly name: string;
  readonly proxy: FaultProxy | undefined;
  /** For the scene's own faults. */
  readonly server: unknown;
  /** What an acknowledged write survives: the server's SIGKILL, or nothing (memcached, Redis without AOF). */
  readonly durability: "kill" | "nothing";
  /** Opens what the application uses; `openStore(this)` does. The runner creates the tables with it. */
  open(): Promise<ConnectedStore>;
  /** Ends the servers and the proxy. */
  close(): Promise<void>;
}

/**
 * What the load may see while a fault lasts:
 * - `"unavailable"`: 503 is allowed
 * - `"served"`: no error is allowed
 * - `"writes-fail"`: reads are served, writes may be 503
 * - `"data-loss"`: 503 is allowed, and the server may lose what it had acknowledged: counted, and reported as its own
 */
export type FaultEffect = "unavailable" | "served" | "writes-fail" | "data-loss";

export interface Fault<B extends Backend = Backend> {
  readonly name: string;
  readonly effect: FaultEffect;
  begin(backend: B): Promise<void>;
  /** Resolves when the servers could answer again: the time of recovery counts from then. */
  end(backend: B): Promise<void>;
}

export interface Scene<B extends Backend = Backend> {
  readonly name: string;
  readonly backend: () => Promise<B>;
  /** Besides `genericFaults`, which every backend with a proxy gets. Run one after another on one backend. */
  readonly faults: readonly Fault<B>[];
}

/** What any network can do to any server. */
export const genericFaults: readonly Fault[] = [
  throughProxy("latency of 10 ms", "served", { name: "latency", ms: 10 }),
  throughProxy("latency of 2 s", "unavailable", { name: "latency", ms: 2000 }),
  throughProxy("black hole", "unavailable", { name: "blackHole" }),
  throughProxy("replies dropped", "unavailable", { name: "dropReplies" }),
  throughProxy("reset on reply", "unavailable", { name: "resetOnReply" }),
  throughProxy("one byte at a time", "served", { name: "slice" }),
  throughProxy("connections refused", "unavailable", { name: "refuse" }),
];

/**
 * Only for where it is noticed: the protocols of Redis, memcached, PostgreSQL and MySQL have no checksum of their own, and
 * an answer with another byte in it can say anything.
 */
export const corruptedReplies: Fault = throughProxy("corrupted replies", "unavailable", { name: "corrupt" });

function throughProxy(name: string, effect: FaultEffect, mode: ProxyMode): Fault {
  return {
    name,
    effect,
    begin: async ({ proxy }) => proxy!.set(mode),
    end: async ({ proxy }) => proxy!.set({ name: "pass" }),
  };
}
