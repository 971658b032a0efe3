import type { Payload } from "../core/contracts.ts";
import { expiryDate } from "../core/expiry.ts";
import type { SessionSettings } from "../core/settings.ts";
import { type DjangoPayloadFormat, signedCodec } from "./codec.ts";
import { ANYONE } from "./signing.ts";

/**
 * When a stored payload expires, by what it says itself: its time of signing, and `_session_expiry` in its data. For
 * files, where Django keeps the expiry nowhere else, and gets it wrong for ages in seconds: they never expire there.
 * Before Django 3.1 the payload did not hold the time: then it is the file's.
 *
 * `null` for what cannot be read. Nothing is verified: who can write the session's file can delete it too.
 */
export function djangoExpiry(
  settings: SessionSettings,
  format: DjangoPayloadFormat = {},
): (payload: Payload, modifiedAt: Date) => Date | null {
  const { decode } = signedCodec(format, [ANYONE], format.readLegacy ? [ANYONE] : []);
  return (payload, modifiedAt) => {
    const decoded = decode(payload);
    if (decoded === null) return null;
    const { data, savedAt = modifiedAt } = decoded;
    try {
      return Number.isNaN(savedAt.getTime()) ? null : expiryDate(data, savedAt, settings);
    } catch {
      return null;
    }
  };
}
