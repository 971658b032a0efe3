import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { SessionCodec } from "../../src/core/contracts.ts";
import { put } from "../../src/core/values.ts";
import { djangoCacheCodec } from "../../src/django/cache-codec.ts";
import { djangoCodec } from "../../src/django/codec.ts";
import { toNode } from "../../src/django/pickle/dump.ts";
import type { PickleNode } from "../../src/django/pickle/node.ts";
import { writePickle } from "../../src/django/pickle/writer.ts";
import { pickleSerializer } from "../../src/django/pickle-serializer.ts";
import { dumps, signer } from "../../src/django/signing.ts";

/*
 * What Python wrote and a request did not touch comes back as it was, byte for byte, whatever else the request changed.
 * Dicts are generated as Python has them; one place is changed in JavaScript's value, and in Python's beside it.
 */

const secretKey = "a secret key for tests, 32 characters at least";
const NOW = new Date("2026-11-20T12:00:00Z");

const key = fc.oneof(
  fc.constantFrom("10", "9", "0", "01", "-1", "__proto__", "constructor", "", "a", "b", "é", "$where", "4294967295"),
  fc.string({ unit: "binary", maxLength: 4 }),
);

const float = fc
  .oneof(
    fc.constantFrom(0, -0, 1, 2, -7, 1e15, 1e16, 2 ** 53, 1.5, 1e-5, 1e-4, 5e-324, Number.NaN, Infinity, -Infinity),
    fc.integer().map(Number),
    fc.double(),
  )
  .map((value): PickleNode => ({ type: "float", value }));

const integer = fc.oneof(
  fc.constantFrom(0, 1, 2, -7, 2 ** 53 - 1, -(2 ** 31), 2n ** 53n, -(2n ** 64n), 10n ** 40n),
  fc.integer(),
);

const jsonLeaf = fc.oneof(
  float,
  integer,
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.constantFrom(null, true, false),
);

/** As JavaScript has it, and the node that stands for it: made anew each time, since Python writes one object once. */
const special = fc
  .constantFrom<object>(
    { $decimal: "1.50" },
    { $decimal: "-0" },
    { $datetime: "2026-11-20T12:00:00.123456+00:00" },
    { $datetime: "2026-11-20T12:00:00" },
    { $date: "2024-02-29" },
    { $time: "23:59:59.999999" },
    { $timedelta: "-P0DT00H00M00.000001S" },
    { $uuid: "12345678-1234-5678-9234-567812345678" },
    { $bytes: "Yf8=" },
    { $complex: [1, -0] },
  )
  .map(node);

function node(value: unknown): PickleNode {
  return (toNode({ value }) as { items: PickleNode[] }).items[1]!;
}

type Entry = readonly [key: PickleNode, value: PickleNode];

/** Python's dicts with all that JSON carries, or with all that pickles do. */
function dicts(holds: "json" | "pickle"): fc.Arbitrary<PickleNode> {
  const bytearray = fc
    .constant("")
    .map((): PickleNode => ({ type: "bytearray", bytes: Buffer.from("a\xff", "latin1") }));
  return fc.letrec<{ node: PickleNode; hashable: PickleNode; list: PickleNode; dict: PickleNode; python: PickleNode }>(
    (tie) => {
      const items = fc.array(tie("node"), { maxLength: 4 });
      const hashables = fc.array(tie("hashable"), { maxLength: 3 });
      const entries = fc.uniqueArray(fc.tuple(key, tie("node")), { maxLength: 6, selector: ([name]) => name });
      const others = fc.array(fc.tuple(tie("hashable").filter(isNoText), tie("node")), { maxLength: 2 });
      return {
        node: fc.oneof(
          { maxDepth: 4, depthSize: "small", withCrossShrink: true },
          jsonLeaf,
          tie("list"),
          tie("dict"),
          ...(holds === "pickle" ? [tie("python")] : []),
        ),
        list: items.map((nodes): PickleNode => ({ type: "list", items: nodes })),
        dict: holds === "json" ? entries.map(dict) : fc.tuple(entries, others, fc.nat(), fc.boolean()).map(mixedDict),
        hashable: fc.oneof(
          { maxDepth: 2, withCrossShrink: true },
          jsonLeaf,
          special,
          hashables.map((nodes): PickleNode => ({ type: "tuple", items: nodes })),
          hashables.map((nodes): PickleNode => ({ type: "frozenset", items: nodes })),
        ),
        python: fc.oneof(
          items.map((nodes): PickleNode => ({ type: "tuple", items: nodes })),
          hashables.map((nodes): PickleNode => ({ type: "set", items: nodes })),
          hashables.map((nodes): PickleNode => ({ type: "frozenset", items: nodes })),
          special,
          bytearray,
        ),
      };
    },
  ).dict;
}

