import type { SessionCodec, SessionData } from "../core/contracts.ts";
import { SessionError } from "../core/errors.ts";
import { isPlainObject, MAX_BYTES, MAX_DEPTH, newData, replace, tooDeep, tooLarge } from "../core/values.ts";

/**
 * Plain JSON, unsigned: for a store that nobody else writes to, when Django does not read it. Whoever can write to the
 * store can write any session; `djangoCodec` is for the others.
 *
 * Values come back as they were, or are refused: no Date turns into a string, no NaN into null.
 *
 * @example storeEngine(redisStore(client), jsonCodec())
 */
export function jsonCodec(): SessionCodec {
  return {
    encode(data) {
      assertJson(data, "", 0);
      const json = JSON.stringify(data);
      if (json.length <= MAX_BYTES) return json;
      throw tooLarge(json.length, "characters as JSON");
    },
    decode(payload) {
      // UTF-8 has three bytes for a character, or four for two.
      if (payload.length > 3 * MAX_BYTES) return null;
      try {
        const text = typeof payload === "string" ? payload : UTF8.decode(payload);
        // What could not be written is not read either: data nested too deep, and numbers such as 1e999.
        if (isTooDeep(text)) return null;
        const value: unknown = JSON.parse(text);
        if (!isPlainObject(value)) return null;
        assertJson(value, "", 0);
        const data: SessionData = newData();
        replace(data, value);
        return { data };
      } catch {
        return null;
      }
    },
    assertValue: (value, path) => assertJson(value, path, 0),
  };
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Asked before the text is parsed: V8 takes seconds for a few megabytes of brackets. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '"') at = endOfString(text, at);
    else if (char === "]" || char === "}") depth--;
    else if ((char === "[" || char === "{") && ++depth > MAX_DEPTH) return true;
  }
  return false;
}

/** Where the string that begins at `start` ends, or the text. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at;
}

/** `JSON.stringify` leaves out, or changes, what this refuses. */
function assertJson(value: unknown, path: string, depth: number): void {
  if (value === null || typeof value === "string" || typeof value === "boolean" || Number.isFinite(value)) return;
  if (Array.isArray(value)) {
    if (depth >= MAX_DEPTH) throw tooDeep(named(path));
    // Not `forEach`, which passes over holes.
    for (let index = 0; index < value.length; index++) assertJson(value[index], `${path}[${index}]`, depth + 1);
  } else if (isPlainObject(value)) {
    if (depth >= MAX_DEPTH) throw tooDeep(named(path));
    for (const key of Object.keys(value)) assertJson(value[key], path === "" ? key : `${path}.${key}`, depth + 1);
  } else {
    throw new SessionError(
      "ERR_SESSION_VALUE",
      `${named(path)} is ${described(value)}, which JSON cannot carry. Store a string, finite number, boolean, null, array or plain object instead.`,
    );
  }
}

function named(path: string): string {
  return path === "" ? "The session's data" : path;
}

function described(value: unknown): string {
  if (value === undefined || typeof value === "number") return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  return `an instance of ${value?.constructor?.name ?? "an unknown class"}`;
}
