import type { CacheEntries } from "../core/cache-entries.ts";
import type { Payload, SessionCodec } from "../core/contracts.ts";
import { isPlainObject, MAX_BYTES } from "../core/values.ts";
import { JSON_CARRIER, PICKLE_CARRIER } from "./cache-carriers.ts";
import { type DjangoCacheCodecOptions, djangoCacheCodec } from "./cache-codec.ts";
import { compressorOf, unfold } from "./compressors.ts";
import { RESERVED } from "./pickle/shapes.ts";

export interface DjangoCacheEntriesOptions {
  /** How the database's payloads are read. */
  readonly codec: SessionCodec;
  /** The serializer inside of them. Default `"json"`. */
  readonly serializer?: "json" | "pickle" | undefined;
  /** How Django's cache writes values. */
  readonly format: DjangoCacheCodecOptions;
}

/**
 * Entries of a cache that Django's `cached_db` uses as well, so that each side finds the session there: Django the dict,
 * we the database's payload, byte for byte. Django's own entries are the dict alone, and `"foreign"`.
 *
 * Not cached are payloads that do not decode, and data that the cache's serializer would say differently.
 *
 * Throws `ERR_CONFIG` as `djangoCacheCodec` does.
 *
 * @example
 * const codec = djangoCodec({ secretKey });
 * cachedStore(cache, database, { entries: djangoCacheEntries({ codec, format: { serializer: "pickle" } }) });
 */
export function djangoCacheEntries(options: DjangoCacheEntriesOptions): CacheEntries {
  const { codec, serializer = "json", format } = options;
  const values = djangoCacheCodec({ ...format, compressor: "identity" });
  const folding = compressorOf(format.compressor ?? "identity");
  const { newLease, seal, open } = format.serializer === "json" ? JSON_CARRIER : PICKLE_CARRIER;

  /** So that who reads a session and then writes it need not make the entry anew that it replaces. */
  const recent = new Map<string, { readonly payload: Payload; readonly entry: Payload }>();
  function remember(key: string, payload: Payload, entry: Payload): void {
    recent.delete(key);
    if (entry.length <= MAX_RECENT_BYTES) recent.set(key, { payload, entry });
    if (recent.size > MAX_RECENT) recent.delete(recent.keys().next().value!);
  }

  function make(key: string, payload: string): Payload | null {
    const decoded = codec.decode(payload);
    if (!decoded || (serializer !== format.serializer && hasReserved(decoded.data))) return null;
    try {
      const sealed = seal(key, values.encode(decoded.data, EPOCH, decoded.origin), payload);
      return sealed && sealed.length <= MAX_BYTES ? folding.compress(sealed) : null;
    } catch {
      return null;
    }
  }

  return {
    newLease,
    write(key, payload) {
      const known = recent.get(key);
      if (known?.payload === payload) return known.entry;
      // Django's payloads are text.
      const entry = typeof payload === "string" ? make(key, payload) : null;
      if (entry) remember(key, payload, entry);
      return entry;
    },
    read(key, entry) {
      const read = open(key, unfold(folding, Buffer.from(entry)));
      if (typeof read === "object") remember(key, read.payload, entry);
      return read;
    },
  };
}

const MAX_RECENT = 100;
const MAX_RECENT_BYTES = 64 * 1024;

/** What caches keep does not tell when it was written. */
const EPOCH = new Date(0);

/**
 * Whether the data have a name such as "$set", which is a name in JSON, and one of Python's types in a pickle; see
 * docs/decisions/0009-pickle-values.md.
 */
function hasReserved(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasReserved);
  return isPlainObject(value) && Object.keys(value).some((name) => RESERVED.has(name) || hasReserved(value[name]));
}
