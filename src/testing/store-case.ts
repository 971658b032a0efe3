import type { SessionStore } from "../core/contracts.ts";
import type { Clock } from "./clock.ts";

/** Rules of a contract by their names. */
export type StoreCases = Readonly<Record<string, (store: SessionStore, clock: Clock) => Promise<void>>>;

export const KEY = "k3y0fas3ss10nk3y0fas3ss10nk3y0fa";

/** Requests that meet at the same instant. */
export const CROWD = 50;

export const HOUR = 3_600_000;

/** The payload that a reader gets, as text; `null` for none. */
export async function payloadOf(store: SessionStore, key: string): Promise<string | null> {
  const loaded = await store.load(key);
  return loaded && Buffer.from(loaded.payload).toString();
}

/** Starts them all before the first has ended. */
export function atOnce<T>(count: number, operation: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => operation(index)));
}

/** A key of a numbered session: 32 characters, as Django's. */
export function numberedKey(index: number): string {
  return String(index).padStart(32, "k");
}
