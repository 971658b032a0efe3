import fc from "fast-check";

/*
 * Python's values, written as a Python program would have them: so that no code of ours stands between a value and what
 * Django makes of it. They go to Django as `{ $python: source }`.
 */

/** What the session is kept as: JSON has no tuples, dates and the like. */
export type Format = "json" | "pickle";

/** "small": a cookie holds 4 KB. */
export type Size = "small" | "large";

/**
 * "any": all that Python has. "writable": what a Node handler can say; a float without fraction it cannot, nor an
 * OrderedDict.
 */
export type Extent = "any" | "writable";

/** Of a dict: sources of key and value. */
export interface Entry {
  /** The key that it has in JavaScript; null if it is none there. */
  readonly name: string | null;
  readonly key: string;
  readonly value: string;
}

const RESERVED = /^\$(?:dict|tuple|set|frozenset|bytes|bytearray|complex|datetime|date|time|timedelta|decimal|uuid)$/;

/** A text as a Python literal, in ASCII. */
export function literal(text: string): string {
  const escaped = [...text].map((char) =>
    /^[ !#-&(-[\]-~]$/.test(char) ? char : `\\U${char.codePointAt(0)!.toString(16).padStart(8, "0")}`,
  );
  return `'${escaped.join("")}'`;
}

const TEXTS = [
  "",
  "\0",
  "\u2028\u2029",
  "é",
  "\x7f",
  "日本語",
  "😀",
  "\ud800",
  "a\udfffb",
  "<&'\"\\/>",
  "\r\n\t\b\f",
  "NaN",
];
const text = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 12 }) },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 8 }) },
  { weight: 2, arbitrary: fc.constantFrom(...TEXTS) },
);

const NAMES = ["10", "2", "007", "-1", "__proto__", "constructor", "toString", "length", "a.b", "[0]", "k".repeat(300)];
const ANY_NAME = fc.oneof(text, fc.constantFrom(...NAMES, "$set", "$dict", "$datetime", "$other"));

const EDGES = [8n, 16n, 31n, 32n, 53n, 63n, 64n, 127n].flatMap((bits) =>
  [-1n, 0n, 1n].flatMap((by) => [2n ** bits + by, -(2n ** bits) + by]),
);
const int = fc
  .oneof(
    { weight: 3, arbitrary: fc.bigInt({ min: -1000n, max: 1000n }) },
    { weight: 2, arbitrary: fc.constantFrom(...EDGES) },
    { weight: 1, arbitrary: fc.bigInt({ min: -(10n ** 200n), max: 10n ** 200n }) },
  )
  .map(String);

const FLOATS = [0, -0, 1, -1, 100, 0.1, 1e15, 1e16, 2 ** 53, 2 ** 53 - 1, 1e22, 1e-4, 1e-5, 5e-324, Number.MAX_VALUE];
const SPECIAL_FLOATS = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
function float(extent: Extent): fc.Arbitrary<string> {
  return fc
    .oneof(fc.double(), fc.constantFrom(...FLOATS, ...SPECIAL_FLOATS), fc.integer())
    .filter((value) => extent === "any" || !Number.isSafeInteger(value) || Object.is(value, -0))
    .map((value) => {
      if (!Number.isFinite(value)) return `float('${String(value).replace("Infinity", "inf")}')`;
      const digits = Object.is(value, -0) ? "-0" : String(value);
      return /[.e]/.test(digits) ? digits : `${digits}.0`;
    });
}

const microsecond = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 999_999 }));
const date = fc
  .tuple(fc.integer({ min: 1, max: 9999 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 28 }))
  .map((parts) => parts.join(", "));
const clock = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }), fc.integer({ min: 0, max: 59 }), microsecond)
  .map((parts) => parts.join(", "));
const offset = fc.oneof(fc.constantFrom(3600, -16_200, 45_900), fc.integer({ min: -86_399, max: 86_399 }));
const fixedZone = fc
  .tuple(offset, fc.constantFrom("", ", 'CET'", ", 'a zone'"))
  .map(([seconds, name]) => `datetime.timezone(datetime.timedelta(seconds=${seconds})${name})`);
const zone = fc.oneof(
  fc.constantFrom("None", "datetime.timezone.utc", "ZoneInfo('Europe/Berlin')", "ZoneInfo('America/St_Johns')"),
  fixedZone,
);
const fold = fc.constantFrom("", ", fold=1");
const naiveDatetime = fc.tuple(date, clock).map(([day, time]) => `datetime.datetime(${day}, ${time})`);
const decimal = fc.oneof(
  fc.constantFrom("0", "-0.00", "1.50", "1E+10", "1E-7", "NaN", "Infinity", "-Infinity", `1.${"0".repeat(60)}1`),
  fc.tuple(fc.integer(), fc.nat(999)).map(([whole, part]) => `${whole}.${part}`),
);
const uuid = fc.uuid().map((id) => `UUID('${id}')`);
const bytes = fc.uint8Array({ maxLength: 20 }).map((all) => `bytes.fromhex('${Buffer.from(all).toString("hex")}')`);

/** Of Python's types for which JSON has no word: those that may be keys, but for tuples and frozensets. */
const hashable = fc.oneof(
  bytes,
  naiveDatetime,
  date.map((day) => `datetime.date(${day})`),
  uuid,
  fc.nat(99).map((n) => `Decimal('${n}.1')`),
);

