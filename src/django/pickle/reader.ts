import { MAX_BYTES } from "../../core/values.ts";
import { CUT_OFF, fail, foreign, strange, TOO_MUCH } from "./faults.ts";
import { GLOBALS, globalNode, instance } from "./globals.ts";
import { integer, isNode, OP, type PickleNode } from "./node.ts";

/*
 * A pickle is a program for a machine with a stack and a memo. This machine has the instructions that build data, and
 * a closed list of globals. It cannot run code by construction: there is nothing in it that could look a name up, import
 * or call.
 */

/** Objects that one pickle may make: an empty list takes one byte in a pickle and seventy in memory. */
const MAX_OBJECTS = 2_000_000;

/** As Python's own limit (sys.int_info.default_max_str_digits) for numbers written in decimal: they cost their square. */
const MAX_DECIMAL_DIGITS = 4300;

/** What the classes that may be named take at most. */
const MAX_ARGUMENTS = 3;

interface Machine {
  readonly bytes: Buffer;
  at: number;
  readonly stack: PickleNode[];
  /** Heights of the stack at each MARK; nothing below the last one can be taken. */
  readonly marks: number[];
  readonly memo: Map<number, PickleNode>;
  objects: number;
  /** Characters that were handed to globals: a memoized text can be handed over many times. */
  handed: number;
}

const OPCODES: readonly (((m: Machine) => void) | undefined)[] = table({
  [OP.PROTO]: (m) => {
    const protocol = uint(m, 1);
    if (protocol > 5) fail(`is of protocol ${protocol}, and at most 5 is read`);
  },
  // Frames only say how much to read ahead.
  [OP.FRAME]: (m) => {
    if (length8(m) > m.bytes.length - m.at) fail(CUT_OFF);
  },

  [OP.NONE]: (m) => push(m, null),
  [OP.NEWTRUE]: (m) => push(m, true),
  [OP.NEWFALSE]: (m) => push(m, false),
  [OP.INT]: (m) => {
    const text = line(m);
    push(m, text === "00" || text === "01" ? text === "01" : decimal(text));
  },
  [OP.LONG]: (m) => push(m, decimal(line(m).replace(/L$/, ""))),
  [OP.BININT]: (m) => push(m, take(m, 4).readInt32LE()),
  [OP.BININT1]: (m) => push(m, uint(m, 1)),
  [OP.BININT2]: (m) => push(m, uint(m, 2)),
  [OP.LONG1]: (m) => push(m, long(take(m, uint(m, 1)))),
  [OP.LONG4]: (m) => push(m, long(take(m, uint(m, 4)))),
  [OP.FLOAT]: (m) => push(m, { type: "float", value: float(line(m)) }),
  [OP.BINFLOAT]: (m) => push(m, { type: "float", value: take(m, 8).readDoubleBE() }),

  [OP.UNICODE]: (m) => push(m, rawUnicode(line(m))),
  [OP.SHORT_BINUNICODE]: (m) => push(m, utf8(m, uint(m, 1))),
  [OP.BINUNICODE]: (m) => push(m, utf8(m, uint(m, 4))),
  [OP.BINUNICODE8]: (m) => push(m, utf8(m, length8(m))),
  [OP.SHORT_BINBYTES]: (m) => push(m, { type: "bytes", bytes: take(m, uint(m, 1)) }),
  [OP.BINBYTES]: (m) => push(m, { type: "bytes", bytes: take(m, uint(m, 4)) }),
  [OP.BINBYTES8]: (m) => push(m, { type: "bytes", bytes: take(m, length8(m)) }),
  [OP.BYTEARRAY8]: (m) => push(m, { type: "bytearray", bytes: take(m, length8(m)) }),

  [OP.EMPTY_LIST]: (m) => push(m, { type: "list", items: [] }),
  [OP.LIST]: (m) => push(m, { type: "list", items: popMark(m) }),
  [OP.APPEND]: (m) => extend(m, popN(m, 1), "list"),
  [OP.APPENDS]: (m) => extend(m, popMark(m), "list"),
  [OP.EMPTY_TUPLE]: (m) => push(m, { type: "tuple", items: [] }),
  [OP.TUPLE]: (m) => push(m, { type: "tuple", items: popMark(m) }),
  [OP.TUPLE1]: (m) => push(m, { type: "tuple", items: popN(m, 1) }),
  [OP.TUPLE2]: (m) => push(m, { type: "tuple", items: popN(m, 2) }),
  [OP.TUPLE3]: (m) => push(m, { type: "tuple", items: popN(m, 3) }),
  [OP.EMPTY_SET]: (m) => push(m, { type: "set", items: [] }),
  [OP.ADDITEMS]: (m) => extend(m, popMark(m), "set"),
  [OP.FROZENSET]: (m) => push(m, { type: "frozenset", items: popMark(m) }),
  [OP.EMPTY_DICT]: (m) => push(m, { type: "dict", items: [] }),
  [OP.DICT]: (m) => push(m, { type: "dict", items: pairs(popMark(m)) }),
  [OP.SETITEM]: (m) => extend(m, popN(m, 2), "dict", "OrderedDict"),
  [OP.SETITEMS]: (m) => extend(m, pairs(popMark(m)), "dict", "OrderedDict"),

  [OP.MARK]: (m) => m.marks.push(m.stack.length),
  [OP.POP]: (m) => {
    if (m.marks.at(-1) === m.stack.length) m.marks.pop();
    else pop(m);
  },
  [OP.POP_MARK]: (m) => popMark(m),
  [OP.DUP]: (m) => m.stack.push(top(m)),
  [OP.MEMOIZE]: (m) => m.memo.set(m.memo.size, top(m)),
  [OP.PUT]: (m) => m.memo.set(index(line(m)), top(m)),
  [OP.BINPUT]: (m) => m.memo.set(uint(m, 1), top(m)),
  [OP.LONG_BINPUT]: (m) => m.memo.set(uint(m, 4), top(m)),
  [OP.GET]: (m) => recall(m, index(line(m))),
  [OP.BINGET]: (m) => recall(m, uint(m, 1)),
  [OP.LONG_BINGET]: (m) => recall(m, uint(m, 4)),

  [OP.GLOBAL]: (m) => global(m, line(m), line(m)),
  [OP.STACK_GLOBAL]: (m) => {
    const [module, name] = popN(m, 2);
    global(m, module, name);
  },
  // Only refused: protocol 0 calls a class by its name so.
  [OP.INST]: (m) => fail(foreign(line(m), line(m))),
  [OP.REDUCE]: (m) => {
    const [callable, args] = popN(m, 2);
    if (!isNode(callable, "global") || !isNode(args, "tuple") || args.items.length > MAX_ARGUMENTS) fail();
    for (const arg of args.items) if (typeof arg === "string") m.handed += arg.length;
    if (m.handed > MAX_BYTES) fail(TOO_MUCH);
    push(m, GLOBALS[callable.name]!(args.items) ?? fail(strange(callable.name)));
  },
  [OP.NEWOBJ]: (m) => {
    const [type, args] = popN(m, 2);
    if (!isNode(type, "global") || !isNode(args, "tuple")) fail();
    if (type.name !== "uuid UUID" || args.items.length > 0) fail(strange(type.name));
    push(m, instance(type.name)([]));
  },
  [OP.BUILD]: (m) => {
    const state = pop(m);
    const object = top(m);
    if (!isNode(object, "object")) fail();
    if (object.global !== "uuid UUID") fail(strange(object.global));
    object.state = state;
  },
});

