import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deflateSync, gunzipSync, gzipSync, inflateSync } from "node:zlib";
import fc from "fast-check";
import { copy, equal } from "../../src/core/values.ts";
import { djangoCacheCodec, djangoCacheKeyPrefix } from "../../src/django/cache-codec.ts";
import { djangoCodec } from "../../src/django/codec.ts";
import { loadPickle } from "../../src/django/pickle/load.ts";
import { mutated, pseudoRandom } from "../../src/testing/codec-values.ts";
import { codecSuite } from "../../src/testing/index.ts";
import { CPYTHON } from "./pickle/cpython.ts";

const now = new Date(1_700_000_000_000);
const hex = (text: string) => Buffer.from(text, "hex");

/** What neither serializer carries. */
const unstorable = {
  undefined: undefined,
  "a Date": now,
  "a Map": new Map(),
  "a Set": new Set(),
  bytes: new Uint8Array(1),
  "an instance of a class": new (class Cart {})(),
};

const pickled = Object.values(CPYTHON.plain)
  .flatMap((pickles) => Object.values(pickles))
  .filter((pickle) => !pickle.startsWith("sha256:"))
  .map((pickle) => Buffer.from(pickle, "base64"));

describe("pickles of protocol 5, as Django's own cache backends write them", () => {
  codecSuite(test, djangoCacheCodec({ serializer: "pickle" }), { signed: false, unstorable, foreign: pickled });
});

describe("pickles of protocol 4, compressed by zlib, as django-redis writes them", () => {
  const codec = djangoCacheCodec({ serializer: "pickle", protocol: 4, compressor: "zlib" });
  codecSuite(test, codec, { signed: false, unstorable, foreign: pickled });
});

describe("JSON as django-redis' JSONSerializer writes it", () => {
  const foreign = ['{"b": 1.0, "10": {"x": -0.0, "1": 1e+16}, "n": NaN}', ' {"a":1}\n'];
  codecSuite(test, djangoCacheCodec({ serializer: "json" }), { signed: false, unstorable, foreign });
});

describe("JSON, compressed by gzip", () => {
  codecSuite(test, djangoCacheCodec({ serializer: "json", compressor: "gzip" }), { signed: false, unstorable });
});

