import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type Expiry,
  type ExpiryPolicy,
  expiresAtBrowserClose,
  expiryAge,
  expiryDate,
  storedExpiry,
} from "../../src/core/expiry.ts";
import { fromIsoFormat, isoFormat } from "../../src/core/iso-format.ts";
import { vectors } from "../support/vectors.ts";

const django = vectors("5.2");
const now = new Date(django.now * 1000);
const policy: ExpiryPolicy = { cookieAge: 1_209_600, expireAtBrowserClose: false, absoluteAge: null, useTz: true };

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

  test("keeps what stands for an instant, where something does; and seconds as they are", () => {
    const keep = (iso: string) => ({ $datetime: iso });
    const kept = (expiry: Expiry) => storedExpiry(expiry, now, policy, keep);
    assert.deepEqual(kept(new Date("2026-01-02T03:04:05Z")), { $datetime: "2026-01-02T03:04:05+00:00" });
    assert.deepEqual(kept({ hours: 1 }), { $datetime: "2023-11-14T23:13:20+00:00" });
    assert.deepEqual(kept(Number.POSITIVE_INFINITY), { $datetime: "9999-01-01T00:00:00+00:00" });
    assert.deepEqual([kept(60), kept(0), kept(null)], [60, 0, undefined]);
    const naive = storedExpiry(now, now, { ...policy, useTz: false }, keep);
    assert.deepEqual(naive, { $datetime: "2023-11-14T22:13:20" });
  });

  for (const bad of [
    "soon",
    "",
    {},
    [],
    Number.NaN,
    1e300,
    { $datetime: 1 },
    { $datetime: "soon" },
    { $date: "2026-11-20" },
    ["2026-11-20T12:00:00"],
  ]) {
    test(`a stored expiry of ${JSON.stringify(bad)} is a clear error`, () => {
      assert.throws(() => expiryDate({ _session_expiry: bad }, now, policy), { code: "ERR_SESSION_VALUE" });
    });
  }
});

describe("a datetime of a pickle, as Django before 4.1 keeps it", () => {
  for (const [text, instant] of [
    ["2026-11-20T12:00:00+00:00", "2026-11-20T12:00:00.000Z"],
    ["2026-11-20T12:00:00.123456+05:30", "2026-11-20T06:30:00.123Z"],
    ["2026-11-20T12:00:00", "2026-11-20T12:00:00.000Z"],
    ["2026-11-20T12:00:00+01:00[tzname=CET]", "2026-11-20T11:00:00.000Z"],
    ["2026-11-20T12:00:00-03:30[tzname=]", "2026-11-20T15:30:00.000Z"],
    ["2026-11-20T12:00:00+00:00[fold=1]", "2026-11-20T12:00:00.000Z"],
    ["2026-11-20T12:00:00[UTC]", "2026-11-20T12:00:00.000Z"],
    ["2026-11-20T12:00:00[Europe/Berlin]", "2026-11-20T11:00:00.000Z"],
    ["2026-06-20T12:00:00.5[America/New_York]", "2026-06-20T16:00:00.500Z"],
    ["2026-11-20T12:00:00[Asia/Kathmandu]", "2026-11-20T06:15:00.000Z"],
    ["1970-01-01T00:00:00[Africa/Monrovia]", "1970-01-01T00:44:30.000Z"],
    // In autumn an hour comes twice, in spring one is left out: Python (PEP 495) says by the fold which offset it is.
    ["2026-10-25T02:30:00[Europe/Berlin]", "2026-10-25T00:30:00.000Z"],
    ["2026-10-25T02:30:00[Europe/Berlin][fold=1]", "2026-10-25T01:30:00.000Z"],
    ["2026-10-25T01:59:59[Europe/Berlin][fold=1]", "2026-10-24T23:59:59.000Z"],
    ["2026-10-25T03:00:00[Europe/Berlin]", "2026-10-25T02:00:00.000Z"],
    ["2026-03-29T02:30:00[Europe/Berlin]", "2026-03-29T01:30:00.000Z"],
    ["2026-03-29T02:30:00[Europe/Berlin][fold=1]", "2026-03-29T00:30:00.000Z"],
    ["2026-03-29T01:59:59[Europe/Berlin]", "2026-03-29T00:59:59.000Z"],
    ["2026-03-29T03:00:00[Europe/Berlin]", "2026-03-29T01:00:00.000Z"],
    ["2026-03-08T02:30:00[America/New_York]", "2026-03-08T07:30:00.000Z"],
  ] as const) {
    test(`${text} is ${instant}`, () => {
      const data = { _session_expiry: { $datetime: text } };
      assert.equal(expiryDate(data, now, policy).toISOString(), instant);
      assert.equal(expiryAge(data, now, policy), Math.floor((Date.parse(instant) - now.getTime()) / 1000));
      assert.equal(expiresAtBrowserClose(data, { ...policy, expireAtBrowserClose: true }), false);
    });
  }

  for (const text of [
    "2026-11-20T12:00:00[Europe/Nowhere]",
    "2026-11-20T12:00:00+01:00[Europe/Berlin]",
    "2026-11-20T12:00:00[]",
    "2026-11-20T12:00:00[fold=2]",
    "2026-11-20T12:00:00[Europe/Berlin",
    "2026-11-20T12:00:00[+01:00]",
    `2026-11-20T12:00:00[${"A".repeat(200)}]`,
    "[Europe/Berlin]",
    "[".repeat(100_000),
  ]) {
    test(`${text.slice(0, 60)} is a clear error`, () => {
      const data = { _session_expiry: { $datetime: text } };
      assert.throws(() => expiryAge(data, now, policy), { code: "ERR_SESSION_VALUE" });
    });
  }
});
