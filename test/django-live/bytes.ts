import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync, inflateSync } from "node:zlib";
import type { Session } from "../../src/core/session.ts";
import { forAll } from "./for-all.ts";
import type { Pair, Project } from "./pair.ts";
import { dict } from "./python-values.ts";
import { original, sessionCase } from "./session-case.ts";

/**
 * What docs/decisions/0009-pickle-values.md excepts: Python has one object for equal short bytes, Decimals and numbers in
 * other texts make equal texts that are not one object, and a ZoneInfo is written in a shorter form.
 */
const NOT_EXACT = /Decimal|ZoneInfo|str\(n\)|fromhex\('(?:..)?'\)/;

/** @param cases how many */
export function bytes(pair: () => Pair, { format, settings }: Project, cases = 200): void {
  const isCookie = settings.SESSION_ENGINE?.endsWith(".signed_cookies") ?? false;
  const arbitrary = sessionCase({
    format,
    size: isCookie ? "small" : "large",
    expiries: "seconds",
    ends: ["save"],
    made: "any",
    added: "writable",
  }).filter((one) => !NOT_EXACT.test(dict(original(one))));

  /** What is stored, without signature and compression. */
  async function stored(token: string): Promise<Buffer> {
    const { store } = pair().node;
    return serialized(store ? (await store.load(token))!.payload : token);
  }

  /** What is stored after a request of Node's that did this. */
  async function storedAfter(token: string, act: (session: Session) => void): Promise<Buffer> {
    const request = pair().sessions.open(`sessionid=${token}`);
    act(await request.session());
    const { setCookie } = await request.commit(200);
    return stored(/^sessionid=([^;]*)/.exec(setCookie[0]!)![1]!);
  }

  test(`what Django wrote and Node saves again is the same, byte for byte: ${cases} sessions`, () =>
    forAll(arbitrary, cases, async (batch) => {
      const created = await pair().django.batch(
        batch.map((one) => ({ key: null, steps: [["update", { $python: dict(original(one)) }], ["save"], ["items"]] })),
      );
      for (const { key, results } of created) {
        const before = await stored(key!);
        const again = await storedAfter(key!, (session) => {
          session.modified = true;
        });
        assert.equal(again.toString("latin1"), before.toString("latin1"));

        const after = await storedAfter(key!, (session) => session.set("added by Node", true));
        const [start, end] = format === "json" ? [0, -1] : [FIRST_OPCODE, -SETITEMS_STOP];
        const count = (results[2]!.value as unknown[]).length;
        // Another opcode for one entry than for several, and further frames and batches.
        if (format === "pickle" && (count < 2 || before.length > 60_000)) continue;
        assert.equal(
          after.toString("latin1", start, before.length + end),
          before.toString("latin1", start, before.length + end),
        );
      }
    }));
}

/** After the protocol and the length of the frame. */
const FIRST_OPCODE = 11;
const SETITEMS_STOP = 2;

function serialized(payload: string | Uint8Array): Buffer {
  const text = typeof payload === "string" ? payload : Buffer.from(payload).toString("latin1");
  const [, dot, body] = /^(\.?)([\w-]*):[\w-]+:[\w-]+$/.exec(text) ?? [];
  if (body !== undefined) return dot ? inflateSync(Buffer.from(body, "base64url")) : Buffer.from(body, "base64url");
  for (const decompress of [inflateSync, gunzipSync]) {
    try {
      return decompress(payload);
    } catch {}
  }
  return Buffer.from(payload);
}
