import assert from "node:assert/strict";
import { djangoCacheCodec } from "../../../src/django/cache-codec.ts";
import { compressorOf } from "../../../src/django/compressors.ts";
import { resolveDjangoSettings } from "../../../src/django/settings/resolve.ts";
import { codecSuite } from "../../../src/testing/index.ts";

/* Tests the compressor zstd, in a runtime that has it; prints the cases and those that failed as JSON. */

/** What the program zstd 1.5.4 makes of the JSON below. */
const FOREIGN = "28b52ffd0458d50000a07b2261223a20223031323334353637383920227d01008c9730818f9865";
const JSON_TEXT = '{"a": "0123456789 0123456789 0123456789 0123456789"}';
const MIB = 1024 * 1024;

const cases = new Map<string, () => unknown>();
const codec = djangoCacheCodec({ serializer: "json", compressor: "zstd" });
codecSuite((name, body) => cases.set(name, body), codec, {
  signed: false,
  foreign: [Buffer.from(FOREIGN, "hex"), JSON_TEXT],
});

cases.set("what others compressed is read", () => {
  assert.deepEqual({ ...codec.decode(Buffer.from(FOREIGN, "hex"))?.data }, JSON.parse(JSON_TEXT));
});

cases.set("it is zstd's frame that is written, from 16 bytes on", () => {
  assert.equal(codec.encode({ a: "012345" }, new Date()), '{"a": "012345"}');
  const folded = codec.encode({ a: "0123456" }, new Date()) as Buffer;
  assert.equal(folded.toString("hex", 0, 4), "28b52ffd");
  assert.equal(compressorOf("zstd").decompress(folded).toString(), '{"a": "0123456"}');
});

cases.set("4 MiB are read, and a bomb is not unfolded", () => {
  const { compress, decompress } = compressorOf("zstd");
  assert.equal(decompress(Buffer.from(compress(Buffer.alloc(4 * MIB)))).length, 4 * MIB);
  const bomb = Buffer.from(compress(Buffer.alloc(4 * MIB + 1)));
  assert.ok(bomb.length < MIB);
  assert.throws(() => decompress(bomb));
  assert.equal(codec.decode(bomb), null);
});

cases.set("the settings of Django take it", () => {
  const COMPRESSOR = "django_redis.compressors.zstd.ZStdCompressor";
  const { engine } = resolveDjangoSettings({
    SECRET_KEY: "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz",
    SESSION_ENGINE: "django.contrib.sessions.backends.cache",
    CACHES: {
      default: { BACKEND: "django_redis.cache.RedisCache", LOCATION: "redis://h", OPTIONS: { COMPRESSOR } },
    },
  });
  assert.ok(engine.name === "cache" && engine.store.format.compressor === "zstd");
});

const failed: string[] = [];
for (const [name, body] of cases) {
  try {
    await body();
  } catch (error) {
    failed.push(`${name}: ${error}`);
  }
}
console.log(JSON.stringify({ cases: cases.size, failed }));