function isNoText(name: PickleNode): boolean {
  return typeof name !== "string";
}

function dict(entries: readonly Entry[]): PickleNode {
  return { type: "dict", items: entries.flat() };
}

/** Keys that are no texts stand together: apart, they would be written so (decision 9). */
function mixedDict([entries, others, at, isOrdered]: [
  readonly Entry[],
  readonly Entry[],
  number,
  boolean,
]): PickleNode {
  const all = entries.toSpliced(at % (entries.length + 1), 0, ...others);
  return { type: isOrdered ? "OrderedDict" : "dict", items: all.flat() };
}

interface Container {
  readonly type: "dict" | "OrderedDict" | "list" | "tuple";
  readonly items: PickleNode[];
}

function asContainer(python: PickleNode): Container | undefined {
  const { type } = Object(python) as { type?: string };
  return /^(?:dict|OrderedDict|list|tuple)$/.test(type ?? "") ? (python as Container) : undefined;
}

/**
 * Changes, adds or removes something somewhere: in Python's value, and in JavaScript's, by the same choices. In lists
 * only at the end; see "elements that move".
 */
function change(python: Container, javascript: any, [choice = 0, deeper = 0, action = 0, ...rest]: number[]): void {
  const { type, items } = python;
  const isDict = type === "dict" || type === "OrderedDict";
  const places = isDict ? names(items) : items.map((_, at) => at);
  const place = places[choice % (places.length + 1)];
  const at = typeof place === "string" ? 2 * names(items, true).indexOf(place) + 1 : place;
  const inner = at === undefined ? undefined : asContainer(items[at]!);
  if (inner && rest.length > 0 && deeper % 4 > 0) {
    change(inner, javascript[place!], rest);
  } else if (at === undefined) {
    if (isDict) javascript.new = "added";
    else javascript.push("added");
    items.push(...(isDict ? ["new", "added"] : ["added"]));
  } else if (action % 2 === 0) {
    put(javascript, String(place), "changed");
    items[at] = "changed";
  } else if (isDict) {
    delete javascript[place!];
    items.splice(at - 1, 2);
  } else {
    javascript.pop();
    items.pop();
  }
}

/** The keys that are texts; or `all`, to know where they stand. */
function names(items: readonly PickleNode[], all = false): string[] {
  return items.filter((name, at) => at % 2 === 0 && (all || typeof name === "string")) as string[];
}

