import type { Request } from "express";
import { fingerprint, type Session, type SessionSettings } from "sojourn";
import type { DemoOptions } from "./app.ts";
import { PLACES, type Place } from "./place.ts";

/** What the page shows: one session in its three places. Holds no key. */
export interface SessionView {
  readonly cookie: {
    readonly name: string;
    /** Of the value that the browser sent. */
    readonly fingerprint: string | null;
    readonly attributes: readonly string[];
    /** When the browser forgets it by itself. */
    readonly ends: Date | "with the browser" | "some time after saving";
  };
  readonly place: Place;
  readonly row: {
    readonly fingerprint: string;
    readonly payload: string;
    readonly expiresAt: Date | "some time after saving";
  } | null;
  /** Whether the cookie led to a session. */
  readonly isLive: boolean;
  readonly data: readonly (readonly [string, unknown])[];
  readonly cookieAge: number;
  /** Seconds from a save to this session's end. */
  readonly age: number;
  readonly now: Date;
}

/** RFC 6265bis: browsers keep no cookie for longer. */
const MAX_COOKIE_MS = 400 * 86_400_000;

/** Looks at a request's session from all three sides. */
export async function sessionView(
  req: Request,
  session: Session,
  { store, engine, settings }: Pick<DemoOptions, "store" | "engine" | "settings">,
): Promise<SessionView> {
  const now = settings.now();
  const record = session.key === null || store === null ? null : await store.load(session.key);
  const payload = record === null ? "" : payloadText(record.payload);
  // A signed cookie's key is its payload.
  const savedAt = timeOfSaving(store === null ? (session.key ?? "") : payload);
  const sent = cookieValue(req.headers.cookie ?? "", settings.cookieName);
  // A cache's entry does not say when it was written, nor when it ends.
  const known = record?.expiresAt ?? (savedAt && session.expiryDate(savedAt));
  const expiresAt = known ?? "some time after saving";
  return {
    cookie: {
      name: settings.cookieName,
      fingerprint: sent ? fingerprint(sent) : null,
      attributes: attributes(settings),
      ends: session.expiresAtBrowserClose()
        ? "with the browser"
        : known
          ? new Date(Math.min(known.getTime(), (savedAt ?? now).getTime() + MAX_COOKIE_MS))
          : expiresAt,
    },
    place: PLACES[engine],
    isLive: session.key !== null,
    row: record && session.key ? { fingerprint: fingerprint(session.key), payload, expiresAt } : null,
    data: [...session],
    cookieAge: settings.cookieAge,
    age: session.expiryAge(),
    now,
  };
}

function attributes({ cookieHttpOnly, cookieSecure, cookieSameSite, cookiePath, cookieDomain }: SessionSettings) {
  return [
    cookieHttpOnly && "HttpOnly",
    cookieSecure && "Secure",
    cookieSameSite && `SameSite=${cookieSameSite}`,
    `Path=${cookiePath}`,
    cookieDomain && `Domain=${cookieDomain}`,
  ].filter((text) => typeof text === "string");
}

function cookieValue(header: string, name: string): string | undefined {
  return header
    .split(";")
    .map((pair) => pair.trim())
    .find((pair) => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1);
}

/** As Python would show it: what is no printable ASCII is escaped. */
function payloadText(payload: string | Uint8Array): string {
  return Buffer.from(payload)
    .toString("latin1")
    .replace(/[^\x20-\x7e]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** Django's signed format says when it was written, in base 62 seconds; the row's expiry counts from then. */
function timeOfSaving(payload: string): Date | undefined {
  const [, time] = /^[\w.-]+:([0-9A-Za-z]{6}):[\w-]{43}$/.exec(payload) ?? [];
  if (!time) return undefined;
  const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  return new Date([...time].reduce((sum, digit) => sum * 62 + digits.indexOf(digit), 0) * 1000);
}