function table(opcodes: Record<number, (m: Machine) => void>): (((m: Machine) => void) | undefined)[] {
  return Array.from({ length: 256 }, (_, code) => opcodes[code]);
}

/**
 * Reads a pickle of protocol 0 to 5, in time and memory bounded by its length. Shared and circular parts are shared in
 * the result: walk it with a limit.
 *
 * Throws `SyntaxError` for everything but plain data, see `GLOBALS`. Its message completes "The pickle …".
 */
export function readPickle(bytes: Uint8Array): PickleNode {
  if (bytes.length > MAX_BYTES) fail(`is too large: ${bytes.length} bytes, where at most ${MAX_BYTES} are read`);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const m: Machine = { bytes: buffer, at: 0, stack: [], marks: [], memo: new Map(), objects: 0, handed: 0 };
  for (;;) {
    const code = uint(m, 1);
    if (code === OP.STOP) break;
    const execute = OPCODES[code] ?? fail(`has the opcode ${code}, which plain data do not need`);
    execute(m);
  }
  const result = pop(m);
  if (m.at < bytes.length) fail("is followed by something else");
  if (m.stack.length > 0 || m.marks.length > 0) fail();
  return result;
}

/** Pushes what is new. */
function push(m: Machine, node: PickleNode): void {
  if (typeof node === "object" && node !== null && ++m.objects > MAX_OBJECTS) fail(TOO_MUCH);
  m.stack.push(node);
}

