import type { Payload, SessionCodec } from "../core/contracts.ts";
import { SessionError } from "../core/errors.ts";
import { MAX_BYTES } from "../core/values.ts";
import { type CompressorName, compressorOf, unfold } from "./compressors.ts";
import { oneOf } from "./one-of.ts";
import { pickleSerializer } from "./pickle-serializer.ts";
import { CACHE_JSON_SERIALIZER, deserialize, serialize } from "./serializers.ts";

export interface DjangoCacheCodecOptions {
  /** `"pickle"`, as Django's own backends and most caches; `"json"` for django-redis' JSONSerializer. */
  readonly serializer: "pickle" | "json";
  /** Pickle's: 5 as Django's own backends write (default), or 4 as django-redis does. All are read. */
  readonly protocol?: 4 | 5 | undefined;
  /** django-redis' compressor. Default `"identity"`: none. `"zstd"` needs Node 22.15. */
  readonly compressor?: CompressorName | undefined;
}

/** django-redis does not compress what is this short. */
const MIN_LENGTH = 15;

/**
 * What Django's cache backends keep for a session of the engines `cache` and `cached_db`: the dict itself, as a pickle,
 * or as JSON by django-redis' JSONSerializer, either of them compressed by its compressors.
 *
 * There is no signature: whoever can write to the cache can change sessions, as in Django. But unlike Python's, this
 * reader of pickles can only build plain data and cannot run code: the worst is wrong data. A session with an instance of
 * any class but those in docs/decisions/0009-pickle-values.md does not decode.
 *
 * Throws `ERR_CONFIG` for unknown options, and for a compressor that this Node does not have.
 *
 * @example storeEngine(redisStore(client, { prefix: djangoCacheKeyPrefix({ engine: "cache" }) }), djangoCacheCodec({ serializer: "pickle" }))
 */
export function djangoCacheCodec(options: DjangoCacheCodecOptions): SessionCodec {
  const { serializer, protocol = 5, compressor = "identity" } = options;
  if (protocol !== 4 && protocol !== 5) throw new SessionError("ERR_CONFIG", "protocol must be 4 or 5.");
  const format = oneOf({ pickle: pickleSerializer(protocol), json: CACHE_JSON_SERIALIZER }, "serializer", serializer);
  const folding = compressorOf(compressor);
  return {
    encode(data, _now, origin) {
      const written = serialize(format, data, origin);
      return written.length > MIN_LENGTH ? folding.compress(written) : written;
    },
    decode(payload) {
      // Not folded, it would be refused too; and no more is copied.
      if (payload.length > 2 * MAX_BYTES) return null;
      const bytes = unfold(folding, asBytes(payload));
      return bytes.length > MAX_BYTES ? null : deserialize(format, bytes);
    },
    assertValue: format.assertValue,
  };
}

/**
 * What comes before the session key in Django's cache, for `KEY_PREFIX` and `VERSION` of its CACHES setting.
 *
 * @example djangoCacheKeyPrefix({ engine: "cache" }) // ":1:django.contrib.sessions.cache"
 */
export function djangoCacheKeyPrefix(options: {
  readonly engine: "cache" | "cached_db";
  readonly keyPrefix?: string | undefined;
  readonly version?: number | undefined;
}): string {
  const { engine, keyPrefix = "", version = 1 } = options;
  return `${keyPrefix}:${version}:django.contrib.sessions.${engine}`;
}

function asBytes(payload: Payload): Buffer {
  if (typeof payload === "string") return Buffer.from(payload);
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
}
