import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Decoded, Payload, SessionCodec, SessionData } from "../../src/core/contracts.ts";
import { SessionError } from "../../src/core/errors.ts";
import { djangoCodec, djangoCookieCodec, legacyDjangoCodec } from "../../src/django/codec.ts";
import { parse } from "../../src/django/python-json.ts";
import { codecSuite } from "../../src/testing/index.ts";
import { UNSTORABLE_AS_JSON } from "../codecs/unstorable.ts";

const secretKey = "a secret key for tests, 32 characters at least";

/** What Python's JSON cannot carry; integers of any size, NaN and infinities it can. */
const { "a BigInt": _integer, NaN: _nan, Infinity: _infinity, ...unstorable } = UNSTORABLE_AS_JSON;

/** What Python writes and JavaScript does not. */
function foreign(codec: SessionCodec): Payload[] {
  const texts = [
    '{"price":1.0,"n":-0.0,"list":[1e+16,2.0]}',
    '{"b":1,"10":{"x":1,"2":2},"9":3}',
    '{"n":NaN,"i":Infinity}',
  ];
  return texts.map((text) => {
    const { value, origin } = parse(text);
    return codec.encode(value as SessionData, new Date(), origin);
  });
}

describe("Django's codec", () => {
  const codec = djangoCodec({ secretKey });
  codecSuite(test, codec, { unstorable, foreign: foreign(codec) });
});

describe("Django's codec for cookies", () => {
  const codec = djangoCookieCodec({ secretKey });
  codecSuite(test, codec, { unstorable, foreign: foreign(codec) });
});

describe("the codec of Django before 3.1", () => {
  const codec = legacyDjangoCodec({ secretKey });
  codecSuite(test, codec, { unstorable, foreign: foreign(codec) });
});

describe("the codec suite", () => {
  const codec = djangoCodec({ secretKey });

  async function failures(wrong: SessionCodec): Promise<string[]> {
    const cases: [string, () => Promise<void>][] = [];
    codecSuite((name, body) => cases.push([name, body]), wrong, { unstorable, foreign: foreign(codec) });
    const failed: string[] = [];
    for (const [name, body] of cases) await body().catch(() => failed.push(name));
    return failed;
  }

  /** The codec, with what it throws in `encode` changed. */
  const throwing = (change: (error: SessionError) => unknown): Partial<SessionCodec> => ({
    encode(data, now, origin) {
      try {
        return codec.encode(data, now, origin);
      } catch (error) {
        throw change(error as SessionError);
      }
    },
  });

  const decoding = (change: (decoded: Decoded) => SessionData): Partial<SessionCodec> => ({
    decode(payload) {
      const decoded = codec.decode(payload);
      return decoded && { ...decoded, data: change(decoded) };
    },
  });

  const shared = new Map<unknown, Decoded | null>();
  const MISTAKES: Record<string, { found: RegExp; by: Partial<SessionCodec> }> = {
    "decode throws": {
      found: /hostile payloads/,
      by: {
        decode(payload) {
          const decoded = codec.decode(payload);
          if (!decoded) throw new Error("bad signature");
          return decoded;
        },
      },
    },
    "decode takes the unreadable for an empty session": {
      found: /changed payloads/,
      by: { decode: (payload) => codec.decode(payload) ?? { data: {} } },
    },
    "decode yields strings for numbers": {
      found: /decoded: numbers/,
      by: decoding(({ data }) => Object.fromEntries(Object.entries(data).map(([key, value]) => [key, `${value}`]))),
    },
    "decode assigns __proto__": { found: /__proto__/, by: decoding(({ data }) => Object.assign({}, data)) },
    "decode shares its objects": {
      found: /belong to the caller/,
      by: {
        decode(payload) {
          if (!shared.has(payload)) shared.set(payload, codec.decode(payload));
          return shared.get(payload)!;
        },
      },
    },
    "decode reads no bytes": {
      found: /from its bytes/,
      by: { decode: (payload) => (typeof payload === "string" ? codec.decode(payload) : null) },
    },
    "decode tells another time of writing": {
      found: /time of writing/,
      by: {
        decode(payload) {
          const decoded = codec.decode(payload);
          return decoded && { ...decoded, savedAt: new Date(decoded.savedAt!.getTime() + 1000) };
        },
      },
    },
    "encode forgets the origin": { found: /what others wrote/, by: { encode: (data, now) => codec.encode(data, now) } },
    "encode sorts keys": {
      found: /keep their order/,
      by: { encode: (data, now) => codec.encode(Object.fromEntries(Object.entries(data).sort()), now) },
    },
    "encode changes the data": {
      found: /leaves the data/,
      by: {
        encode(data, now, origin) {
          Object.assign(data, { savedAt: 1 });
          return codec.encode(data, now, origin);
        },
      },
    },
    "encode names no path": {
      found: /a function is refused/,
      by: throwing(({ code }) => new SessionError(code, "It cannot be stored.")),
    },
    "encode throws what the format's library throws": {
      found: /a Date is refused/,
      by: throwing(({ message }) => new TypeError(message)),
    },
    "encode has no depth limit": {
      found: /100,000 levels/,
      by: throwing((error) => (error.message.includes("nested") ? new RangeError("stack overflow") : error)),
    },
    "encode has no size limit": {
      found: /too much/,
      by: { encode: (data, now, origin) => (data.text === undefined ? codec.encode(data, now, origin) : "large") },
    },
    "assertValue accepts everything": { found: /a symbol is refused/, by: { assertValue: () => {} } },
    "assertValue refuses what encode carries": {
      found: /assertValue accepts/,
      by: {
        assertValue(value, path) {
          if (value === null) throw new SessionError("ERR_SESSION_VALUE", `${path} is null.`);
          codec.assertValue(value, path);
        },
      },
    },
  };

  for (const [mistake, { found, by }] of Object.entries(MISTAKES)) {
    test(`finds it when ${mistake}`, async () => {
      const failed = await failures({ ...codec, ...by });
      assert.ok(
        failed.some((name) => found.test(name)),
        `failed: ${failed.join("; ") || "nothing"}`,
      );
    });
  }
});
