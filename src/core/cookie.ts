import { SessionError } from "./errors.ts";

/** The attributes of the session cookie: Django's SESSION_COOKIE_* settings. */
export interface CookieAttributes {
  readonly domain?: string | null | undefined;
  readonly path?: string | null | undefined;
  readonly secure?: boolean | undefined;
  readonly httpOnly?: boolean | undefined;
  /** `false` writes no SameSite attribute. */
  readonly sameSite?: string | false | null | undefined;
}

/**
 * All values of the cookie `name` in a `Cookie` header, in order; linear in its length. Only space and tab are trimmed:
 * a server that trims Unicode spaces reads `\u00a0__Host-x`, which any script may set, as `__Host-x`. A pair without a
 * name is dropped for the same reason (RFC 6265bis section 5.7).
 */
export function cookieValues(header: string | null | undefined, name: string): string[] {
  const values: string[] = [];
  if (!header) return values;
  for (let start = 0; start <= header.length; ) {
    let end = header.indexOf(";", start);
    if (end === -1) end = header.length;
    // In a piece of its own. V8's optimizer takes a search of the header out of any condition it stands in, and then each
    // pair without a "=" searches the whole rest.
    const pair = header.slice(start, end);
    const equals = pair.indexOf("=");
    if (equals !== -1 && trim(pair, 0, equals) === name) values.push(unquote(trim(pair, equals + 1, pair.length)));
    start = end + 1;
  }
  return values;
}

function trim(text: string, start: number, end: number): string {
  while (start < end && isBlank(text, start)) start++;
  while (end > start && isBlank(text, end - 1)) end--;
  return text.slice(start, end);
}

function isBlank(text: string, index: number): boolean {
  return text[index] === " " || text[index] === "\t";
}

/** Undoes Python's quoting of cookie values: `"a\073b"` is `a;b`. */
function unquote(value: string): string {
  if (value.length < 2 || value[0] !== '"' || value.at(-1) !== '"') return value;
  return value
    .slice(1, -1)
    .replace(/\\(?:([0-3][0-7][0-7])|(.))/gs, (_, octal, char) =>
      octal ? String.fromCharCode(Number.parseInt(octal, 8)) : char,
    );
}

/** What Python's http.cookies writes unquoted. Session keys and signed values always are. */
const LEGAL = /^[\w!#$%&'*+\-.^`|~:]+$/;

function quote(value: string): string {
  if (LEGAL.test(value)) return value;
  return `"${value.replace(/[^\w!#$%&'*+\-.^`|~: ()/<=>?@[\]{}]/g, (char) => {
    if (char === '"' || char === "\\") return `\\${char}`;
    if (char > "\u00ff")
      throw new SessionError("ERR_SESSION_VALUE", "A cookie's value cannot hold characters above U+00FF.");
    return `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`;
  })}"`;
}

/**
 * A `Set-Cookie` header as Django writes it, byte for byte: attributes in the order of Python's `http.cookies`.
 *
 * @param maxAge seconds, rounded towards zero; `null` for a cookie that ends with the browser
 */
export function setCookie(
  name: string,
  value: string,
  maxAge: number | null,
  now: Date,
  attributes: CookieAttributes,
): string {
  const age = maxAge === null ? null : Math.trunc(maxAge);
  const expires = age === null ? null : new Date(Math.floor(now.getTime() / 1000) * 1000 + age * 1000);
  return serialize(name, value, age, expires, attributes, attributes.secure === true);
}

/**
 * A `Set-Cookie` header that deletes the cookie, as Django's `delete_cookie` writes it: with `Secure` only where a
 * browser would ignore the header without.
 */
export function deleteCookie(name: string, attributes: CookieAttributes): string {
  const { domain, path, sameSite } = attributes;
  const secure = /^__(secure|host)-/i.test(name) || (typeof sameSite === "string" && sameSite.toLowerCase() === "none");
  return serialize(name, "", 0, new Date(0), { domain, path, sameSite }, secure);
}

function serialize(
  name: string,
  value: string,
  age: number | null,
  expires: Date | null,
  { domain, path, httpOnly, sameSite }: CookieAttributes,
  secure: boolean,
): string {
  let header = `${name}=${quote(value)}`;
  if (domain) header += `; Domain=${domain}`;
  if (expires) header += `; expires=${expires.toUTCString()}`;
  if (httpOnly) header += "; HttpOnly";
  if (age !== null) header += `; Max-Age=${age}`;
  if (path) header += `; Path=${path}`;
  if (sameSite) header += `; SameSite=${sameSite}`;
  if (secure) header += "; Secure";
  return header;
}
