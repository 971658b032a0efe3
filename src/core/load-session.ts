import type { Budget } from "./budget.ts";
import type { LoadedSession, SessionEngine } from "./contracts.ts";
import { expiryDate } from "./expiry.ts";
import type { SessionSettings } from "./settings.ts";

/** How far another server's clock may be ahead of ours. */
const MAX_CLOCK_SKEW_MS = 60_000;

/**
 * The session that a token leads to. Where the token alone says when it was written, the session ends here, however
 * long the browser keeps its cookie: a replayed cookie lives no longer than its session would have.
 */
export async function loadSession(
  engine: SessionEngine,
  settings: SessionSettings,
  token: string,
  budget?: Budget,
): Promise<LoadedSession | "missing" | "corrupted"> {
  const loaded = await engine.load(token, budget);
  if (typeof loaded === "string" || loaded.savedAt === undefined) return loaded;
  const now = settings.now().getTime();
  // Written in the future, as an invalid date, or for a time that nobody can read: one of the clocks or programs is
  // wrong, which must not log everybody out.
  if (!(loaded.savedAt.getTime() <= now + MAX_CLOCK_SKEW_MS)) return "corrupted";
  try {
    return expiryDate(loaded.data, loaded.savedAt, settings).getTime() > now ? loaded : "missing";
  } catch {
    return "corrupted";
  }
}
