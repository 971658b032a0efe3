import { littleEndian, pickleFrames } from "./frames.ts";
import { OP, type PickleNode, type PickleObject, type TypedNode } from "./node.ts";

const BATCH = 1000;

/**
 * Writes a pickle as CPython's `pickle.dumps(value, protocol)` does, byte for byte: its memo, its batches, its frames.
 *
 * Python recalls what is one object. Equal texts are taken for one object, as JavaScript cannot tell; of the rest, only
 * classes and the zone UTC are.
 *
 * @param protocol 5 as Django's own cache backends write, or 4 as django-redis does
 */
export function writePickle(root: PickleNode, protocol: 4 | 5): Buffer {
  const out = pickleFrames(protocol);
  let memoized = 0;
  const texts = new Map<string, number>();
  const globals = new Map<string, number>();
  const objects = new Map<PickleObject, number>();

  const writers: { [T in TypedNode["type"]]: (node: TypedNode & { readonly type: T }) => void } = {
    float({ value }) {
      const bytes = Buffer.allocUnsafe(8);
      bytes.writeDoubleBE(value);
      out.code(OP.BINFLOAT, bytes);
    },
    list({ items }) {
      out.code(OP.EMPTY_LIST);
      memoize();
      if (items.length === 1) {
        write(items[0]!);
        out.code(OP.APPEND);
        return;
      }
      for (let start = 0; start < items.length; start += BATCH) {
        writeBatch(items.slice(start, start + BATCH), OP.APPENDS);
      }
    },
    tuple({ items }) {
      if (items.length > 3) {
        writeBatch(items, OP.TUPLE);
      } else {
        for (const item of items) write(item);
        out.code(SHORT_TUPLES[items.length]!);
      }
      // There is but one empty tuple.
      if (items.length > 0) memoize();
    },
    set({ items }) {
      out.code(OP.EMPTY_SET);
      memoize();
      writeBatches(items, BATCH, OP.ADDITEMS);
    },
    frozenset({ items }) {
      writeBatch(items, OP.FROZENSET);
      memoize();
    },
    dict({ items }) {
      out.code(OP.EMPTY_DICT);
      memoize();
      writeEntries(items);
    },
    OrderedDict({ items }) {
      write({ type: "object", global: "collections OrderedDict", args: [] });
      writeEntries(items);
    },
    bytes({ bytes }) {
      if (bytes.length < 256) out.block(OP.SHORT_BINBYTES, 1, bytes);
      else out.block(OP.BINBYTES, 4, bytes);
      memoize();
    },
    bytearray({ bytes }) {
      if (protocol === 5) {
        out.block(OP.BYTEARRAY8, 8, bytes);
        memoize();
      } else {
        const args: PickleNode[] = bytes.length > 0 ? [{ type: "bytes", bytes }] : [];
        write({ type: "object", global: "builtins bytearray", args });
      }
    },
    global({ name }) {
      const known = globals.get(name);
      if (known !== undefined) {
        recall(known);
        return;
      }
      const blank = name.indexOf(" ");
      writeText(name.slice(0, blank));
      // Python makes the names of built-in classes anew each time.
      writeNewText(name.slice(blank + 1));
      memoize();
      out.code(OP.STACK_GLOBAL);
      globals.set(name, memoize());
    },
    object(node) {
      const known = objects.get(node);
      if (known !== undefined) {
        recall(known);
        return;
      }
      write({ type: "global", name: node.global });
      write({ type: "tuple", items: node.args });
      out.code(node.state === undefined ? OP.REDUCE : OP.NEWOBJ);
      objects.set(node, memoize());
      if (node.state === undefined) return;
      write(node.state);
      out.code(OP.BUILD);
    },
  };

  write(root);
  out.code(OP.STOP);
  return out.finish();

  function write(node: PickleNode): void {
    out.boundary();
    if (node === null) out.code(OP.NONE);
    else if (typeof node === "string") writeText(node);
    else if (typeof node === "boolean") out.code(node ? OP.NEWTRUE : OP.NEWFALSE);
    else if (typeof node === "object") (writers[node.type] as (node: TypedNode) => void)(node);
    else writeInt(node);
  }

  function memoize(): number {
    out.code(OP.MEMOIZE);
    return memoized++;
  }

  function recall(at: number): void {
    if (at < 256) out.code(OP.BINGET, littleEndian(at, 1));
    else out.code(OP.LONG_BINGET, littleEndian(at, 4));
  }

  function writeText(text: string): void {
    const known = texts.get(text);
    if (known !== undefined) {
      recall(known);
    } else {
      writeNewText(text);
      texts.set(text, memoize());
    }
  }

  function writeNewText(text: string): void {
    const bytes = encodeText(text);
    if (bytes.length < 256) out.block(OP.SHORT_BINUNICODE, 1, bytes);
    else out.block(OP.BINUNICODE, 4, bytes);
  }

  function writeInt(value: number | bigint): void {
    if (typeof value === "bigint" || value > 0x7fffffff || value < -0x80000000) {
      const bytes = twosComplement(BigInt(value));
      if (bytes.length < 256) out.block(OP.LONG1, 1, bytes);
      else out.block(OP.LONG4, 4, bytes);
    } else if (value < 0 || value > 0xffff) out.code(OP.BININT, littleEndian(value >>> 0, 4));
    else if (value > 0xff) out.code(OP.BININT2, littleEndian(value, 2));
    else out.code(OP.BININT1, littleEndian(value, 1));
  }

  /** @param items key, value, key, value */
  function writeEntries(items: readonly PickleNode[]): void {
    if (items.length === 2) {
      write(items[0]!);
      write(items[1]!);
      out.code(OP.SETITEM);
    } else {
      writeBatches(items, 2 * BATCH, OP.SETITEMS);
    }
  }

  /** Of a dict or set: CPython goes on after each full batch, so that an empty one follows 1000 items. */
  function writeBatches(items: readonly PickleNode[], size: number, opcode: number): void {
    if (items.length === 0) return;
    for (let start = 0; start <= items.length; start += size) writeBatch(items.slice(start, start + size), opcode);
  }

  function writeBatch(items: readonly PickleNode[], opcode: number): void {
    out.code(OP.MARK);
    for (const item of items) write(item);
    out.code(opcode);
  }
}

const SHORT_TUPLES: readonly number[] = [OP.EMPTY_TUPLE, OP.TUPLE1, OP.TUPLE2, OP.TUPLE3];

/** UTF-8 with Python's "surrogatepass"; Node would write a replacement for half a pair. */
function encodeText(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length === text.length || !/\p{Surrogate}/u.test(text)) return bytes;
  const parts = text.split(/(\p{Surrogate})/u);
  return Buffer.concat(parts.map((part, at) => (at % 2 === 1 ? surrogate(part.charCodeAt(0)) : Buffer.from(part))));
}

function surrogate(unit: number): Uint8Array {
  return Uint8Array.of(0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f));
}

/** The fewest bytes, little-endian, whose first bit says the sign. */
function twosComplement(value: bigint): Buffer {
  const digits = (value < 0n ? ~value : value).toString(16);
  const size = Math.floor(digits.length / 2) + (digits.length % 2 === 1 || digits[0]! >= "8" ? 1 : 0);
  const hex = BigInt.asUintN(8 * size, value)
    .toString(16)
    .padStart(2 * size, "0");
  return Buffer.from(hex, "hex").reverse();
}
