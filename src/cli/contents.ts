import type { SessionData } from "../core/contracts.ts";
import { isPlainObject } from "../core/values.ts";
import { pickleSerializer } from "../django/pickle-serializer.ts";
import { stringify } from "../django/python-json.ts";
import { CACHE_JSON_SERIALIZER, type DjangoSerializer, JSON_SERIALIZER } from "../django/serializers.ts";

/* What a serializer wrote, once it is unfolded and verified; or why it is no session. */

export interface Contents {
  readonly data: SessionData;
  /** As Python writes it: all digits of integers, NaN, and the order of keys. ASCII, so harmless on a terminal. */
  readonly json: string;
}

export type SerializerName = "json" | "pickle";

/** The setting that says how it is written, by its name. */
export const SIGNED = "SESSION_SERIALIZER";
export const CACHED = "OPTIONS.SERIALIZER of the cache";

const SERIALIZERS: Readonly<Record<string, Readonly<Record<SerializerName, DjangoSerializer>>>> = {
  [SIGNED]: { json: JSON_SERIALIZER, pickle: pickleSerializer() },
  [CACHED]: { json: CACHE_JSON_SERIALIZER, pickle: pickleSerializer() },
};

const NAMES = { json: "JSON", pickle: "a Python pickle", msgpack: "msgpack" } as const;

/** The contents; or what is wrong with them, as the end of "The payload …", with nothing of what it says. */
export function readContents(
  bytes: Buffer,
  setting: typeof SIGNED | typeof CACHED,
  serializer: SerializerName,
): Contents | string {
  const found = serializerOf(bytes);
  if (found !== null && found !== serializer) {
    return `holds ${NAMES[found]}, not ${NAMES[serializer]}: ${setting} is not what it was for the server that wrote it`;
  }
  try {
    const { value, origin } = SERIALIZERS[setting]![serializer].loads(bytes);
    if (!isPlainObject(value)) return `holds ${Array.isArray(value) ? "a list" : "a single value"}, not a dict`;
    return { data: value, json: stringify(value, origin) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return serializer === "pickle"
      ? `holds a pickle that ${error.message}`
      : "does not hold JSON: it was cut off or changed, or never was a session";
  }
}

/** By the first bytes of a dict; `null` for what is none. */
function serializerOf(bytes: Buffer): keyof typeof NAMES | null {
  const [first = 0, second = 0] = bytes;
  if (first === 0x7b) return "json";
  // PROTO and its number; before protocol 2, the opcodes of a dict.
  const start = bytes.toString("latin1", 0, 2);
  if ((first === 0x80 && second <= 5) || /^(?:\(d|\}[q.])/.test(start)) return "pickle";
  return (first >= 0x80 && first <= 0x8f) || first === 0xde || first === 0xdf ? "msgpack" : null;
}
