import type { Payload } from "../core/contracts.ts";
import { expiryDate } from "../core/expiry.ts";
import type { SessionSettings } from "../core/settings.ts";
import { isPlainObject } from "../core/values.ts";
import { parse } from "./python-json.ts";
import { ANYONE, loads, timestampUnsign } from "./signing.ts";

/**
 * When a stored payload expires, by what it says itself: its time of signing, and `_session_expiry` in its data. For
 * files, where Django keeps the expiry nowhere else, and gets it wrong for ages in seconds: they never expire there.
 *
 * `null` for what cannot be read. Nothing is verified: who can write the session's file can delete it too.
 */
export function djangoExpiry(settings: SessionSettings): (payload: Payload) => Date | null {
  return (payload) => {
    const text = Buffer.from(payload).toString("latin1");
    const { signedAt } = timestampUnsign(text, [ANYONE]) ?? {};
    const json = loads(text, [ANYONE]);
    if (!signedAt || Number.isNaN(signedAt.getTime()) || json === null) return null;
    try {
      const { value } = parse(json);
      return isPlainObject(value) ? expiryDate(value, signedAt, settings) : null;
    } catch {
      return null;
    }
  };
}
