import type { Health } from "./cell.ts";
import type { Figures } from "./check.ts";

/** What a request may spend on its session, and slack for a machine that is busy with servers, users and reports. */
const SLOWEST_MS = 1500 + 1000;

/** Two seconds, and slack. */
const RECOVERY_MS = 2000 + 1000;

/** Connections that come and go. */
const DESCRIPTORS = 8;

/** A process that has just begun still grows by what it compiles. */
const MEMORY = 100 * 2 ** 20;

const NONE = 0;

/** A figure, what it may be at most, and the words for it in a report. */
export interface Promised {
  readonly name: string;
  readonly of: (figures: Figures & Health) => number;
  readonly most: number;
  readonly unit?: "ms" | "MB" | undefined;
}

export const promises: readonly Promised[] = [
  { name: "lost", of: ({ lost }) => lost, most: NONE },
  { name: "wrong-user reads", of: ({ wrongUser }) => wrongUser, most: NONE },
  { name: "stale", of: ({ stale }) => stale, most: NONE },
  { name: "resurrected", of: ({ resurrected }) => resurrected, most: NONE },
  { name: "forged accepted", of: ({ forgedAccepted }) => forgedAccepted, most: NONE },
  { name: "double-applied", of: ({ doubleApplied }) => doubleApplied, most: NONE },
  { name: "misreported", of: ({ misreported }) => misreported, most: NONE },
  { name: "good cookies dropped", of: ({ cookiesDropped }) => cookiesDropped, most: NONE },
  { name: "logged out", of: ({ loggedOut }) => loggedOut, most: NONE },
  { name: "overlooked", of: ({ overlooked }) => overlooked, most: NONE },
  { name: "Set-Cookie on 503", of: ({ setCookieOn503 }) => setCookieOn503, most: NONE },
  { name: "503 without Retry-After", of: ({ withoutRetryAfter }) => withoutRetryAfter, most: NONE },
  { name: "refused though served", of: ({ refused }) => refused, most: NONE },
  { name: "untouched pages failed", of: ({ untouchedFailed }) => untouchedFailed, most: NONE },
  { name: "unexpected answers", of: ({ unexpected }) => unexpected, most: NONE },
  { name: "unhandled rejections", of: ({ unhandled }) => unhandled, most: NONE },
  { name: "process exits", of: ({ exits }) => exits, most: NONE },
  { name: "keys logged", of: ({ keysLogged }) => keysLogged, most: NONE },
  { name: "slowest answer", of: ({ slowest }) => slowest, most: SLOWEST_MS, unit: "ms" },
  { name: "recovery", of: ({ recovery }) => recovery, most: RECOVERY_MS, unit: "ms" },
  { name: "descriptors left", of: ({ descriptors }) => descriptors.after - descriptors.before, most: DESCRIPTORS },
  { name: "memory left", of: ({ memory }) => memory.after - memory.before, most: MEMORY, unit: "MB" },
];

/** Those that a machine breaks which is busy with something else. */
const OF_TIME: readonly string[] = ["refused though served", "slowest answer", "recovery"];

/** Pages that do without the session take a few milliseconds. Where they took this long, the machine had no time. */
const BUSY_MS = 300;

/** Whether what broke may be the machine's doing, and says nothing. Never where something was lost, or somebody else's. */
export function mayBeTheMachine(figures: Figures & Health): boolean {
  const names = promises.filter((promise) => promise.of(figures) > promise.most).map(({ name }) => name);
  return names.length > 0 && names.every((name) => OF_TIME.includes(name)) && figures.slowestUntouched > BUSY_MS;
}

/** In words, those that did not hold. */
export function broken(figures: Figures & Health): readonly string[] {
  return promises.flatMap((promise) => {
    const value = promise.of(figures);
    return value <= promise.most ? [] : [`${promise.name} ${shown(value, promise)}`];
  });
}

export function shown(value: number, { unit }: Promised): string {
  if (unit === "MB") return `${Math.round(value / 2 ** 20)} MB`;
  return unit === "ms" ? `${Math.round(value)} ms` : String(value);
}
