import { describe, test } from "node:test";
import { djangoCodec, legacyDjangoCodec } from "../../src/django/codec.ts";
import { codecSuite } from "../../src/testing/index.ts";

const secretKey = "a secret key for tests, 32 characters at least";

/** What Python's JSON cannot carry; NaN and infinities it can. */
const unstorable = {
  undefined: undefined,
  "a Date": new Date(),
  "a Map": new Map(),
  "a Set": new Set(),
  "a regular expression": /x/,
  "an Error": new Error("x"),
  bytes: new Uint8Array(1),
  "an instance of a class": new (class Cart {})(),
  "a boxed number": Object(1),
};

describe("Django's codec", () => {
  codecSuite(test, djangoCodec({ secretKey }), { unstorable });
});

describe("the codec of Django before 3.1", () => {
  codecSuite(test, legacyDjangoCodec({ secretKey }), { unstorable });
});
