import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Cookie } from "tough-cookie";
import { setCookie } from "../../src/core/cookie.ts";
import { leftoverPieces, MAX_COOKIES, presentedTokens, tokenCookies } from "../../src/core/token-cookies.ts";

const token = fc
  .stringMatching(/^[\w.:-]{1,60}$/)
  .chain((unit) =>
    fc.integer({ min: 1, max: 13_000 }).map((length) => unit.repeat(Math.ceil(length / unit.length)).slice(0, length)),
  );
const name = fc.stringMatching(/^[A-Za-z_-]{1,40}$/);

describe("the cookies of a token", () => {
  test("give it back, whatever its length and name; each is one that browsers keep", () => {
    fc.assert(
      fc.property(name, token, (cookieName, value) => {
        let cookies: readonly (readonly [string, string])[];
        try {
          cookies = tokenCookies(cookieName, value, MAX_COOKIES);
        } catch {
          assert.ok(value.length > 3 * (4096 - cookieName.length - 20));
          return;
        }
        for (const [piece, text] of cookies) {
          assert.ok(piece.length + text.length <= 4096);
          const parsed = Cookie.parse(setCookie(piece, text, null, new Date(), {}))!;
          assert.deepEqual([parsed.key, parsed.value], [piece, text]);
        }
        const header = cookies.map(([piece, text]) => `${piece}=${text}`).join("; ");
        assert.deepEqual(presentedTokens(header, cookieName), [value]);
        assert.deepEqual(leftoverPieces(header, cookieName, cookies.length), []);
        assert.equal(leftoverPieces(header, cookieName, 1).length, cookies.length - 1);
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  for (const [length, count] of [
    [4087, 1],
    [4088, 2],
    [2 * 4070, 2],
    [2 * 4070 + 1, 3],
    [3 * 4070, 3],
  ] as const) {
    test(`of ${length} characters under "sessionid" are ${count}`, () => {
      assert.equal(tokenCookies("sessionid", "x".repeat(length), 3).length, count);
    });
  }

  for (const [length, maxCookies] of [
    [4088, 1],
    [2 * 4070 + 1, 2],
    [3 * 4070 + 1, 3],
  ] as const) {
    test(`of ${length} characters do not fit ${maxCookies}`, () => {
      const tooLarge = { code: "ERR_SESSION_TOO_LARGE", message: new RegExp(`takes ${length + 9} bytes`) };
      assert.throws(() => tokenCookies("sessionid", "x".repeat(length), maxCookies), tooLarge);
    });
  }

  test("do not fit under a name that leaves no room", () => {
    for (const length of [4080, 4096, 5000]) {
      assert.throws(() => tokenCookies("n".repeat(length), "x".repeat(100), 3), { code: "ERR_SESSION_TOO_LARGE" });
    }
  });

  test("are joined by the token's fingerprint, as many as the first says", () => {
    const [rest, planted] = ["0123456789ab~b; s.1=ba9876543210~x", "0123456789ab~c"];
    assert.deepEqual(presentedTokens(`s=2~0123456789ab~a; s.1=${rest}; s.2=${planted}`, "s"), ["ab"]);
    assert.deepEqual(presentedTokens(`s=3~0123456789ab~a; s.1=${rest}; s.2=${planted}`, "s"), ["abc"]);
    assert.deepEqual(presentedTokens(`s=3~0123456789ab~a; s.2=${planted}`, "s"), ["ac"]);
    for (const none of ["1~0123456789ab~a", "2~0123456789a~a", "2~0123456789AB~a", "2~0123456789ab"]) {
      assert.deepEqual(presentedTokens(`s=${none}; s.1=${rest}`, "s"), [none]);
    }
  });

  test("any header is read without an exception", () => {
    const piece = fc.constantFrom("s=", "s.1=", "s.2=", "2~", "3~", "9~", "0123456789ab", "~", "; ", "x", '"', ".");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (parts) => {
        const header = parts.join("");
        for (const text of presentedTokens(header, "s")) assert.equal(typeof text, "string");
        leftoverPieces(header, "s", 0);
      }),
      { numRuns: 2000, seed: 1 },
    );
  });
});
