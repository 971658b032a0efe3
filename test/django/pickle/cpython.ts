import { readFileSync } from "node:fs";

type ByExpression = Record<string, Record<"0" | "1" | "2" | "3" | "4" | "5", string>>;

/** What CPython wrote, by Python expression and protocol: base64, or the hash of what is long. See cpython-pickles.py. */
export const CPYTHON: { readonly plain: ByExpression; readonly refused: ByExpression } = JSON.parse(
  readFileSync(new URL("../../../../test/django/pickle/cpython-pickles.json", import.meta.url), "utf8"),
);

const times = <T>(n: number, item: (n: number) => T): T[] => Array.from({ length: n }, (_, index) => item(index));

/** The value in JavaScript of every plain expression there. */
export const VALUES: Readonly<Record<string, unknown>> = {
  '(1.0, 2, -0.0, 1.5, 1e+16, float("inf"), float("-inf"))': [1, 2, -0, 1.5, 1e16, Infinity, -Infinity],
  "(2**53 - 1, -2**53 + 1, 2**53, -2**53, 2**63, -2**63, 2**64 - 1, 2**2040, -(2**2040))": [
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
    2n ** 53n,
    -(2n ** 53n),
    2n ** 63n,
    -(2n ** 63n),
    2n ** 64n - 1n,
    2n ** 2040n,
    -(2n ** 2040n),
  ],
  "(0, 255, 256, 65535, 65536, -1, -128, -129, 2**31 - 1, 2**31, -2**31, -2**31 - 1)": [
    0, 255, 256, 65535, 65536, -1, -128, -129, 2147483647, 2147483648, -2147483648, -2147483649,
  ],
  '((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [()], ([1], {"a": (5,)}))': [
    [],
    [1],
    [1, 2],
    [1, 2, 3],
    [1, 2, 3, 4],
    [[]],
    [[1], { a: [5] }],
  ],
  '{"b": 1, "10": 2.0, "9": [3.0]}': { b: 1, "10": 2, "9": [3] },
  '{1: "int", 2.5: "float", None: "none", ("a", (1, b"x")): "tuple"}': {
    $dict: [
      [1, "int"],
      [2.5, "float"],
      [null, "none"],
      [["a", [1, { $bytes: "eA==" }]], "tuple"],
    ],
  },
  '{"a": 1, 1: "x", "b": 2.0, 2.0: 3.0}': {
    a: 1,
    $dict: [
      [1, "x"],
      [2, 3],
    ],
    b: 2,
  },
  '{"$set": [1], "$dict": 1}': {
    $dict: [
      ["$set", [1]],
      ["$dict", 1],
    ],
  },
  '{"$where": 1}': { $where: 1 },
  "{1, 2}": { $set: [1, 2] },
  "{(1, 2.0)}": { $set: [[1, 2]] },
  "frozenset({frozenset({1})})": { $frozenset: [{ $frozenset: [1] }] },
  "set()": { $set: [] },
  "frozenset()": { $frozenset: [] },
  'OrderedDict([("b", 1), ("a", (1,))])': { b: 1, a: [1] },
  "OrderedDict()": {},
  '[b"", b"a\\xff", bytes(300)]': [
    { $bytes: "" },
    { $bytes: "Yf8=" },
    { $bytes: Buffer.alloc(300).toString("base64") },
  ],
  '[bytearray(b""), bytearray(b"a\\xff"), bytearray(300)]': [
    { $bytearray: "" },
    { $bytearray: "Yf8=" },
    { $bytearray: Buffer.alloc(300).toString("base64") },
  ],
  "datetime(2026, 11, 20, 12, 0)": { $datetime: "2026-11-20T12:00:00" },
  "datetime(1, 1, 1)": { $datetime: "0001-01-01T00:00:00" },
  "datetime(9999, 12, 31, 23, 59, 59, 999999)": { $datetime: "9999-12-31T23:59:59.999999" },
  "datetime(2026, 11, 20, 12, 0, 0, 1, tzinfo=timezone.utc)": { $datetime: "2026-11-20T12:00:00.000001+00:00" },
  "[datetime(2026, 11, 20, tzinfo=timezone.utc), datetime(2026, 11, 21, tzinfo=timezone.utc)]": [
    { $datetime: "2026-11-20T00:00:00+00:00" },
    { $datetime: "2026-11-21T00:00:00+00:00" },
  ],
  "datetime(2026, 11, 20, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))": {
    $datetime: "2026-11-20T00:00:00-03:30",
  },
  "datetime(1890, 1, 1, tzinfo=timezone(timedelta(seconds=1172, microseconds=500000)))": {
    $datetime: "1890-01-01T00:00:00+00:19:32.500000",
  },
  'datetime(2026, 11, 20, tzinfo=timezone(timedelta(hours=1), "CET"))': {
    $datetime: "2026-11-20T00:00:00+01:00[tzname=CET]",
  },
  'datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)': {
    $datetime: "2026-10-25T02:30:00[Europe/Berlin][fold=1]",
  },
  "datetime(2026, 10, 25, 2, 30, fold=1)": { $datetime: "2026-10-25T02:30:00[fold=1]" },
  "date(2024, 2, 29)": { $date: "2024-02-29" },
  "time(23, 59, 59, 999999)": { $time: "23:59:59.999999" },
  "time(1, 2, 3, tzinfo=timezone.utc, fold=1)": { $time: "01:02:03+00:00[fold=1]" },
  "timedelta(0)": { $timedelta: "P0DT00H00M00S" },
  "timedelta(1, 7384, 5)": { $timedelta: "P1DT02H03M04.000005S" },
  "timedelta(microseconds=-1)": { $timedelta: "-P0DT00H00M00.000001S" },
  "timedelta.max": { $timedelta: "P999999999DT23H59M59.999999S" },
  "timedelta.min": { $timedelta: "-P999999999DT00H00M00S" },
  '[Decimal("1.50"), Decimal("-0"), Decimal("1E+30"), Decimal("0E-8"), Decimal("NaN"), Decimal("-Infinity")]': [
    { $decimal: "1.50" },
    { $decimal: "-0" },
    { $decimal: "1E+30" },
    { $decimal: "0E-8" },
    { $decimal: "NaN" },
    { $decimal: "-Infinity" },
  ],
  'UUID("12345678-1234-5678-9234-567812345678")': { $uuid: "12345678-1234-5678-9234-567812345678" },
  "UUID(int=0)": { $uuid: "00000000-0000-0000-0000-000000000000" },
  "UUID(int=5, is_safe=SafeUUID.safe)": { $uuid: "00000000-0000-0000-0000-000000000005" },
  "complex(1, -0.0)": { $complex: [1, -0] },
  '["\\ud800", "\\udfff\\ud800", "a\\ud83d", "\\U0001f600", "\\u00e9", "\\0\\n\\r\\\\\\\\u0041", "\\\\", "\\x1a"]': [
    "\ud800",
    "\udfff\ud800",
    "a\ud83d",
    "😀",
    "é",
    "\0\n\r\\\\u0041",
    "\\",
    "\x1a",
  ],
  '["x" * 255, "x" * 256]': ["x".repeat(255), "x".repeat(256)],
  "[list(range(n)) for n in (999, 1000, 1001, 2000)]": [999, 1000, 1001, 2000].map((n) => times(n, (i) => i)),
  '[{f"{n} {i}": None for i in range(n)} for n in (999, 1000, 1001, 2000)]': [999, 1000, 1001, 2000].map((n) =>
    Object.fromEntries(times(n, (i) => [`${n} ${i}`, null])),
  ),
  "[set(range(n)) for n in (999, 1000, 1001)]": [999, 1000, 1001].map((n) => ({ $set: times(n, (i) => i) })),
  '[{"n": n} for n in range(300)]': times(300, (n) => ({ n })),
  '["y" * 70000, b"z" * 70000, [str(n) for n in range(20000)]]': [
    "y".repeat(70000),
    { $bytes: Buffer.alloc(70000, "z").toString("base64") },
    times(20000, (n) => `${n}`),
  ],
};
