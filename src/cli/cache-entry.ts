import type { Payload } from "../core/contracts.ts";
import { MAX_BYTES } from "../core/values.ts";
import { type DjangoCacheCodecOptions, djangoCacheCodec } from "../django/cache-codec.ts";
import { compressorOf } from "../django/compressors.ts";
import { stringify } from "../django/python-json.ts";
import { CACHED, readContents } from "./contents.ts";
import { hasSignature } from "./payload.ts";
import { noDjango, type Reading, type UnreadableReading, unreadable } from "./reading.ts";

/** Compressors of django-redis, by the first bytes of what they write. */
const COMPRESSORS: Readonly<Record<string, RegExp>> = {
  zlib: /^78(?:01|5e|9c|da)/,
  gzip: /^1f8b/,
  zstd: /^28b52ffd/,
  lz4: /^04224d18/,
  lzma: /^fd377a585a/,
};

/** What Django's cache holds of a session: not signed, so that there is nothing to verify. */
export function readCacheEntry(payload: Payload, format: DjangoCacheCodecOptions): Reading<null> {
  const decoded = djangoCacheCodec(format).decode(payload);
  if (decoded === null) return whyUnreadable(Buffer.from(payload), format);
  const { data, origin } = decoded;
  return { verified: true, signedBy: null, signedAt: null, data, json: stringify(data, origin) };
}

function whyUnreadable(bytes: Buffer, format: DjangoCacheCodecOptions): UnreadableReading {
  const { serializer, compressor = "identity" } = format;
  const text = bytes.toString("latin1");
  const reason = noDjango(text);
  if (reason !== null) return unreadable("format", reason);
  if (hasSignature(text)) {
    return unreadable("format", "is a signed session, as databases and files keep it, and no entry of Django's cache");
  }
  const found = Object.keys(COMPRESSORS).find((name) => COMPRESSORS[name]!.test(bytes.toString("hex", 0, 6)));
  if (found !== undefined && found !== compressor) {
    const expected = compressor === "identity" ? "nothing is" : `it would be by ${compressor}`;
    return unreadable(
      "format",
      `is compressed by ${found}, and by the settings ${expected}: OPTIONS.COMPRESSOR of the cache is not what it was for the server that wrote it`,
    );
  }
  let unfolded = bytes;
  try {
    if (found !== undefined) unfolded = compressorOf(compressor).decompress(bytes);
  } catch {
    return unreadable(
      "format",
      `is compressed by ${compressor}, and does not unfold: it was cut off or changed, or is larger than ${MAX_BYTES} bytes`,
    );
  }
  const contents = readContents(unfolded, CACHED, serializer);
  return unreadable("contents", typeof contents === "string" ? contents : `is larger than ${MAX_BYTES} bytes`);
}
