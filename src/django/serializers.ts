import { isUtf8 } from "node:buffer";
import type { Decoded, SessionData } from "../core/contracts.ts";
import { isPlainObject, MAX_BYTES, newData, replace, tooLarge } from "../core/values.ts";
import { parse, stringify } from "./python-json.ts";

/** A dict as text or bytes, and back: Django's SESSION_SERIALIZER, or a cache's. */
export interface DjangoSerializer {
  /** Text is ASCII. Throws as `SessionCodec.encode`. */
  dumps(data: SessionData, origin: unknown): string | Buffer;
  /** Throws `SyntaxError` for what it cannot read. */
  loads(bytes: Buffer): { value: unknown; origin?: unknown };
  /** As `SessionCodec.assertValue`. */
  assertValue(value: unknown, path: string): void;
}

/** Django's `JSONSerializer`, of sessions: no blanks, and read as latin-1. */
export const JSON_SERIALIZER: DjangoSerializer = {
  dumps: stringify,
  loads: (bytes) => parse(bytes.toString("latin1")),
  assertValue(value, path) {
    if (typeof value !== "string") stringify(value, undefined, path);
  },
};

/** django-redis' `JSONSerializer`. */
export const CACHE_JSON_SERIALIZER: DjangoSerializer = {
  // Python's default separators: a blank after each comma and colon that is not in a text.
  dumps: (data, origin) =>
    stringify(data, origin).replace(/"[^"\\]*(?:\\.[^"\\]*)*"|[,:]/g, (token) =>
      token.length === 1 ? `${token} ` : token,
    ),
  loads(bytes) {
    if (!isUtf8(bytes)) throw new SyntaxError("Not UTF-8");
    return parse(bytes.toString());
  },
  assertValue: JSON_SERIALIZER.assertValue,
};

/** Throws `ERR_SESSION_TOO_LARGE` for more than any format takes. */
export function serialize(serializer: DjangoSerializer, data: SessionData, origin: unknown): string | Buffer {
  const serialized = serializer.dumps(data, origin);
  if (serialized.length > MAX_BYTES) throw tooLarge(serialized.length, "bytes");
  return serialized;
}

/** `null` for what is no dict: Django would return a list or None as it is, and fail later. */
export function deserialize(serializer: DjangoSerializer, bytes: Buffer, savedAt?: Date): Decoded | null {
  try {
    const { value, origin } = serializer.loads(bytes);
    if (!isPlainObject(value)) return null;
    const data = newData();
    replace(data, value);
    return { data, origin, savedAt };
  } catch {
    return null;
  }
}
