import assert from "node:assert/strict";
import type { LoadedSession, Saving, SessionData, SessionEngine } from "../core/contracts.ts";
import { SessionError } from "../core/errors.ts";
import { merge } from "../core/merge.ts";
import type { Clock } from "./clock.ts";
import { HOUR } from "./store-case.ts";

/** What a case has in its hand. */
export interface EngineBench {
  readonly engine: SessionEngine;
  readonly clock: Clock;
  /** A save at this time of the clock, of sessions that live for an hour. */
  saving(): Saving;
  /** From now on the backend answers nothing but errors. */
  breakBackend(): void;
}

/** Rules of the contract by their names. */
export type EngineCases = Readonly<Record<string, (bench: EngineBench) => Promise<void>>>;

export const DATA: SessionData = { uid: "alice", cart: [{ item: "book", n: 1 }], theme: null };

/** As the lifecycle reconciles. */
export const merging = (mine: SessionData, base: SessionData, theirs: SessionData | null): void => {
  if (theirs === null) throw new SessionError("ERR_SESSION_INTERRUPTED", "The session is gone.");
  merge(base, mine, theirs);
};

/** For where nobody else changes the session. */
export const notNeeded = (): never => {
  throw new Error("reconcile was called although nobody else changed the session");
};

/** The session's data, whatever their prototypes. Fails if there is no such session. */
export async function dataOf(engine: SessionEngine, token: string): Promise<SessionData> {
  return plain((await loaded(engine, token)).data);
}

export async function loaded(engine: SessionEngine, token: string): Promise<LoadedSession> {
  const session = await engine.load(token);
  if (typeof session === "string") assert.fail(`the session is ${session}`);
  return session;
}

function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value));
}

export function savingAt(clock: Clock): Saving {
  return { now: clock.now(), expiresAt: () => clock.in(HOUR) };
}
