import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { resolveSettings } from "../../src/core/settings.ts";

describe("settings", () => {
  test("default to Django's", () => {
    const { now, ...settings } = resolveSettings({});
    assert.ok(now() instanceof Date);
    assert.deepEqual(settings, {
      cookieName: "sessionid",
      cookieAge: 1_209_600,
      cookieDomain: null,
      cookiePath: "/",
      cookieSecure: false,
      cookieHttpOnly: true,
      cookieSameSite: "Lax",
      saveEveryRequest: false,
      absoluteAge: null,
      requestTimeoutMs: 1500,
      onInterrupted: "error",
      onConflict: null,
      expireAtBrowserClose: false,
      useTz: true,
    });
  });

  test("are nobody's to change afterwards", () => assert.ok(Object.isFrozen(resolveSettings({}))));

  test("undefined means the default, as in an option taken from elsewhere", () => {
    assert.equal(resolveSettings({ cookieAge: undefined as never }).cookieAge, 1_209_600);
  });

  test("that browsers honour are taken", () => {
    resolveSettings({ cookieName: "__Host-id", cookieSecure: true });
    resolveSettings({ cookieSameSite: "None", cookieSecure: true });
    resolveSettings({ cookieDomain: ".example.com", cookiePath: "/app", cookieSameSite: false, cookieAge: 0.5 });
    resolveSettings({ cookiePath: `/${"a".repeat(1023)}` });
  });

  for (const [options, message] of [
    [{ cookieSecrue: true }, /^cookieSecrue is not an option\. There are cookieName, /],
    [{ constructor: Object }, /^constructor is not an option/],
    [{ cookieSameSite: "None" }, /^cookieSameSite "None" needs cookieSecure/],
    [{ cookieSameSite: "lax" }, /^cookieSameSite must be/],
    [{ cookieSameSite: true }, /^cookieSameSite must be/],
    [{ cookieName: "__Host-id" }, /^cookieName __Host-id needs cookieSecure/],
    [{ cookieName: "__Secure-id" }, /^cookieName __Secure-id needs cookieSecure/],
    [
      { cookieName: "__Host-id", cookieSecure: true, cookieDomain: "example.com" },
      /^cookieName __Host-id needs cookieDomain null/,
    ],
    [{ cookieName: "__host-id", cookieSecure: true, cookiePath: "/app" }, /^cookieName __host-id needs/],
    [{ cookieName: "" }, /^cookieName must be/],
    [{ cookieName: "a b" }, /^cookieName must be/],
    [{ cookieName: "a;b" }, /^cookieName must be/],
    [{ cookieName: 5 }, /^cookieName must be/],
    [{ cookieName: "é" }, /^cookieName must be/],
    [{ cookieAge: -1 }, /^cookieAge must be/],
    [{ cookieAge: 0 }, /^cookieAge must be/],
    [{ cookieAge: Number.NaN }, /^cookieAge must be/],
    [{ cookieAge: "60" }, /^cookieAge must be/],
    [{ cookieDomain: "a; Secure" }, /^cookieDomain must be/],
    [{ cookieDomain: 1 }, /^cookieDomain must be/],
    [{ cookiePath: "/\r\nSet-Cookie: a=b" }, /^cookiePath must be/],
    [{ cookiePath: "/\x7f" }, /^cookiePath must be/],
    [{ cookiePath: `/${"a".repeat(1024)}` }, /^cookiePath must be/],
    [{ cookieSecure: "yes" }, /^cookieSecure must be true or false/],
    [{ cookieHttpOnly: 1 }, /^cookieHttpOnly must be/],
    [{ saveEveryRequest: null }, /^saveEveryRequest must be/],
    [{ expireAtBrowserClose: 0 }, /^expireAtBrowserClose must be/],
    [{ useTz: "UTC" }, /^useTz must be/],
    [{ now: 0 }, /^now must be/],
  ] as [Record<string, unknown>, RegExp][]) {
    test(`${JSON.stringify(options).slice(0, 80)} fail at construction`, () => {
      assert.throws(() => resolveSettings(options), { code: "ERR_CONFIG", message });
    });
  }
});
