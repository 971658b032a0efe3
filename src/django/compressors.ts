import * as zlib from "node:zlib";
import { SessionError } from "../core/errors.ts";
import { MAX_BYTES } from "../core/values.ts";
import { oneOf } from "./one-of.ts";

/** Throws for what does not unfold, or to more than `MAX_BYTES`. */
export interface Compressor {
  compress(bytes: string | Buffer): string | Buffer;
  decompress(bytes: Buffer): Buffer;
}

/** Those of django-redis for which Node has the means. lz4 and lzma it has not. */
export type CompressorName = "identity" | "zlib" | "gzip" | "zstd";

const { deflateSync, inflateSync, gzipSync, gunzipSync } = zlib;

/** Node's since 22.15; of an older Node `undefined`. */
const { zstdCompressSync, zstdDecompressSync } = zlib as unknown as Partial<
  Record<"zstdCompressSync" | "zstdDecompressSync", typeof gunzipSync>
>;

const BOUNDED = { maxOutputLength: MAX_BYTES };

/** With django-redis' levels. */
const COMPRESSORS: Readonly<Record<CompressorName, Compressor | undefined>> = {
  identity: { compress: (bytes) => bytes, decompress: (bytes) => bytes },
  zlib: {
    compress: (bytes) => deflateSync(bytes, { level: 6 }),
    decompress: (bytes) => inflateSync(bytes, BOUNDED),
  },
  gzip: { compress: (bytes) => gzipSync(bytes, { level: 9 }), decompress: (bytes) => gunzipSync(bytes, BOUNDED) },
  zstd: zstdCompressSync &&
    zstdDecompressSync && {
      compress: (bytes) => zstdCompressSync(bytes),
      decompress: (bytes) => zstdDecompressSync(bytes, BOUNDED),
    },
};

/** Throws `ERR_CONFIG` for one that is unknown, or that this Node does not have. @param option its name, for the error */
export function compressorOf(name: CompressorName, option = "compressor"): Compressor {
  const compressor = oneOf(COMPRESSORS, option, name);
  if (compressor) return compressor;
  throw new SessionError("ERR_CONFIG", `${option} "zstd" needs Node 22.15 or later; this is ${process.version}.`);
}

/** As django-redis: what does not decompress is taken as it is. */
export function unfold({ decompress }: Compressor, bytes: Buffer): Buffer {
  try {
    return decompress(bytes);
  } catch {
    return bytes;
  }
}
