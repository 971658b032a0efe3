import { isAnyArrayBuffer, isDate, isMap, isProxy, isRegExp, isSet, isSharedArrayBuffer } from "node:util/types";
import { deserialize, serialize } from "node:v8";
import type { SessionCodec, SessionData } from "../core/contracts.ts";
import { SessionError } from "../core/errors.ts";
import { isPlainObject, MAX_BYTES, MAX_DEPTH, newData, replace, tooDeep, tooLarge } from "../core/values.ts";

/** Before V8's own header, which other programs write too. */
const HEADER = Buffer.from("sojourn1");

/**
 * Values as the structured clone algorithm keeps them: Map, Set, Date, BigInt, RegExp, typed arrays, undefined, and an
 * object that stands in two places is still one. For the memory store, or another store of bytes that only programs of
 * the same Node read and nobody else writes to: unsigned, in V8's format.
 *
 * What a clone would change is refused with its path: functions, instances of classes, cycles.
 *
 * @example createSessions({ engine: storeEngine(memoryStore(), structuredCodec()) })
 */
export function structuredCodec(): SessionCodec {
  return {
    encode(data) {
      assertClonable(data, "", 0, new Set());
      const bytes = Buffer.concat([HEADER, serialize({ ...data })]);
      if (bytes.length <= MAX_BYTES) return bytes;
      throw tooLarge(bytes.length, "bytes");
    },
    decode(payload) {
      if (typeof payload === "string" || payload.length > MAX_BYTES) return null;
      // A copy, since typed arrays come back as views of what they are read from, and belong to the caller.
      const bytes = new Uint8Array(payload);
      if (!HEADER.equals(bytes.subarray(0, HEADER.length))) return null;
      try {
        const value: unknown = deserialize(bytes.subarray(HEADER.length));
        if (!isPlainObject(value)) return null;
        assertClonable(value, "", 0, new Set());
        const data: SessionData = newData();
        replace(data, value);
        return { data };
      } catch {
        return null;
      }
    },
    assertValue: (value, path) => assertClonable(value, path, 0, new Set()),
  };
}

/** @param done containers whose contents are known: each is looked into once, in however many places it stands */
function assertClonable(value: unknown, path: string, depth: number, done: Set<object>): void {
  if (typeof value === "function" || typeof value === "symbol") throw refused(path, `a ${typeof value}`);
  if (typeof value !== "object" || value === null || isLeaf(value) || done.has(value)) return;
  if (depth >= MAX_DEPTH) throw tooDeep(named(path));
  for (const [name, item] of items(value, path)) assertClonable(item, name, depth + 1, done);
  done.add(value);
}

/** What is cloned as a whole. */
function isLeaf(value: object): boolean {
  if (ArrayBuffer.isView(value)) return !isSharedArrayBuffer(value.buffer);
  return isDate(value) || isRegExp(value) || (isAnyArrayBuffer(value) && !isSharedArrayBuffer(value));
}

/** What stands in a container, each with its path. */
function* items(value: object, path: string): Iterable<[string, unknown]> {
  if (isProxy(value)) throw refused(path, "a Proxy");
  if (isSet(value)) for (const item of value) yield [`${path}{}`, item];
  else if (isMap(value)) {
    for (const [key, item] of value) {
      yield [`${path}{key}`, key];
      yield [`${path}{${typeof key === "object" ? "" : String(key)}}`, item];
    }
  } else if (Array.isArray(value) || isPlainObject(value)) {
    const inner = Array.isArray(value) ? (key: string) => `[${key}]` : (key: string) => (path === "" ? key : `.${key}`);
    for (const key of Object.keys(value)) yield [path + inner(key), (value as Record<string, unknown>)[key]];
  } else throw refused(path, `an instance of ${value.constructor?.name ?? "an unknown class"}`);
}

function named(path: string): string {
  return path === "" ? "The session's data" : path;
}

function refused(path: string, what: string): SessionError {
  return new SessionError(
    "ERR_SESSION_VALUE",
    `${named(path)} is ${what}, which cannot be stored. Store values that structured clone keeps as they are.`,
  );
}
