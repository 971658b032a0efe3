/**
 * A Python value as a pickle says it: what the reader builds and the writer writes. Plain JavaScript values stand for
 * `None`, `bool`, `str` and `int` (BigInt beyond 2^53); everything else says its type.
 */
export type PickleNode =
  | null
  | boolean
  | string
  | number
  | bigint
  | { readonly type: "float"; readonly value: number }
  | { readonly type: "tuple" | "frozenset"; readonly items: readonly PickleNode[] }
  | { readonly type: "list" | "set"; readonly items: PickleNode[] }
  /** Key, value, key, value. */
  | { readonly type: "dict" | "OrderedDict"; readonly items: PickleNode[] }
  | { readonly type: "bytes" | "bytearray"; readonly bytes: Buffer }
  | { readonly type: "global"; readonly name: string }
  | PickleObject;

/** An instance: what its class was called with. Nothing is ever called; the table of types reads the arguments. */
export interface PickleObject {
  readonly type: "object";
  /** Module and name, separated by a blank: `"datetime date"`. */
  readonly global: string;
  readonly args: readonly PickleNode[];
  /** What `BUILD` brought; only UUIDs have one. */
  state?: PickleNode;
}

export type TypedNode = Exclude<PickleNode, null | boolean | string | number | bigint>;

export function isNode<T extends TypedNode["type"]>(
  node: PickleNode | undefined,
  type: T,
): node is TypedNode & { readonly type: T } {
  return typeof node === "object" && node !== null && node.type === type;
}

/** The one form of an int: a number where that is exact. */
export function integer(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Opcodes of Python's pickletools that plain data need, protocols 0 to 5. */
export const OP = {
  MARK: 0x28,
  EMPTY_TUPLE: 0x29,
  STOP: 0x2e,
  POP: 0x30,
  POP_MARK: 0x31,
  DUP: 0x32,
  BINBYTES: 0x42,
  SHORT_BINBYTES: 0x43,
  FLOAT: 0x46,
  BINFLOAT: 0x47,
  INT: 0x49,
  BININT: 0x4a,
  BININT1: 0x4b,
  LONG: 0x4c,
  BININT2: 0x4d,
  NONE: 0x4e,
  REDUCE: 0x52,
  UNICODE: 0x56,
  BINUNICODE: 0x58,
  EMPTY_LIST: 0x5d,
  APPEND: 0x61,
  BUILD: 0x62,
  GLOBAL: 0x63,
  DICT: 0x64,
  APPENDS: 0x65,
  GET: 0x67,
  BINGET: 0x68,
  INST: 0x69,
  LONG_BINGET: 0x6a,
  LIST: 0x6c,
  PUT: 0x70,
  BINPUT: 0x71,
  LONG_BINPUT: 0x72,
  SETITEM: 0x73,
  TUPLE: 0x74,
  SETITEMS: 0x75,
  EMPTY_DICT: 0x7d,
  PROTO: 0x80,
  NEWOBJ: 0x81,
  TUPLE1: 0x85,
  TUPLE2: 0x86,
  TUPLE3: 0x87,
  NEWTRUE: 0x88,
  NEWFALSE: 0x89,
  LONG1: 0x8a,
  LONG4: 0x8b,
  SHORT_BINUNICODE: 0x8c,
  BINUNICODE8: 0x8d,
  BINBYTES8: 0x8e,
  EMPTY_SET: 0x8f,
  ADDITEMS: 0x90,
  FROZENSET: 0x91,
  STACK_GLOBAL: 0x93,
  MEMOIZE: 0x94,
  FRAME: 0x95,
  BYTEARRAY8: 0x96,
} as const;
