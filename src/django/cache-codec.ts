import { isUtf8 } from "node:buffer";
import { deflateSync, gunzipSync, gzipSync, inflateSync } from "node:zlib";
import type { Payload, SessionCodec, SessionData } from "../core/contracts.ts";
import { SessionError } from "../core/errors.ts";
import { isPlainObject, MAX_BYTES, newData, replace } from "../core/values.ts";
import { dumpPickle, toNode } from "./pickle/dump.ts";
import { toValue } from "./pickle/load.ts";
import { isNode } from "./pickle/node.ts";
import { readPickle } from "./pickle/reader.ts";
import { parse, stringify } from "./python-json.ts";

export interface DjangoCacheCodecOptions {
  /** `"pickle"`, as Django's own backends and most caches; `"json"` for django-redis' JSONSerializer. */
  readonly serializer: "pickle" | "json";
  /** Pickle's: 5 as Django's own backends write (default), or 4 as django-redis does. All are read. */
  readonly protocol?: 4 | 5 | undefined;
  /** django-redis' compressor. Default `"identity"`: none. */
  readonly compressor?: "identity" | "zlib" | "gzip" | undefined;
}

/** A serializer: the text or bytes of a dict, and what they say. `parse` throws for what it cannot read. */
interface Format {
  write(data: SessionData, origin: unknown): string | Buffer;
  read(bytes: Buffer): { value: unknown; origin?: unknown };
  assertValue(value: unknown, path: string): void;
}

interface Compressor {
  compress(bytes: string | Buffer): string | Buffer;
  decompress(bytes: Buffer): Buffer;
}

/** django-redis does not compress what is this short. */
const MIN_LENGTH = 15;

const UNFOLDING = { maxOutputLength: MAX_BYTES };

const COMPRESSORS: Readonly<Record<"identity" | "zlib" | "gzip", Compressor>> = {
  identity: { compress: (bytes) => bytes, decompress: (bytes) => bytes },
  // With django-redis' levels.
  zlib: {
    compress: (bytes) => deflateSync(bytes, { level: 6 }),
    decompress: (bytes) => inflateSync(bytes, UNFOLDING),
  },
  gzip: { compress: (bytes) => gzipSync(bytes, { level: 9 }), decompress: (bytes) => gunzipSync(bytes, UNFOLDING) },
};

const JSON_FORMAT: Format = {
  // Python's default separators: a blank after each comma and colon that is not in a text.
  write: (data, origin) =>
    stringify(data, origin).replace(/"[^"\\]*(?:\\.[^"\\]*)*"|[,:]/g, (token) =>
      token.length === 1 ? `${token} ` : token,
    ),
  read(bytes) {
    if (!isUtf8(bytes)) throw new SyntaxError("Not UTF-8");
    return parse(bytes.toString());
  },
  assertValue: (value, path) => void stringify(value, undefined, path),
};

/**
 * What Django's cache backends keep for a session of the engines `cache` and `cached_db`: the dict itself, as a pickle,
 * or as JSON by django-redis' JSONSerializer, either of them compressed by its compressors.
 *
 * There is no signature: whoever can write to the cache can change sessions, as in Django. But unlike Python's, this
 * reader of pickles can only build plain data and cannot run code: the worst is wrong data. A session with an instance of
 * any class but those in docs/decisions/0009-pickle-values.md does not decode.
 *
 * Throws `ERR_CONFIG` for unknown options.
 *
 * @example storeEngine(redisStore(client, { prefix: djangoCacheKeyPrefix({ engine: "cache" }) }), djangoCacheCodec({ serializer: "pickle" }))
 */
export function djangoCacheCodec(options: DjangoCacheCodecOptions): SessionCodec {
  const { serializer, protocol = 5, compressor = "identity" } = options;
  if (protocol !== 4 && protocol !== 5) throw wrong("protocol", "4 or 5");
  const format = oneOf({ pickle: pickleFormat(protocol), json: JSON_FORMAT }, "serializer", serializer);
  const { compress, decompress } = oneOf(COMPRESSORS, "compressor", compressor);

  /** As django-redis: what does not decompress is taken as it is. */
  function unfold(bytes: Buffer): Buffer {
    try {
      return decompress(bytes);
    } catch {
      return bytes;
    }
  }

  return {
    encode(data, _now, origin) {
      const written = format.write(data, origin);
      if (written.length > MAX_BYTES) {
        throw new SessionError(
          "ERR_SESSION_TOO_LARGE",
          `The session's data take ${written.length} bytes; ${MAX_BYTES} are allowed. Keep large things elsewhere, and their ids in the session.`,
        );
      }
      return written.length > MIN_LENGTH ? compress(written) : written;
    },
    decode(payload) {
      try {
        // Not folded, it would be refused too; and no more is copied.
        if (payload.length > 2 * MAX_BYTES) return null;
        const bytes = unfold(asBytes(payload));
        if (bytes.length > MAX_BYTES) return null;
        const { value, origin } = format.read(bytes);
        // A session is a dict.
        if (!isPlainObject(value)) return null;
        const data = newData();
        replace(data, value);
        return { data, origin };
      } catch {
        return null;
      }
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

function pickleFormat(protocol: 4 | 5): Format {
  return {
    write: (data, origin) => dumpPickle(data, protocol, origin),
    read(bytes) {
      const root = readPickle(bytes);
      // Not what only looks like a dict in JavaScript, such as a set.
      if (!isNode(root, "dict") && !isNode(root, "OrderedDict")) throw new SyntaxError("Not a dict");
      return toValue(root);
    },
    assertValue: (value, path) => void toNode({ [path]: value }),
  };
}

function asBytes(payload: Payload): Buffer {
  if (typeof payload === "string") return Buffer.from(payload);
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
}

function oneOf<T>(choices: Readonly<Record<string, T>>, name: string, choice: string): T {
  if (Object.hasOwn(choices, choice)) return choices[choice]!;
  throw wrong(
    name,
    Object.keys(choices)
      .map((each) => JSON.stringify(each))
      .join(" or "),
  );
}

function wrong(name: string, allowed: string): SessionError {
  return new SessionError("ERR_CONFIG", `${name} must be ${allowed}.`);
}
