import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parse as parseByLibrary } from "cookie";
import fc from "fast-check";
import { Cookie as ToughCookie } from "tough-cookie";
import { cookieValues, deleteCookie, setCookie } from "../../src/core/cookie.ts";
import { vectors } from "../support/vectors.ts";

const django = vectors("5.2");
const now = new Date(django.now * 1000);

describe("Set-Cookie as Django writes it", () => {
  for (const { name, value, delete: deletes, kw, header } of django.set_cookie) {
    // Django's `expires` without `max_age` does not occur for sessions.
    if (kw.expires !== undefined) continue;
    test(header, () => {
      const attributes = {
        domain: kw.domain,
        path: kw.path === undefined ? "/" : kw.path,
        secure: kw.secure ?? false,
        httpOnly: kw.httponly ?? false,
        sameSite: kw.samesite,
      };
      const written = deletes
        ? deleteCookie(name, attributes)
        : setCookie(name, value!, kw.max_age ?? null, now, attributes);
      assert.equal(written, header);
    });
  }

  test("fractions of a second are cut, as by Python's int()", () => {
    assert.match(setCookie("s", "v", 1.9, now, {}), /Max-Age=1$/);
    assert.match(setCookie("s", "v", -1.9, now, {}), /Max-Age=-1$/);
    const late = new Date("2026-11-20T12:00:00.999Z");
    assert.match(setCookie("s", "v", 1.9, late, {}), /expires=Fri, 20 Nov 2026 12:00:01 GMT/);
  });

  test("a cookie of SameSite=None, in whatever case, is deleted with Secure, as browsers want it", () => {
    for (const sameSite of ["None", "none"]) {
      assert.match(deleteCookie("s", { sameSite }), new RegExp(`; SameSite=${sameSite}; Secure$`));
    }
  });

  test("a browser that is given the header stores what was meant", () => {
    const header = setCookie("sessionid", "abcdefgh", 60, now, {
      path: "/",
      secure: true,
      httpOnly: true,
      sameSite: "Lax",
    });
    const cookie = ToughCookie.parse(header)!;
    assert.equal(cookie.value, "abcdefgh");
    assert.deepEqual(
      [cookie.httpOnly, cookie.secure, cookie.path, cookie.maxAge, cookie.sameSite],
      [true, true, "/", 60, "lax"],
    );
  });

  test("a value can never add an attribute or a header", () => {
    for (const value of ["a; Domain=evil.example", "a\r\nSet-Cookie: b=c", 'a"; Secure', "a\\"]) {
      const header = setCookie("s", value, null, now, {});
      assert.match(header, /^s="[^;\r\n,]*"$/);
    }
    assert.throws(() => setCookie("s", "\u2603", null, now, {}), { code: "ERR_SESSION_VALUE" });
  });
});

describe("reading the Cookie header", () => {
  for (const [header, cookies] of django.parse_cookie) {
    test(`${JSON.stringify(header)} as Django reads it`, () => {
      for (const [name, value] of Object.entries(cookies)) {
        // Pairs without a name are dropped: Firefox CVE-2025-8037, Werkzeug CVE-2023-23934.
        if (name !== "") assert.equal(cookieValues(header, name).at(-1), value);
      }
      if (!("sessionid" in cookies)) assert.deepEqual(cookieValues(header, "sessionid"), []);
    });
  }

  test("all values of the name come in order, and only of the name", () => {
    assert.deepEqual(cookieValues("a=1; sessionid=x; Sessionid=no; sessionid=y;sessionid =z", "sessionid"), [
      "x",
      "y",
      "z",
    ]);
  });

  test("blanks and tabs around names and values are trimmed", () => {
    assert.deepEqual(cookieValues("a=1;\t s \t=\t x y \t;s=\tz", "s"), ["x y", "z"]);
  });

  test("Python's quoting is undone, and nothing that only looks like it", () => {
    assert.deepEqual(cookieValues('s="a\\073\\054\\"b\\\\"', "s"), ['a;,"b\\']);
    assert.deepEqual(cookieValues('s="\\377\\400\\38"; s="; s="a; s=b"', "s"), ["\u00ff40038", '"', '"a', 'b"']);
  });

  for (const [name, bytes] of Object.entries({
    nbsp: "\u00a0",
    "en quad": "\u2000",
    BOM: "\ufeff",
    NEL: "\u0085",
    VT: "\v",
  })) {
    test(`${name} before a name is not trimmed, so no __Host- cookie can be faked`, () => {
      assert.deepEqual(cookieValues(`${bytes}__Host-id=forged; x=1`, "__Host-id"), []);
    });
  }

  // PHP's list of names that servers mangled into a prefix (CVE-2020-8184, CVE-2022-31629 and their kin).
  for (const name of [
    "%5F%5FHost-id",
    "..Host-id",
    "_[Host-id",
    "__host-id",
    "__HOST-ID",
    "=__Host-id",
    "__Host-id[]",
    "__Host-id%00",
  ]) {
    test(`${name} is not read as __Host-id`, () => assert.deepEqual(cookieValues(`${name}=forged`, "__Host-id"), []));
  }

  test("malformed percent-encoding is left alone and never throws", () => {
    assert.deepEqual(cookieValues("s=%E0%A4%A", "s"), ["%E0%A4%A"]);
  });

  for (const header of [null, undefined, "", ";", ";;;;", "=", "=;=", "s", '"', "s="]) {
    test(`${JSON.stringify(header)} is no trouble`, () =>
      assert.ok(cookieValues(header, "s").every((value) => value === "")));
  }

  test("agrees with the cookie library on well-formed headers", () => {
    const token = fc.stringMatching(/^[a-z]{1,3}$/);
    const value = fc.stringMatching(/^[A-Za-z0-9._:-]{0,12}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(token, value), { maxLength: 8 }), (pairs) => {
        const header = pairs.map(([name, text]) => `${name}=${text}`).join("; ");
        for (const [name] of pairs) {
          assert.equal(cookieValues(header, name)[0], parseByLibrary(header)[name]);
        }
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  test("any header is read without an exception", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (header) => {
        cookieValues(header, "s");
      }),
      { numRuns: 2000, seed: 1 },
    );
  });

  test("ten megabytes of semicolons, blanks or quotes are read in linear time: quadratic takes hours", () => {
    for (const unit of [";", "s;", " ", "s=;", '"', "\\", 's="\\', "="]) {
      const values = cookieValues(unit.repeat(10_000_000), "s");
      assert.equal(values.length, unit === "s=;" ? 10_000_000 : unit === 's="\\' ? 1 : 0);
    }
  });
});
