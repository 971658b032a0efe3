import { type SettingsDict, wrong } from "./settings-dict.ts";

/**
 * Refuses what looks like a setting of sessions and is not read: one would believe that it had an effect. Everything else
 * is, as in Django, somebody else's.
 */
export function assertNames(django: SettingsDict): void {
  for (const name of django.unread()) {
    // Django's own rule.
    if (name !== name.toUpperCase()) throw wrong(name, "is no setting: Django's names are in upper case");
    const isOfSessions = name.startsWith("SESSION_");
    // Where the other is given too, this one is a project's own.
    const meant = [...django.asked].find((other) => isMisspelt(name, other) && (isOfSessions || !django.has(other)));
    if (meant !== undefined) throw wrong(name, `is not supported (did you mean ${meant}?)`);
    if (isOfSessions) throw wrong(name, "is not supported");
  }
}

/** By one letter; by two, as when two are exchanged, in a name long enough to tell. */
function isMisspelt(name: string, meant: string): boolean {
  const letters = name.length < 10 ? 1 : 2;
  return Math.abs(name.length - meant.length) <= letters && distance(name, meant) <= letters;
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (const [n, letter] of [...a].entries()) {
    const next = [n + 1];
    for (let at = 0; at < b.length; at++) {
      next.push(Math.min(row[at]! + (letter === b[at] ? 0 : 1), row[at + 1]! + 1, next[at]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
