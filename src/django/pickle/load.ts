import { MAX_DEPTH, put } from "../../core/values.ts";
import { fail, printed, strange, TOO_DEEP, TOO_MUCH, UNHASHABLE } from "./faults.ts";
import { isNode, type PickleNode, type PickleObject } from "./node.ts";
import { readPickle } from "./reader.ts";
import { allowance, BY_GLOBAL, isFloat, type Origin, RESERVED } from "./shapes.ts";

interface Loaded {
  readonly value: unknown;
  readonly origin?: Origin | undefined;
}

/**
 * Reads a pickle of plain data, protocols 0 to 5. It cannot run code: see `readPickle`.
 *
 * Throws `SyntaxError`, whose message completes "The pickle …", for everything else, and for what is circular, too deep
 * or too much. Nothing is shared between the parts of the value, even where Python shared it.
 *
 * @returns the value, as the table in docs/decisions/0009-pickle-values.md says; and the origin to hand to `dumpPickle`
 */
export function loadPickle(bytes: Uint8Array): { value: unknown; origin?: unknown } {
  return toValue(readPickle(bytes));
}

/** The second half of `loadPickle`. */
export function toValue(root: PickleNode): { value: unknown; origin?: unknown } {
  const left = allowance(() => new SyntaxError(TOO_MUCH));
  return load(root, 0, false);

  /** @param isKey whether the value is a dict's key or in a set, where Python takes no list, dict or set */
  function load(node: PickleNode, depth: number, isKey: boolean): Loaded {
    left.value();
    if (typeof node === "string") left.text(node.length);
    if (typeof node === "bigint") left.text(node.toString(16).length / 2);
    if (typeof node !== "object" || node === null) return { value: node };
    if (node.type === "float")
      return { value: node.value, origin: isFloat(node.value) ? undefined : `${node.value}.0` };
    if (depth > MAX_DEPTH) fail(TOO_DEEP);
    switch (node.type) {
      case "tuple":
        return loadItems(node.items, depth, isKey, "tuple");
      case "frozenset":
        return tagged("$frozenset", loadItems(node.items, depth + 1, true));
      case "bytes":
        return { value: { $bytes: base64(node.bytes) } };
      case "object":
        return loadObject(node);
    }
    if (isKey) fail(UNHASHABLE);
    switch (node.type) {
      case "list":
        return loadItems(node.items, depth, false);
      case "set":
        return tagged("$set", loadItems(node.items, depth + 1, true));
      case "dict":
        return loadDict(node.items, depth);
      case "OrderedDict":
        return loadDict(node.items, depth, "OrderedDict");
      case "bytearray":
        return { value: { $bytearray: base64(node.bytes) } };
      case "global":
        return fail(`holds the class ${printed(node.name)} itself`);
    }
  }

  function loadItems(nodes: readonly PickleNode[], depth: number, isKey: boolean, type?: "tuple"): Loaded {
    if (depth > MAX_DEPTH) fail(TOO_DEEP);
    const value: unknown[] = [];
    const of = new Map<number, Origin>();
    for (const node of nodes) {
      const item = load(node, depth + 1, isKey);
      if (item.origin !== undefined) of.set(value.length, item.origin);
      value.push(item.value);
    }
    return { value, origin: type || of.size > 0 ? { keys: undefined, of, type } : undefined };
  }

  function loadDict(nodes: readonly PickleNode[], depth: number, type?: "OrderedDict"): Loaded {
    const value = {};
    const of = new Map<string, Origin>();
    const others: unknown[] = [];
    const ofOthers = new Map<number, Origin>();
    for (let at = 0; at < nodes.length; at += 2) {
      const key = nodes[at]!;
      if (isProperty(key)) {
        left.text(key.length);
        const item = load(nodes[at + 1]!, depth + 1, false);
        put(value, key, item.value);
        if (item.origin !== undefined) of.set(key, item.origin);
        else of.delete(key);
      } else {
        if (depth + 2 > MAX_DEPTH) fail(TOO_DEEP);
        const [first, second] = [load(key, depth + 3, true), load(nodes[at + 1]!, depth + 3, false)];
        const pair = tupleOf(first.origin, second.origin);
        if (pair) ofOthers.set(others.length, pair);
        others.push([first.value, second.value]);
        put(value, "$dict", others);
      }
    }
    if (ofOthers.size > 0) of.set("$dict", { keys: undefined, of: ofOthers });
    const keys = reorderedKeys(value, nodes);
    return { value, origin: keys || of.size > 0 || type ? { keys, of, type } : undefined };
  }

  function loadObject(instance: PickleObject): Loaded {
    if (instance.global === "builtins complex") {
      const parts = instance.args.map((part) => (isNode(part, "float") ? part.value : undefined));
      if (parts.length !== 2 || parts.includes(undefined)) fail(strange(instance.global));
      return { value: { $complex: parts } };
    }
    const [tag, type] = BY_GLOBAL.get(instance.global) ?? [];
    const text = type?.format(instance);
    if (tag === undefined || text === undefined) fail(strange(instance.global));
    left.text(text.length);
    return { value: { [tag]: text } };
  }

  function base64(bytes: Buffer): string {
    left.text(bytes.length);
    return bytes.toString("base64");
  }
}

function tagged(tag: string, { value, origin }: Loaded): Loaded {
  return { value: { [tag]: value }, origin: origin && { keys: undefined, of: new Map([[tag, origin]]) } };
}

function tupleOf(first: Origin | undefined, second: Origin | undefined): Origin | undefined {
  const of = new Map<number, Origin>();
  if (first !== undefined) of.set(0, first);
  if (second !== undefined) of.set(1, second);
  return of.size > 0 ? { keys: undefined, of } : undefined;
}

function isProperty(key: PickleNode): key is string {
  return typeof key === "string" && !RESERVED.has(key);
}

/** The keys in Python's order, where JavaScript has another: it puts those that are numbers first. */
function reorderedKeys(value: object, nodes: readonly PickleNode[]): readonly string[] | undefined {
  const keys = Object.keys(value);
  if (!/^\d/.test(keys[0] ?? "")) return undefined;
  const order = new Set(nodes.filter((_, at) => at % 2 === 0).map((key) => (isProperty(key) ? key : "$dict")));
  return [...order].some((key, at) => key !== keys[at]) ? [...order] : undefined;
}