function global(m: Machine, module: PickleNode | undefined, name: PickleNode | undefined): void {
  if (typeof module !== "string" || typeof name !== "string") fail();
  push(m, globalNode(module, name) ?? fail(foreign(module, name)));
}

function top(m: Machine): PickleNode {
  if (m.stack.length <= (m.marks.at(-1) ?? 0)) fail();
  return m.stack.at(-1)!;
}

function pop(m: Machine): PickleNode {
  const node = top(m);
  m.stack.length--;
  return node;
}

function popN(m: Machine, n: number): PickleNode[] {
  if (m.stack.length - n < (m.marks.at(-1) ?? 0)) fail();
  return m.stack.splice(m.stack.length - n);
}

function popMark(m: Machine): PickleNode[] {
  return m.stack.splice(m.marks.pop() ?? fail());
}

function pairs(items: PickleNode[]): PickleNode[] {
  return items.length % 2 === 0 ? items : fail();
}

function extend(
  m: Machine,
  items: readonly PickleNode[],
  ...types: readonly ("list" | "set" | "dict" | "OrderedDict")[]
): void {
  const target = top(m);
  for (const type of types) {
    if (!isNode(target, type)) continue;
    // Not `push(...items)`: there may be too many for the stack.
    for (const item of items) target.items.push(item);
    return;
  }
  fail();
}

function recall(m: Machine, at: number): void {
  const node = m.memo.get(at);
  m.stack.push(node === undefined ? fail() : node);
}

function skip(m: Machine, length: number): void {
  if (length > m.bytes.length - m.at) fail(CUT_OFF);
  m.at += length;
}

function take(m: Machine, length: number): Buffer {
  skip(m, length);
  return m.bytes.subarray(m.at - length, m.at);
}

function line(m: Machine): string {
  const end = m.bytes.indexOf(0x0a, m.at);
  if (end === -1) fail(CUT_OFF);
  const text = m.bytes.toString("latin1", m.at, end);
  m.at = end + 1;
  return text;
}

function uint(m: Machine, size: 1 | 2 | 4): number {
  skip(m, size);
  return size === 1 ? m.bytes[m.at - 1]! : m.bytes.readUIntLE(m.at - size, size);
}

function length8(m: Machine): number {
  return Number(take(m, 8).readBigUInt64LE());
}

function index(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : fail();
}

function decimal(text: string): number | bigint {
  if (text.length > MAX_DECIMAL_DIGITS || !/^-?\d+$/.test(text)) fail();
  return integer(BigInt(text));
}

/** Two's complement, little-endian. */
function long(bytes: Buffer): number | bigint {
  if (bytes.length === 0) return 0;
  if (bytes.length <= 6) return bytes.readIntLE(0, bytes.length);
  const hex = Buffer.from(bytes).reverse().toString("hex");
  return integer(BigInt.asIntN(8 * bytes.length, BigInt(`0x${hex}`)));
}

function float(text: string): number {
  if (text === "nan") return Number.NaN;
  if (text === "inf") return Number.POSITIVE_INFINITY;
  if (text === "-inf") return Number.NEGATIVE_INFINITY;
  return /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/.test(text) ? Number(text) : fail();
}

/** Python's "utf-8" with "surrogatepass": half a pair takes three bytes. */
function utf8(m: Machine, length: number): string {
  const start = m.at;
  skip(m, length);
  const text = m.bytes.toString("utf8", start, m.at);
  if (!text.includes("\ufffd")) return text;
  const parts = m.bytes.toString("latin1", start, m.at).split(/(\xed[\xa0-\xbf][\x80-\xbf])/);
  return parts.map((part, at) => (at % 2 === 1 ? surrogate(part) : strictUtf8(part))).join("");
}

function surrogate(part: string): string {
  return String.fromCharCode(0xd000 | ((part.charCodeAt(1) & 0x3f) << 6) | (part.charCodeAt(2) & 0x3f));
}

function strictUtf8(part: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(part, "latin1"));
  } catch {
    return fail();
  }
}

/** Python's "raw-unicode-escape", with which protocol 0 writes texts. */
function rawUnicode(text: string): string {
  return text.replace(/\\(?:u([\da-fA-F]{4})|U([\da-fA-F]{8})|.?)/gs, (sequence, short, long) => {
    if (/^\\u$/i.test(sequence)) fail();
    const code = Number.parseInt(short ?? long, 16);
    if (Number.isNaN(code)) return sequence;
    return code <= 0x10ffff ? String.fromCodePoint(code) : fail();
  });
}
