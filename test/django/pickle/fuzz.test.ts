import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SessionError } from "../../../src/core/errors.ts";
import { equal } from "../../../src/core/values.ts";
import { dumpPickle } from "../../../src/django/pickle/dump.ts";
import { loadPickle } from "../../../src/django/pickle/load.ts";
import { OP } from "../../../src/django/pickle/node.ts";
import type { ContainerOrigin, Origin } from "../../../src/django/pickle/shapes.ts";
import { pseudoRandom } from "../../../src/testing/codec-values.ts";
import { CPYTHON } from "./cpython.ts";

const RUNS = 20_000;
const OPCODES = Object.values(OP);

/** By protocol, what CPython wrote of plain data, and of what is refused. */
function samples(protocol: number): Buffer[] {
  const all = [CPYTHON.plain, CPYTHON.refused].flatMap((group) => Object.values(group));
  return all
    .map((pickles) => (pickles as Record<number, string>)[protocol])
    .filter((pickle) => pickle !== undefined && !pickle.startsWith("sha256:"))
    .map((pickle) => Buffer.from(pickle!, "base64"))
    .filter(({ length }) => length < 1000);
}

/** One to three changes: flipped bits, a cut, bytes in, bytes out, opcodes exchanged, a piece of another pickle. */
function changed(pickle: Buffer, others: readonly Buffer[], random: () => number): Buffer {
  const below = (n: number) => Math.floor(random() * n);
  const CHANGES: readonly ((bytes: Buffer, at: number) => Buffer)[] = [
    (bytes, at) => spliced(bytes, at, 1, [(bytes[at] ?? 0) ^ (1 << below(8))]),
    (bytes, at) => bytes.subarray(0, at),
    (bytes, at) =>
      spliced(
        bytes,
        at,
        0,
        Array.from({ length: 1 + below(4) }, () => below(256)),
      ),
    (bytes, at) => spliced(bytes, at, 1 + below(4), []),
    (bytes, at) => spliced(bytes, at, 1, [OPCODES[below(OPCODES.length)]!]),
    (bytes, at) => spliced(bytes, at, 0, [OPCODES[below(OPCODES.length)]!]),
    (bytes, at) => {
      const other = others[below(others.length)]!;
      const from = below(other.length);
      return spliced(bytes, at, 0, [...other.subarray(from, from + below(40))]);
    },
    (bytes, at) => spliced(bytes, at, 0, [...bytes.subarray(at, at + below(20))]),
  ];
  let bytes = pickle;
  for (let n = 1 + below(3); n > 0; n--) bytes = CHANGES[below(CHANGES.length)]!(bytes, below(bytes.length + 1));
  return bytes;
}

function spliced(bytes: Buffer, at: number, remove: number, insert: readonly number[]): Buffer {
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(insert), bytes.subarray(at + remove)]);
}

describe("changed pickles", () => {
  for (const protocol of [0, 1, 2, 3, 4, 5]) {
    const seed = 100 + protocol;

    test(`of protocol ${protocol}: of ${RUNS} (seed ${seed}) each is plain data or a SyntaxError, and what loads dumps`, {
      timeout: 60_000,
    }, () => {
      const pickles = samples(protocol);
      const random = pseudoRandom(seed);
      let loads = 0;
      for (let n = 0; n < RUNS; n++) {
        const pickle = changed(pickles[n % pickles.length]!, pickles, random);
        const loaded = load(pickle);
        if (loaded === null) continue;
        loads++;
        assertPlain(loaded.value);
        assertDumps(loaded, pickle);
      }
      assert.ok(loads > RUNS / 100, `${loads}`);
    });
  }

  test("and noise, of opcodes only, take bounded memory", { timeout: 60_000 }, () => {
    const random = pseudoRandom(7);
    const before = process.resourceUsage().maxRSS;
    for (let n = 0; n < 3000; n++) {
      const length = Math.floor(random() * 2000);
      const noise = Buffer.from(Array.from({ length }, () => OPCODES[Math.floor(random() * OPCODES.length)]!));
      load(noise);
    }
    assert.ok(process.resourceUsage().maxRSS - before < 256 * 1024, "in KiB");
  });
});

function load(pickle: Buffer): { value: unknown; origin?: unknown } | null {
  try {
    return loadPickle(pickle);
  } catch (error) {
    assert.ok(error instanceof SyntaxError, `${error} for ${pickle.toString("base64")}`);
    assert.match(error.message, /^[ -~]{1,300}$/, pickle.toString("base64"));
    return null;
  }
}

/** Equal, and with an equal origin: what it says beyond JavaScript's values does not get lost either. */
function assertDumps({ value, origin }: { value: unknown; origin?: unknown }, pickle: Buffer): void {
  const of = new Map(origin === undefined ? [] : [["v", origin as Origin]]);
  for (const protocol of [4, 5] as const) {
    let again: { value: unknown; origin?: unknown };
    try {
      again = loadPickle(dumpPickle({ v: value }, protocol, { keys: undefined, of } satisfies ContainerOrigin));
    } catch (error) {
      // One level more than was read.
      if (error instanceof SessionError && error.message.includes("nested")) return;
      throw new Error(`does not dump: ${pickle.toString("base64")}`, { cause: error });
    }
    assert.ok(equal(again.value, { v: value }), pickle.toString("base64"));
    assert.deepEqual((again.origin as ContainerOrigin | undefined)?.of.get("v"), origin, pickle.toString("base64"));
  }
}

/** Only what JSON has, and BigInt: nothing with a behaviour of its own. */
function assertPlain(value: unknown): void {
  if (typeof value !== "object" || value === null) {
    assert.match(typeof value, /^(string|number|bigint|boolean|object)$/);
    return;
  }
  assert.ok([null, Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value)));
  for (const item of Object.values(value)) assertPlain(item);
}
