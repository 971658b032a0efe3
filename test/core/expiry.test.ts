import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type ExpiryPolicy,
  expiresAtBrowserClose,
  expiryAge,
  expiryDate,
  fromIsoFormat,
  isoFormat,
  storedExpiry,
} from "../../src/core/expiry.ts";
import { vectors } from "../support/vectors.ts";

const django = vectors("5.2");
const now = new Date(django.now * 1000);
const policy: ExpiryPolicy = { cookieAge: 1_209_600, expireAtBrowserClose: false, useTz: true };

describe("expiry as Django computes it", () => {
  for (const v of django.expiry) {
    const settings = `USE_TZ ${v.use_tz}, browser close ${v.expire_at_browser_close_setting}`;
    test(`vector ${v.label}: age, date and browser close (${settings})`, () => {
      const data = v.stored_json === null ? {} : { _session_expiry: JSON.parse(v.stored_json) };
      const own = { ...policy, useTz: v.use_tz, expireAtBrowserClose: v.expire_at_browser_close_setting };
      assert.equal(expiresAtBrowserClose(data, own), v.browser_close);
      // Dates hold milliseconds, Django's microseconds.
      assert.equal(expiryDate(data, now, own).getTime(), fromIsoFormat(v.date)!.getTime());
      // Django fails on an instant with offset where USE_TZ is off; we read it.
      if (v.age_error === undefined) assert.equal(expiryAge(data, now, own), Number(v.age));
    });
  }

  for (const [text, expected] of django.fromisoformat) {
    test(`fromisoformat(${JSON.stringify(text)}) is ${expected}`, () => {
      const read = fromIsoFormat(text);
      assert.equal(read?.getTime(), expected === null ? undefined : fromIsoFormat(expected)!.getTime());
      if (expected?.endsWith("+00:00") && !expected.includes(".")) assert.equal(isoFormat(read!), expected);
    });
  }

  for (const text of [
    "2023-02-29",
    "2023-13-01",
    "2023-00-10",
    "2023-W54-1",
    "2023-W01-8",
    "2023-11-15T10:60",
    "10:00",
  ]) {
    test(`${text} is no instant`, () => assert.equal(fromIsoFormat(text), null));
  }

  test("week 53 exists only in years that have it", () => {
    assert.equal(fromIsoFormat("2020-W53-7")?.toISOString(), "2021-01-03T00:00:00.000Z");
    assert.equal(fromIsoFormat("2021-W53-1"), null);
  });
});

describe("setExpiry", () => {
  test("keeps nothing that could not be read again", () => {
    for (const expiry of [
      200_000_000_000,
      -200_000_000_000,
      new Date("0001-01-01T00:00:00Z"),
      new Date("9998-12-31"),
      { weeks: 400_000 },
    ]) {
      const data = { _session_expiry: storedExpiry(expiry, now, policy) };
      assert.ok(Number.isFinite(expiryDate(data, now, policy).getTime()));
    }
  });

  const stored = (expiry: never) => storedExpiry(expiry, now, policy);

  for (const [name, expiry, expected] of [
    ["seconds as they are", 300, 300],
    ["fractions of seconds", 1.5, 1.5],
    ["negative seconds, for a session that has ended", -10, -10],
    ["0 for the end of the browser session", 0, 0],
    ["null as nothing", null, undefined],
    ["a date with six digits, or none", new Date("2026-01-02T03:04:05.006Z"), "2026-01-02T03:04:05.006000+00:00"],
    ["a duration as the instant it ends", { hours: 1, minutes: 30 }, "2023-11-14T23:43:20+00:00"],
    ["a duration with milliseconds", { seconds: 1, milliseconds: 900 }, "2023-11-14T22:13:21.900000+00:00"],
    ["never as a far instant", Number.POSITIVE_INFINITY, "9999-01-01T00:00:00+00:00"],
  ] as const) {
    test(`keeps ${name}`, () => assert.equal(stored(expiry as never), expected));
  }

  test("writes naive instants where the Django project has USE_TZ = False", () => {
    assert.equal(storedExpiry(now, now, { ...policy, useTz: false }), "2023-11-14T22:13:20");
  });

  for (const bad of [
    Number.NaN,
    Number.NEGATIVE_INFINITY,
    new Date(Number.NaN),
    1e12,
    -1e300,
    new Date("+012000-01-01T00:00:00Z"),
    new Date("-000100-01-01T00:00:00Z"),
    { weeks: 1e9 },
    {},
    { hour: 1 },
    { hours: Number.NaN },
    "1h",
    true,
    undefined,
    [],
  ]) {
    test(`refuses ${String(JSON.stringify(bad) ?? bad)}`, () => {
      assert.throws(() => stored(bad as never), { code: "ERR_SESSION_VALUE", message: /^setExpiry takes/ });
    });
  }

  for (const bad of ["soon", "", {}, [], Number.NaN, 1e300]) {
    test(`a stored expiry of ${JSON.stringify(bad)} is a clear error`, () => {
      assert.throws(() => expiryDate({ _session_expiry: bad }, now, policy), { code: "ERR_SESSION_VALUE" });
    });
  }
});