const notHashable = fc.oneof(
  fc
    .tuple(date, clock, zone, fold)
    .map(([day, time, at, second]) => `datetime.datetime(${day}, ${time}, tzinfo=${at}${second})`),
  fc
    .tuple(clock, fc.oneof(fc.constant("None"), fixedZone), fold)
    .map(([time, at, second]) => `datetime.time(${time}, tzinfo=${at}${second})`),
  fc
    .tuple(fc.integer({ min: -999_999_999, max: 999_999_999 }), fc.nat(86_399), microsecond)
    .map(([days, seconds, part]) => `datetime.timedelta(days=${days}, seconds=${seconds}, microseconds=${part})`),
  decimal.map((digits) => `Decimal('${digits}')`),
  bytes.map((all) => `bytearray(${all})`),
  fc
    .tuple(fc.float({ noNaN: true }), fc.float({ noNaN: true }))
    .map(([re, im]) => `complex(float('${re}'), float('${im}'))`),
);

/** So large that both sides compress, and that a pickle has several frames and batches. */
function bulk(format: Format, size: Size): fc.Arbitrary<string> {
  const [most, noise, items] = size === "large" ? [50_000, 20_000, 2500] : [20_000, 600, 100];
  return fc.oneof(
    fc.nat(most / 4).map((times) => `'12é\\\\' * ${times}`),
    fc.tuple(fc.nat(), fc.nat(noise)).map(([seed, length]) => `noise(${seed}, ${length})`),
    fc.nat(items).map((length) => `list(range(${length}))`),
    fc.nat(items).map((length) => `{str(n): n for n in range(${length})}`),
    ...(format === "pickle" ? [fc.nat(items).map((length) => `set(range(${length}))`)] : []),
  );
}

/** The source of any value. */
export function pythonValue(format: Format, extent: Extent, size: Size): fc.Arbitrary<string> {
  return fc.oneof({ weight: 30, arbitrary: tree(format, extent).value }, { weight: 1, arbitrary: bulk(format, size) });
}

/** An entry of a session whose key is an object's key in JavaScript. */
export function entry(format: Format, extent: Extent, size: Size): fc.Arbitrary<Entry> {
  return fc
    .tuple(
      ANY_NAME.filter((name) => isName(name, format)),
      pythonValue(format, extent, size),
    )
    .map(([name, value]) => ({ name, key: literal(name), value }));
}

/** Another one of a pickled session. */
export function otherEntry(extent: Extent, size: Size): fc.Arbitrary<Entry> {
  return fc
    .tuple(fc.oneof(tree("pickle", extent).key, RESERVED_NAME), pythonValue("pickle", extent, size))
    .map(([key, value]) => ({ name: null, key, value }));
}

/** A dict of Python's. */
export function dict(entries: readonly Pick<Entry, "key" | "value">[]): string {
  return `{${entries.map(({ key, value }) => `${key}: ${value}`)}}`;
}

function isName(name: string, format: Format): boolean {
  return format === "json" || !RESERVED.test(name);
}

const RESERVED_NAME = fc.constantFrom("'$set'", "'$dict'", "'$uuid'");

/** @returns values, and of a pickle the keys that are no texts */
function tree(format: Format, extent: Extent): { value: fc.Arbitrary<string>; key: fc.Arbitrary<string> } {
  // An object that JavaScript makes has keys that are numbers first.
  const name = ANY_NAME.filter((each) => isName(each, format) && (extent === "any" || !/^\d+$/.test(each)));
  const plain = fc.oneof(fc.constantFrom("None", "True", "False"), int, float(extent), text.map(literal));
  return fc.letrec<{ value: string; key: string }>((tie) => {
    const values = fc.array(tie("value"), { maxLength: 4 });
    const keys = fc.array(fc.oneof(tie("key"), text.map(literal)), { maxLength: 3 });
    const list = values.map((items) => `[${items}]`);
    const entries = fc.array(fc.record({ key: name.map(literal), value: tie("value") }), { maxLength: 4 });
    if (format === "json") {
      return {
        value: fc.oneof({ maxDepth: 3 }, { weight: 5, arbitrary: plain }, list, entries.map(dict)),
        key: text.map(literal),
      };
    }
    // Keys that are no object's keys in JavaScript stay together when Node writes a dict.
    const others = fc.array(fc.record({ key: fc.oneof(tie("key"), RESERVED_NAME), value: tie("value") }), {
      maxLength: 3,
    });
    const mixed = fc
      .tuple(entries, others, fc.boolean())
      .map(([a, b, first]) => dict(first ? [...b, ...a] : [...a, ...b]));
    return {
      value: fc.oneof(
        { maxDepth: 3 },
        { weight: 5, arbitrary: plain },
        { weight: 2, arbitrary: hashable },
        { weight: 3, arbitrary: notHashable },
        list,
        values.map((items) => `tuple([${items}])`),
        entries.map(dict),
        mixed,
        ...(extent === "any" ? [entries.map((pairs) => `OrderedDict(${dict(pairs)})`)] : []),
        keys.map((items) => `set([${items}])`),
        keys.map((items) => `frozenset([${items}])`),
      ),
      key: fc.oneof(
        { maxDepth: 2 },
        { weight: 2, arbitrary: fc.oneof(int, float(extent), fc.constantFrom("True", "None")) },
        { weight: 2, arbitrary: hashable },
        keys.map((items) => `tuple([${items}])`),
        keys.map((items) => `frozenset([${items}])`),
      ),
    };
  });
}