describe("what a cache backend keeps", () => {
  const data = { a: "b", n: 42, f: 1.5, t: true, x: null, l: [1, "é, : ü"], "k, \\": {}, list: [] };

  test("as JSON: blanks after commas and colons, but not in texts; all ASCII", () => {
    assert.equal(
      djangoCacheCodec({ serializer: "json" }).encode(data, now),
      '{"a": "b", "n": 42, "f": 1.5, "t": true, "x": null, "l": [1, "\\u00e9, : \\u00fc"], "k, \\\\": {}, "list": []}',
    );
  });

  test("as a pickle, in the protocol asked for", () => {
    for (const protocol of [4, 5] as const) {
      const payload = djangoCacheCodec({ serializer: "pickle", protocol }).encode({}, now);
      assert.deepEqual(payload, hex(`800${protocol}7d942e`));
    }
  });

  test("compressed by zlib or gzip, but not what has 15 bytes or fewer", () => {
    const zlib = djangoCacheCodec({ serializer: "json", compressor: "zlib" });
    const gzip = djangoCacheCodec({ serializer: "json", compressor: "gzip" });
    assert.equal(zlib.encode({ a: "012345" }, now), '{"a": "012345"}');
    assert.equal(gzip.encode({ a: "012345" }, now), '{"a": "012345"}');
    const [deflated, gzipped] = [zlib.encode({ a: "0123456" }, now), gzip.encode({ a: "0123456" }, now)];
    assert.equal(inflateSync(deflated).toString(), '{"a": "0123456"}');
    assert.equal(gunzipSync(gzipped).toString(), '{"a": "0123456"}');
    // zlib's level 6.
    assert.equal((deflated as Uint8Array)[1], 0x9c);
  });

  test("what does not decompress is read as it is, as by django-redis", () => {
    for (const compressor of ["zlib", "gzip"] as const) {
      const codec = djangoCacheCodec({ serializer: "pickle", compressor });
      assert.deepEqual({ ...codec.decode(hex("8005950c000000000000007d948c0161948c016294732e"))?.data }, { a: "b" });
    }
  });

  test("what is compressed is not read without its compressor", () => {
    const payload = djangoCacheCodec({ serializer: "pickle", compressor: "zlib" }).encode(data, now);
    for (const compressor of ["identity", "gzip"] as const) {
      assert.equal(djangoCacheCodec({ serializer: "pickle", compressor }).decode(payload), null);
    }
  });

  test("a serializer reads its own format only", () => {
    const [pickle, json] = [djangoCacheCodec({ serializer: "pickle" }), djangoCacheCodec({ serializer: "json" })];
    assert.equal(json.decode(pickle.encode(data, now)), null);
    assert.equal(pickle.decode(json.encode(data, now)), null);
  });

  test("a bomb is not unfolded", () => {
    // 512 members of one MiB: no test needs that much memory to make it.
    const bomb = Buffer.concat(Array(512).fill(gzipSync(Buffer.alloc(1024 * 1024, " "))));
    const before = process.resourceUsage().maxRSS;
    assert.equal(djangoCacheCodec({ serializer: "json", compressor: "gzip" }).decode(bomb), null);
    assert.ok(process.resourceUsage().maxRSS - before < 128 * 1024, "in KiB");
  });

  test("4 MiB of JSON are read, compressed or not, and not one byte more", () => {
    const text = (length: number) => `{"a": "${"x".repeat(length - 9)}"}`;
    for (const compressor of ["identity", "zlib"] as const) {
      const codec = djangoCacheCodec({ serializer: "json", compressor });
      const fold = (json: string) => (compressor === "zlib" ? deflateSync(json) : json);
      assert.ok(codec.decode(fold(text(4 * 1024 * 1024))));
      assert.equal(codec.decode(fold(text(4 * 1024 * 1024 + 1))), null);
    }
  });

  test("JSON that is not UTF-8 is no session", () => {
    assert.equal(djangoCacheCodec({ serializer: "json" }).decode(Buffer.from('{"a": "\xe9"}', "latin1")), null);
  });

  for (const [name, payload] of Object.entries({
    list: "80045d2e",
    text: "80048c01612e",
    None: "80044e2e",
    tuple: "8004292e",
    // JavaScript has an object for these.
    set: "80048f2e",
    Decimal: "800463646563696d616c0a446563696d616c0a8c013185522e",
  })) {
    test(`a pickled ${name} is no session`, () => {
      loadPickle(hex(payload));
      assert.equal(djangoCacheCodec({ serializer: "pickle" }).decode(hex(payload)), null);
    });
  }

  test("4 MiB that nothing compresses are written and read, also by a compressor, and not one byte more", () => {
    const random = pseudoRandom(7);
    const noise = Buffer.from(Array.from({ length: 4 * 1024 * 1024 }, () => Math.floor(random() * 256)));
    const session = (length: number) => ({ a: { $bytes: noise.subarray(0, length).toString("base64") } });
    const sample = djangoCacheCodec({ serializer: "pickle" }).encode(session(100_000), now);
    const most = noise.length - (sample.length - 100_000);
    for (const compressor of ["identity", "zlib", "gzip"] as const) {
      const codec = djangoCacheCodec({ serializer: "pickle", compressor });
      assert.deepEqual({ ...codec.decode(codec.encode(session(most), now))?.data }, session(most));
      assert.throws(() => codec.encode(session(most + 1), now), {
        code: "ERR_SESSION_TOO_LARGE",
        message: /4194305 bytes/,
      });
    }
  });

  test("a transition from and to Django's signed JSON keeps floats and the order of keys", () => {
    const [cache, db] = [
      djangoCacheCodec({ serializer: "pickle" }),
      djangoCodec({ secretKey: "a secret key for tests, 32 characters at least" }),
    ];
    const json = djangoCacheCodec({ serializer: "json" });
    const text = '{"b": 1.0, "10": {"x": -0.0, "1": 1e+16}, "2": 10000000000000000000000}';
    let decoded = json.decode(text)!;
    for (const codec of [db, cache, db, json]) {
      decoded = codec.decode(codec.encode(decoded.data, now, decoded.origin))!;
    }
    assert.equal(json.encode(decoded.data, now, decoded.origin), text);
  });
});

