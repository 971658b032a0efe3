import { isDeepStrictEqual } from "node:util";
import { isMap, isSet, isTypedArray } from "node:util/types";
import { SessionError } from "./errors.ts";

/** An object literal or a decoded dict; not an array, a Date, a Map or an instance of a class. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  // Not `=== Object.prototype`: a test runner's realm has an Object of its own.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A dict for data whose keys anyone may choose: without prototype, so that `__proto__` is a key like any other. */
export function newData(): Record<string, unknown> {
  return Object.create(null);
}

/** `target[key] = value`, for objects with a prototype too: assigning to `__proto__` would swap the prototype instead. */
export function put(target: object, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    (target as Record<string, unknown>)[key] = value;
  }
}

/** How deep data may be nested: what Python's json writes (its recursion limit is 1000), far from our own limit. */
export const MAX_DEPTH = 1000;

/** How long data may be once encoded, and what a payload may unfold to. */
export const MAX_BYTES: number = 4 * 1024 * 1024;

/** A deep copy that keeps prototypes. Throws `ERR_SESSION_VALUE` for cycles. */
export function copy<T>(value: T, depth = 0): T {
  if (typeof value !== "object" || value === null) return value;
  if (depth > MAX_DEPTH) throw tooDeep("The session's data");
  if (Array.isArray(value)) return value.map((item) => copy(item, depth + 1)) as T;
  if (!isPlainObject(value)) return copyInstance(value, depth) as T;
  const result = Object.create(Object.getPrototypeOf(value));
  for (const key of Object.keys(value)) put(result, key, copy(value[key], depth + 1));
  return result;
}

/** These not by `structuredClone`: it makes a Buffer a Uint8Array, and a dict without prototype one with. */
function copyInstance(value: object, depth: number): object {
  if (isSet(value)) return new Set([...value].map((item) => copy(item, depth + 1)));
  if (isMap(value)) return new Map([...value].map((entry) => copy(entry, depth + 1)));
  if (isTypedArray(value)) return sliceTypedArray.call(value);
  try {
    return structuredClone(value);
  } catch {
    // A promise, say, put into the data behind our back: the codec refuses it, and names the path.
    return value;
  }
}

/** Copies any typed array, also a Buffer, whose own `slice` does not. */
const sliceTypedArray: () => object = Object.getPrototypeOf(Uint8Array.prototype).slice;

export function tooDeep(path: string): SessionError {
  return new SessionError("ERR_SESSION_VALUE", `${path} is circular or nested deeper than ${MAX_DEPTH} levels.`);
}

/** @param unit what `length` counts */
export function tooLarge(length: number, unit: string): SessionError {
  return new SessionError(
    "ERR_SESSION_TOO_LARGE",
    `The session's data take ${length} ${unit}; ${MAX_BYTES} are allowed. Keep large things elsewhere, and their ids in the session.`,
  );
}

/** Whether two values say the same: neither the order of keys nor the prototype of a dict matters. */
export function equal(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => equal(item, b[index]));
  }
  if (!isPlainObject(a) || !isPlainObject(b)) return isDeepStrictEqual(a, b);
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
}

/** Makes `target` hold what `source` holds, without becoming another object. */
export function replace(target: Record<string, unknown>, source: Record<string, unknown>): void {
  for (const key of Object.keys(target)) delete target[key];
  for (const key of Object.keys(source)) put(target, key, source[key]);
}
