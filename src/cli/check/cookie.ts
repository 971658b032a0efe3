import type { FileSettings } from "../source.ts";
import type { Checklist } from "./checklist.ts";

/** RFC 6265bis section 5.6: browsers ignore a cookie whose name and value are longer. */
const MAX_COOKIE_BYTES = 4096;

/** When a browser sends the cookie: what looks like "logged out", though the session is there. */
export function noteCookie({ settings, engine }: FileSettings, token: string, list: Checklist): void {
  const { cookieName, cookieDomain, cookiePath, cookieSecure, cookieSameSite, useTz } = settings;
  const hosts = cookieDomain === null ? "only to the host that set it, at any port" : `to the hosts of ${cookieDomain}`;
  list.ok(`browsers send ${cookieName} ${hosts}, for paths below ${cookiePath}`);
  if (cookieSecure) list.warn("SESSION_COOKIE_SECURE: over http they neither keep nor send it, but on localhost");
  if (cookieSameSite === "Strict") {
    list.warn(
      'SESSION_COOKIE_SAMESITE "Strict": who comes by a link from another site is logged out on the first page',
    );
  }
  if (cookiePath !== "/")
    list.warn(`SESSION_COOKIE_PATH: a server whose pages are not below ${cookiePath} never gets it`);
  if (!useTz) list.warn("USE_TZ is false: Django's TIME_ZONE must be UTC, or its instants mean something else here");
  if (engine.name === "signed_cookies" && cookieName.length + token.length > MAX_COOKIE_BYTES) {
    list.warn(
      `with ${token.length} characters it is too large: browsers ignore cookies over ${MAX_COOKIE_BYTES} bytes`,
    );
  }
}