describe("options", () => {
  test("unknown ones are refused by name", () => {
    for (const [options, message] of [
      [{ serializer: "msgpack" }, /^serializer must be "pickle" or "json"/],
      [{}, /^serializer/],
      [{ serializer: "pickle", protocol: 3 }, /^protocol must be 4 or 5/],
      [{ serializer: "json", compressor: "lz4" }, /^compressor must be "identity" or "zlib" or "gzip"/],
      [{ serializer: "toString" }, /^serializer/],
    ] as const) {
      assert.throws(() => djangoCacheCodec(options as never), { code: "ERR_CONFIG", message });
    }
  });

  test("the prefix of Django's keys", () => {
    assert.equal(djangoCacheKeyPrefix({ engine: "cache" }), ":1:django.contrib.sessions.cache");
    assert.equal(
      djangoCacheKeyPrefix({ engine: "cached_db", keyPrefix: "shop", version: 2 }),
      "shop:2:django.contrib.sessions.cached_db",
    );
  });
});

describe("any data", () => {
  const codec = djangoCacheCodec({ serializer: "pickle" });

  test("that JSON can say is read as it was written", () => {
    const json = fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue({ depthSize: "medium" }));
    fc.assert(
      fc.property(json, (data) => {
        const decoded = codec.decode(codec.encode(data, now))!;
        assert.ok(equal(decoded.data, data));
        assert.deepEqual(codec.encode(decoded.data, now, decoded.origin), codec.encode(data, now));
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  test("with numbers of every kind is read as it was written", () => {
    const number = fc.oneof(
      fc.integer(),
      fc.double(),
      fc.maxSafeInteger(),
      fc.bigInt().filter((n) => !Number.isSafeInteger(Number(n))),
    );
    fc.assert(
      fc.property(fc.array(number), (numbers) => {
        assert.ok(equal({ ...codec.decode(codec.encode({ numbers }, now))!.data }, { numbers }));
      }),
      { numRuns: 2000, seed: 2 },
    );
  });

  test("that is decoded can be copied, compared and encoded again, of 200,000 changed pickles; none throws", () => {
    const random = pseudoRandom(11);
    const samples = pickled.filter((pickle) => pickle.length < 300);
    let decodable = 0;
    for (let n = 0; n < 200_000; n++) {
      let pickle = samples[n % samples.length]!;
      for (let change = random(); change < 0.9; change += 0.4) pickle = mutated(pickle, random);
      const decoded = codec.decode(pickle);
      if (decoded === null) continue;
      decodable++;
      assertPlain(decoded.data);
      assert.ok(equal(copy(decoded.data), decoded.data));
      const again = codec.decode(codec.encode(decoded.data, now, decoded.origin));
      assert.ok(equal(again?.data, decoded.data));
    }
    // Most changes hit a text or a number.
    assert.ok(decodable > 20_000, `${decodable}`);
  });
});

/** Only what JSON has, and BigInt: nothing with a behaviour of its own. */
function assertPlain(value: unknown): void {
  if (typeof value !== "object" || value === null) {
    assert.match(typeof value, /^(string|number|bigint|boolean|object)$/);
    return;
  }
  const prototype = Object.getPrototypeOf(value);
  assert.ok(prototype === null || prototype === Object.prototype || prototype === Array.prototype);
  for (const item of Object.values(value)) assertPlain(item);
}
