import { REQUEST_TIMEOUT_MS } from "./budget.ts";
import { SessionError } from "./errors.ts";
import type { ExpiryPolicy } from "./expiry.ts";
import type { Resolve } from "./merge.ts";

/** Django's session settings by their own names, without `SESSION_` and in camel case; Django's defaults for each. */
export interface SessionSettings extends ExpiryPolicy {
  /** Default `"sessionid"`. With `"__Host-…"` browsers accept it from this very host over HTTPS only. */
  readonly cookieName: string;
  /** Seconds a session lives after its last save. Default 1209600, two weeks. */
  readonly cookieAge: number;
  /** Set to share the cookie with subdomains. Default `null`: this host only. */
  readonly cookieDomain: string | null;
  /** Default `"/"`. */
  readonly cookiePath: string;
  /** Send the cookie over HTTPS only: turn it on in production. Default `false`. */
  readonly cookieSecure: boolean;
  /** Hide the cookie from the page's scripts. Default `true`. */
  readonly cookieHttpOnly: boolean;
  /** Default `"Lax"`. `false` writes no attribute. */
  readonly cookieSameSite: "Lax" | "Strict" | "None" | false;
  /** Save, and so renew, the session on every request that carries one. Default `false`. */
  readonly saveEveryRequest: boolean;
  /** Let the cookie end with the browser unless `setExpiry` says otherwise. Default `false`. */
  readonly expireAtBrowserClose: boolean;
  /**
   * OWASP's absolute timeout: seconds that a session lives at most, however often it is saved. Kept in the session, under
   * `_session_started`. Default `null`: as in Django, none.
   */
  readonly absoluteAge: number | null;
  /** Milliseconds that one request may wait for its session in all; then it is answered by 503. Default 1500. */
  readonly requestTimeoutMs: number;
  /**
   * What becomes of a change when its session was deleted while the request ran, by a logout. `"error"`, the default:
   * the request is answered by 400, Django's SessionInterrupted. `"drop"`: the change is lost, the response goes out.
   * `"new"`: what the request itself changed begins a new session; nothing of the old one lives on.
   */
  readonly onInterrupted: "error" | "drop" | "new";
  /**
   * Says what to keep of a path that parallel requests changed differently. Default `null`: what this request made of
   * it, being the later one.
   */
  readonly onConflict: Resolve | null;
  /** Django's USE_TZ: write instants with an offset. Default `true`; must equal the Django project's. */
  readonly useTz: boolean;
  /** The clock. For tests. */
  readonly now: () => Date;
}

export const DEFAULT_SETTINGS: SessionSettings = {
  cookieName: "sessionid",
  cookieAge: 1_209_600,
  cookieDomain: null,
  cookiePath: "/",
  cookieSecure: false,
  cookieHttpOnly: true,
  cookieSameSite: "Lax",
  saveEveryRequest: false,
  expireAtBrowserClose: false,
  absoluteAge: null,
  requestTimeoutMs: REQUEST_TIMEOUT_MS,
  onInterrupted: "error",
  onConflict: null,
  useTz: true,
  now: () => new Date(),
};

const ON_INTERRUPTED: readonly unknown[] = ["error", "drop", "new"];
const SAME_SITE: readonly unknown[] = ["Lax", "Strict", "None", false];
/** RFC 9110 section 5.6.2. */
const COOKIE_NAME = /^[\w!#$%&'*+\-.^`|~]+$/;
/** RFC 6265bis: printable ASCII but `;`, and attributes over 1024 bytes are ignored by browsers. */
const ATTRIBUTE = /^[\x20-\x3a\x3c-\x7e]{0,1024}$/;

/** Fills in the defaults. Throws `ERR_CONFIG`, naming the option, for what is unknown, wrong or would be ignored by browsers. */
export function resolveSettings(options: Partial<SessionSettings>): SessionSettings {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(DEFAULT_SETTINGS, name)) {
      throw wrong(name, `is not an option. There are ${Object.keys(DEFAULT_SETTINGS).join(", ")}`);
    }
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const s: SessionSettings = { ...DEFAULT_SETTINGS, ...given };

  for (const name of ["cookieSecure", "cookieHttpOnly", "saveEveryRequest", "expireAtBrowserClose", "useTz"] as const) {
    if (typeof s[name] !== "boolean") throw wrong(name, "must be true or false");
  }
  if (typeof s.now !== "function") throw wrong("now", "must be a function that returns a Date");
  if (typeof s.cookieName !== "string" || !COOKIE_NAME.test(s.cookieName)) {
    throw wrong("cookieName", "must be a cookie name: letters, digits and !#$%&'*+-.^_`|~");
  }
  if (!Number.isFinite(s.cookieAge) || s.cookieAge <= 0)
    throw wrong("cookieAge", "must be a positive number of seconds");
  if (s.absoluteAge !== null && !(Number.isFinite(s.absoluteAge) && s.absoluteAge > 0)) {
    throw wrong("absoluteAge", "must be a positive number of seconds, or null");
  }
  if (!(Number.isFinite(s.requestTimeoutMs) && s.requestTimeoutMs >= 50)) {
    throw wrong("requestTimeoutMs", "must be a number of milliseconds, at least 50");
  }
  if (!ON_INTERRUPTED.includes(s.onInterrupted)) throw wrong("onInterrupted", 'must be "error", "drop" or "new"');
  if (s.onConflict !== null && typeof s.onConflict !== "function") {
    throw wrong("onConflict", "must be a function that returns the value to keep, or null");
  }
  if (s.cookieDomain !== null && !isAttribute(s.cookieDomain))
    throw wrong("cookieDomain", "must be a host name or null");
  if (!isAttribute(s.cookiePath)) throw wrong("cookiePath", "must be a path like /");
  if (!SAME_SITE.includes(s.cookieSameSite)) throw wrong("cookieSameSite", 'must be "Lax", "Strict", "None" or false');
  if (s.cookieSameSite === "None" && !s.cookieSecure) {
    throw wrong("cookieSameSite", '"None" needs cookieSecure: true; browsers refuse the cookie otherwise');
  }
  if (/^__(secure|host)-/i.test(s.cookieName) && !s.cookieSecure) {
    throw wrong("cookieName", `${s.cookieName} needs cookieSecure: true; browsers refuse the cookie otherwise`);
  }
  if (/^__host-/i.test(s.cookieName) && (s.cookieDomain !== null || s.cookiePath !== "/")) {
    throw wrong(
      "cookieName",
      `${s.cookieName} needs cookieDomain null and cookiePath "/"; browsers refuse it otherwise`,
    );
  }
  return Object.freeze(s);
}

function isAttribute(value: unknown): boolean {
  return typeof value === "string" && ATTRIBUTE.test(value);
}

function wrong(name: string, problem: string): SessionError {
  return new SessionError("ERR_CONFIG", `${name} ${problem}.`);
}
