import type { SessionData } from "../../core/contracts.ts";
import { EXPIRY_KEY, expiresAtBrowserClose, expiryDate } from "../../core/expiry.ts";
import type { SessionSettings } from "../../core/settings.ts";
import { isPlainObject } from "../../core/values.ts";
import { djangoVersion } from "../../django/settings/version.ts";
import { fault } from "../faults.ts";
import { instant } from "../output.ts";
import type { FileSettings } from "../source.ts";
import type { Checklist } from "./checklist.ts";

/* What a session that was read says, to Django and to us. Of its values nothing is shown. */

/** How far another server's clock may be ahead: as in core. */
const MAX_CLOCK_SKEW_MS = 60_000;

/** Throws for an expiry that one of the two cannot read: Django then answers with an error. */
export function assertExpiry(data: SessionData, { settings, django }: FileSettings): void {
  try {
    expiryDate(data, new Date(), settings);
  } catch {
    throw fault(`its ${EXPIRY_KEY} is neither seconds nor an instant that Django and Node can read`);
  }
  const expiry = data[EXPIRY_KEY];
  const iso = isPlainObject(expiry) ? expiry.$datetime : expiry;
  if (typeof iso !== "string") return;
  if (expiry === iso && (djangoVersion(django.DJANGO_VERSION) ?? 401) < 401) {
    throw fault(
      `its ${EXPIRY_KEY} is an instant as text, on which Django before 4.1 fails: set an age in seconds instead`,
    );
  }
  const isAware = /[T ].*(?:Z$|[+-]\d\d|\[)/.test(iso);
  if (isAware === settings.useTz) return;
  const [is, other] = isAware ? ["with an offset", "true"] : ["without an offset", "false"];
  throw fault(
    `its ${EXPIRY_KEY} is an instant ${is}, as a server with USE_TZ ${other} writes it. Here USE_TZ is ${settings.useTz}, and Django fails when it compares the two: give both servers the same USE_TZ`,
  );
}

/** Django's `get_user`, as far as it goes without the user. */
export function noteLogin(data: SessionData, { django }: FileSettings, list: Checklist): void {
  if (!("_auth_user_id" in data)) {
    list.ok("nobody is logged in (there is no _auth_user_id)");
    return;
  }
  list.ok("somebody is logged in (there is an _auth_user_id)");
  const backends = (django as { AUTHENTICATION_BACKENDS?: unknown }).AUTHENTICATION_BACKENDS;
  if (!("_auth_user_backend" in data)) {
    list.warn("there is no _auth_user_backend: Django takes nobody for logged in");
  } else if (Array.isArray(backends) && !backends.includes(data._auth_user_backend)) {
    list.warn("its _auth_user_backend is not in AUTHENTICATION_BACKENDS: Django takes nobody for logged in");
  }
  if (!data._auth_user_hash) {
    list.warn("there is no _auth_user_hash: Django ends the session as soon as it asks who is logged in");
  }
}

/** @param expiresAt where the store tells it */
export function noteLifetime(
  data: SessionData,
  expiresAt: Date | undefined,
  settings: SessionSettings,
  list: Checklist,
): void {
  const end = expiresAt ? `it lives until ${instant(expiresAt, new Date())}` : "the server ends it by itself";
  list.ok(`${end}${expiresAtBrowserClose(data, settings) ? "; its cookie ends with the browser" : ""}`);
}

/** When a signed cookie ends, which it says itself. Throws if one of the two servers takes it no longer. */
export function cookieExpiry(data: SessionData, signedAt: Date | null, settings: SessionSettings): Date {
  const now = new Date();
  if (signedAt === null) throw fault("its time of signing is none");
  if (signedAt.getTime() > now.getTime() + MAX_CLOCK_SKEW_MS) {
    throw fault(`it was signed in the future, at ${instant(signedAt, now)}: set the clocks of the servers`);
  }
  const [own, django] = [expiryDate(data, signedAt, settings), expiryDate({}, signedAt, settings)];
  if (django <= now) {
    throw fault(
      `it expired at ${instant(django, now)}: SESSION_COOKIE_AGE after it was signed, whatever set_expiry said. Log in again`,
    );
  }
  if (own <= now) {
    throw fault(
      `it expired at ${instant(own, now)}, by its own set_expiry. Node holds to that; Django does not in signed cookies (ticket 27775), and takes it until ${instant(django, now)}`,
    );
  }
  return own < django ? own : django;
}