/** What `json.dumps` writes. */
function json(python: PickleNode, comma: string, colon: string): string {
  if (typeof python === "string") {
    return JSON.stringify(python).replace(
      /[\x7f-\uffff]/g,
      (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  }
  if (typeof python !== "object" || python === null) return String(python);
  if (python.type === "float") return pythonFloat(python.value);
  const items = (python as { items: PickleNode[] }).items.map((item) => json(item, comma, colon));
  if (python.type === "list") return `[${items.join(comma)}]`;
  const entries = items.flatMap((item, at) => (at % 2 === 0 ? [`${item}${colon}${items[at + 1]}`] : []));
  return `{${entries.join(comma)}}`;
}

/** Python's repr: the shortest digits, as JavaScript's; with an exponent below 1e-4 and from 1e16. */
function pythonFloat(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const [, sign, first, digits = "", power] = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(value.toExponential())!;
  const exponent = Number(power);
  const minus = sign || Object.is(value, -0) ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    const short = digits && `.${digits}`;
    return `${minus}${first}${short}e${power![0]}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  if (exponent < 0) return `${minus}0.${"0".repeat(-exponent - 1)}${first}${digits}`;
  const all = `${first}${digits}`.padEnd(exponent + 1, "0");
  return `${minus}${all.slice(0, exponent + 1)}.${all.slice(exponent + 1) || "0"}`;
}

const signed = signer(secretKey, "django.contrib.sessions.SessionStore");

/** Each codec, what it reads, and what Python writes of a dict in its format. */
const FORMATS: readonly [string, SessionCodec, "json" | "pickle", (python: PickleNode) => string | Buffer][] = [
  ["djangoCodec", djangoCodec({ secretKey }), "json", (python) => dumps(json(python, ",", ":"), NOW, signed, true)],
  [
    "django-redis' JSON",
    djangoCacheCodec({ serializer: "json" }),
    "json",
    (python) => Buffer.from(json(python, ", ", ": ")),
  ],
  [
    "pickles of protocol 4",
    djangoCacheCodec({ serializer: "pickle", protocol: 4 }),
    "pickle",
    (it) => writePickle(it, 4),
  ],
  [
    "pickles of protocol 5",
    djangoCacheCodec({ serializer: "pickle", protocol: 5 }),
    "pickle",
    (it) => writePickle(it, 5),
  ],
  [
    "Django's PickleSerializer",
    djangoCodec({ secretKey, serializer: pickleSerializer() }),
    "pickle",
    (python) => dumps(writePickle(python, 5), NOW, signed, true),
  ],
];

const bytesOf = (payload: string | Uint8Array) => Buffer.from(payload).toString("latin1");
const choices = fc.array(fc.nat(), { minLength: 12, maxLength: 12 });

describe("what a request did not touch comes back byte for byte", () => {
  for (const [name, codec, holds, written] of FORMATS) {
    test(`${name}: all of it, where nothing was changed`, () => {
      fc.assert(
        fc.property(dicts(holds), (python) => {
          const before = written(python);
          const { data, origin } = codec.decode(before)!;
          assert.equal(bytesOf(codec.encode(data, NOW, origin)), bytesOf(before));
        }),
        { numRuns: 1000 },
      );
    });

    test(`${name}: all else, where one place was changed, added or removed`, () => {
      fc.assert(
        fc.property(dicts(holds), choices, (python, where) => {
          const { data, origin } = codec.decode(written(python))!;
          change(asContainer(python)!, data, where);
          assert.equal(bytesOf(codec.encode(data, NOW, origin)), bytesOf(written(python)));
        }),
        { numRuns: 1000 },
      );
    });

    // With numbers as names too, which JavaScript puts before the others.
    test(`${name}: all else, where a key was added by one request and removed by the next`, () => {
      fc.assert(
        fc.property(dicts(holds), fc.oneof(fc.nat().map(String), fc.string()), fc.double(), (python, added, value) => {
          const before = written(python);
          const first = codec.decode(before)!;
          fc.pre(!Object.hasOwn(first.data, added));
          put(first.data, added, value);
          const second = codec.decode(codec.encode(first.data, NOW, first.origin))!;
          assert.ok(Object.is(second.data[added], value));
          delete second.data[added];
          assert.equal(bytesOf(codec.encode(second.data, NOW, second.origin)), bytesOf(before));
        }),
        { numRuns: 1000 },
      );
    });
  }
});

// What the origin says is kept by place (decision 4).
describe("elements that move in a list", () => {
  const first = (codec: SessionCodec, python: Buffer) => {
    const { data, origin } = codec.decode(python)!;
    (data.list as unknown[]).shift();
    return Buffer.from(codec.encode(data, NOW, origin));
  };

  test("may change between float and int, which Python compares equal", () => {
    const codec = djangoCacheCodec({ serializer: "json" });
    assert.equal(first(codec, Buffer.from('{"list": [1.0, 1, 2.0, 2.5]}')).toString(), '{"list": [1.0, 2, 2.5]}');
  });

  test("may change between tuple and list, which it does not", () => {
    const codec = djangoCacheCodec({ serializer: "pickle" });
    const of = (...items: PickleNode[]) => writePickle(dict([["list", { type: "list", items }]]), 5);
    const [tuple, list]: PickleNode[] = [
      { type: "tuple", items: [1] },
      { type: "list", items: [1] },
    ];
    assert.deepEqual(first(codec, of(tuple!, list!)), of(tuple!));
    assert.deepEqual(first(codec, of(list!, tuple!)), of(list!));
  });
});
