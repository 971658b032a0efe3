import { cookieValues } from "./cookie.ts";
import { SessionError } from "./errors.ts";
import { fingerprint } from "./key.ts";

/** RFC 6265bis section 5.6: browsers ignore a cookie whose name and value are longer. */
const MAX_COOKIE_BYTES = 4096;

/**
 * Cookies that one token may fill at most. Node answers requests whose headers are over 16 KiB with 431, before any
 * handler could mend it: the browser would be locked out.
 */
export const MAX_COOKIES = 3;

/**
 * A piece of a token begins with the token's fingerprint, so that pieces of different responses, or planted ones, are
 * not even joined; the first piece with their number before that. `~` is in no token.
 */
const FIRST_PIECE = /^([2-9])~([0-9a-f]{12})~/;
const ID_LENGTH = 12;

/**
 * The cookies, names and values, that carry `token`: one, or pieces called `name`, `name.1`, `name.2`. The names keep
 * the prefix `__Host-`, and Python's http.cookies takes them.
 *
 * Throws `ERR_SESSION_TOO_LARGE` for more than browsers keep in `maxCookies` cookies.
 */
export function tokenCookies(name: string, token: string, maxCookies = 1): readonly (readonly [string, string])[] {
  if (name.length + token.length <= MAX_COOKIE_BYTES) return [[name, token]];
  const id = fingerprint(token);
  const names = [name, ...pieceNames(name)];
  const room = MAX_COOKIE_BYTES - names[1]!.length - `0~${id}~`.length;
  const count = Math.ceil(token.length / room);
  if (count < 1 || count > maxCookies) throw tooLarge(name.length + token.length, maxCookies);
  return names.slice(0, count).map((piece, index) => {
    const part = `${id}~${token.slice(index * room, (index + 1) * room)}`;
    return [piece, index === 0 ? `${count}~${part}` : part];
  });
}

/** The different tokens in a `Cookie` header, in order. One whose pieces are missing or mixed up is cut short. */
export function presentedTokens(header: string | null | undefined, name: string): string[] {
  let pieces: ReadonlyMap<string, string>[] | undefined;
  const tokens = cookieValues(header, name).map((value) => {
    const first = FIRST_PIECE.exec(value);
    if (!first) return value;
    const [start, count, id] = first as unknown as [string, string, string];
    pieces ??= pieceNames(name).map((piece) => byId(cookieValues(header, piece)));
    const rest = pieces.slice(0, Number(count) - 1).map((values) => values.get(id) ?? "");
    return value.slice(start.length) + rest.join("");
  });
  return [...new Set(tokens)];
}

/** Not searched for each token: of many planted cookies that would be their square. */
function byId(values: readonly string[]): ReadonlyMap<string, string> {
  return new Map(values.map((value) => [value.slice(0, ID_LENGTH), value.slice(ID_LENGTH + 1)]));
}

/** The names of pieces in a `Cookie` header that a token of `count` cookies leaves over. */
export function leftoverPieces(header: string | null | undefined, name: string, count: number): string[] {
  return pieceNames(name).filter((piece, index) => index + 1 >= count && cookieValues(header, piece).length > 0);
}

/** Of all pieces but the first. */
function pieceNames(name: string): string[] {
  return Array.from({ length: MAX_COOKIES - 1 }, (_, index) => `${name}.${index + 1}`);
}

function tooLarge(bytes: number, maxCookies: number): SessionError {
  const allowed = maxCookies > 1 ? `, and it may fill ${maxCookies} cookies` : "";
  return new SessionError(
    "ERR_SESSION_TOO_LARGE",
    `The session takes ${bytes} bytes with its cookie's name; browsers keep ${MAX_COOKIE_BYTES} in a cookie${allowed}. Keep large things elsewhere, and their ids in the session, or keep sessions in a store.`,
  );
}
