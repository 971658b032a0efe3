import { createHash, createHmac, randomBytes } from "node:crypto";
import type { SessionData } from "../core/contracts.ts";
import { EXPIRY_KEY } from "../core/expiry.ts";
import { isSessionKey } from "../core/key.ts";

/*
 * When a session moves to a new key, a logout may be under way that knows the old one only. So the move leaves a record
 * that leads from the old key to the new one, for as long as such a request can last. Not under the old key itself:
 * Django, which does not know it, would save over it and bring the old session back.
 */

/** Where a forwarding record says where its session went. No session has it. */
const MOVED_KEY = "_sojourn_moved";

/** Seconds: longer than any request that was under way. */
export const FORWARDING_AGE = 300;

/** The key of the record that tells where the session of `key` went: whoever has the one can find the other only. */
export function forwardingKey(key: string): string {
  return createHash("sha256").update(`sojourn.moved:${key}`).digest("hex").slice(0, 40);
}

export function isForwarding(data: SessionData): boolean {
  return Object.hasOwn(data, MOVED_KEY);
}

/** @param known what an earlier record says: of two log-ins on one cookie each moves the session, and one succeeds */
export function forwardingData(from: string, to: string, known: SessionData = {}): SessionData {
  const earlier = isForwarding(known) ? [known[MOVED_KEY]] : [];
  return { [MOVED_KEY]: [...earlier, sealed(from, to)].join(" "), [EXPIRY_KEY]: FORWARDING_AGE };
}

/** The keys that the session of `from` may have moved to. */
export function forwardedKeys(from: string, data: SessionData): string[] {
  const text = data[MOVED_KEY];
  return typeof text === "string"
    ? text
        .split(" ")
        .map((part) => opened(from, part))
        .filter(isSessionKey)
    : [];
}

/** Sealed with the old key, which a store that hashes its keys does not hold: it must not hold the new one either. */
function sealed(from: string, to: string): string {
  const nonce = randomBytes(8);
  return Buffer.concat([nonce, mask(from, nonce, Buffer.from(to))]).toString("hex");
}

function opened(from: string, text: string): string {
  const bytes = Buffer.from(text, "hex");
  return mask(from, bytes.subarray(0, 8), bytes.subarray(8)).toString("latin1");
}

function mask(from: string, nonce: Uint8Array, bytes: Uint8Array): Buffer {
  const pad = createHmac("sha512", from).update(nonce).digest();
  return Buffer.from(bytes.map((byte, index) => byte ^ (pad[index % pad.length] as number)));
}
