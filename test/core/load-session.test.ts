import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LoadedSession, SessionData, SessionEngine } from "../../src/core/contracts.ts";
import { loadSession } from "../../src/core/load-session.ts";
import { resolveSettings } from "../../src/core/settings.ts";

const NOW = Date.parse("2026-11-20T12:00:00Z");
const settings = resolveSettings({ cookieAge: 60, now: () => new Date(NOW) });

const session = (savedAt: Date | undefined, data: SessionData = {}): LoadedSession => ({
  token: "t",
  payload: "p",
  origin: undefined,
  data,
  savedAt,
});

const loaded = (answer: LoadedSession | "missing" | "corrupted") =>
  loadSession({ load: async () => answer } as Partial<SessionEngine> as SessionEngine, settings, "t");

describe("a loaded session", () => {
  test("is what the engine gave, whatever its data say, where the engine alone knows its end", async () => {
    for (const answer of ["missing", "corrupted", session(undefined, { _session_expiry: "?" })] as const) {
      assert.equal(await loaded(answer), answer);
    }
  });

  for (const [ms, result] of [
    [-60_000, "missing"],
    [-59_999, "a session"],
    [0, "a session"],
    // How far another server's clock may be ahead.
    [60_000, "a session"],
    [60_001, "corrupted"],
    [Number.NaN, "corrupted"],
  ] as const) {
    test(`of 60 s, written ${ms} ms from now, is ${result}`, async () => {
      const answer = session(new Date(NOW + ms));
      assert.equal(await loaded(answer), result === "a session" ? answer : result);
    });
  }

  test("that lives for a time nobody can read is corrupted, so that its cookie is left alone", async () => {
    assert.equal(await loaded(session(new Date(NOW), { _session_expiry: "next week" })), "corrupted");
  });
});
