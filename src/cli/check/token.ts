import { cookieValues } from "../../core/cookie.ts";
import { isSessionKey } from "../../core/key.ts";
import { presentedTokens } from "../../core/token-cookies.ts";
import { fault } from "../faults.ts";
import { isLegacy } from "../legacy-payload.ts";
import { hasSignature } from "../payload.ts";

/* What a browser brought: the session's key, or in signed cookies the session itself. Nothing of it is ever shown. */

/** A header, with or without its name; keys and signed values have no `=` but at their end. */
const HEADER = /^(?:(?:set-)?cookie:\s*(.*)|([!#$%&'*+.^`|~\w-]{1,256}=.*[^=].*))$/is;

/** The cookie's values in what was given, which may be a whole `Cookie` header; one, and as many as came by its name. */
export function presented(given: string, cookieName: string): readonly string[] {
  if (given === "") throw fault("nothing was given: a session key, a cookie's value or a Cookie header is needed");
  const match = HEADER.exec(given);
  if (!match) return [given];
  const header = (match[1] ?? match[2])!;
  const tokens = presentedTokens(header, cookieName);
  if (tokens.length > 0) return tokens;
  const others = cookieNames(header);
  throw fault(
    `the header has no cookie ${cookieName}${others.length > 0 ? `, but ${others.join(", ")}` : ""}. Either SESSION_COOKIE_NAME is not the same on both servers, or the browser does not send it here: see its domain, path and Secure`,
  );
}

/** Without what may be a key that stands where a name belongs. */
function cookieNames(header: string): string[] {
  const names = header.split(";").map((pair) => /^\s*([\w.-]{1,30})=/.exec(pair)?.[1]);
  return names.filter((name) => name !== undefined && cookieValues(header, name).length > 0) as string[];
}

/** Why a store cannot be asked for it; `null` if it can. Completes "It …". */
export function whyNoKey(token: string): string | null {
  if (isSessionKey(token)) return null;
  const wrapped = whyWrapped(token);
  if (wrapped !== null) return wrapped;
  if (hasSignature(token)) {
    return "is signed data, not a session key: the cookie of a server with SESSION_ENGINE signed_cookies, or what a database keeps in session_data, which `sojourn decode -` reads";
  }
  if (isLegacy(token)) return "is what a database of Django before 3.1 keeps in session_data, not a session key";
  if (isSessionKey(token.toLowerCase())) {
    return "has capital letters, and session keys have none: something changed it on the way, or it is another cookie, such as csrftoken";
  }
  if (/^[a-z0-9]*$/i.test(token)) {
    const problem = token.length < 8 ? "too short" : "too long";
    return `is ${problem} for a session key: ${token.length} characters, where Django makes 32, and 8 to 40 are taken`;
  }
  return "is no session key: those are characters of a-z and 0-9 only. It may be another cookie's value";
}

/** Why it is no session of signed_cookies. */
export function whyNoSignedCookie(token: string): string | null {
  const wrapped = whyWrapped(token);
  if (wrapped !== null) return wrapped;
  return isSessionKey(token)
    ? "is a session key: the cookie of a server that keeps its sessions in a database, cache or file. Here SESSION_ENGINE is signed_cookies: give both servers the same"
    : null;
}

function whyWrapped(token: string): string | null {
  if (/^(["'`]).*\1$/s.test(token)) return "is in quotes, which are not part of it";
  if (/^s(?::|%3A)[^.]+\.[\w+/%=-]+$/i.test(token)) {
    return "is a cookie of express-session: another library sets a cookie of the same name. Give one of them another name, or path";
  }
  if (/%[\da-f]{2}/i.test(token)) {
    return "is URL-encoded (%3A stands for a colon), which Django neither writes nor undoes: whatever set or copied the cookie encoded it";
  }
  if (/\s/.test(token)) return "has white space in it";
  return null;
}
