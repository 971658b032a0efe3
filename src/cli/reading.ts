import type { Contents } from "./contents.ts";

/*
 * A payload is read here as the codecs do, and the reason is told where a codec only says no: for a server every reason
 * is the same, for the person who looks into it they are not.
 */

export type Reading<SignedBy extends number | null = number> = VerifiedReading<SignedBy> | UnreadableReading;

export interface VerifiedReading<SignedBy> extends Contents {
  readonly verified: true;
  /** Which key, from 0; `null` where nothing is signed. */
  readonly signedBy: SignedBy;
  /** `null` where the format has no time, or what stands there is none. */
  readonly signedAt: Date | null;
}

export interface UnreadableReading {
  readonly verified: false;
  /** How far a server gets. */
  readonly step: "format" | "signature" | "contents";
  /** Completes "The payload …"; holds nothing of the payload and no secret. */
  readonly reason: string;
}

export function unreadable(step: UnreadableReading["step"], reason: string): UnreadableReading {
  return { verified: false, step, reason };
}

/** Why it is in none of Django's formats and of ours; `null` if it may be in one. */
export function noDjango(text: string): string | null {
  if (text === "") return "is empty";
  return text.startsWith('{"cookie":{')
    ? "is a session of express-session, not of Django: another library stores its sessions in the same place"
    : null;
}
