import { SessionError } from "../../core/errors.ts";
import { isPlainObject, MAX_DEPTH, tooDeep } from "../../core/values.ts";
import { describe, orderedKeys } from "../python-json.ts";
import { integer, type PickleNode } from "./node.ts";
import { allowance, type ContainerOrigin, isFloat, type Origin, RESERVED } from "./shapes.ts";
import { TYPES } from "./types.ts";
import { writePickle } from "./writer.ts";

/** And a multiple of four characters. */
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * Writes a dict as Python's `pickle.dumps` does, numbers as python-json's `stringify`: integers up to 2^53 as int, other
 * numbers as float, BigInt as int. Objects with a reserved key become the Python value they stand for.
 *
 * Throws `ERR_SESSION_VALUE`, naming the path, for what Python could not load, and `ERR_SESSION_TOO_LARGE` for what
 * `loadPickle` would not.
 *
 * @param protocol 5 as Django's own cache backends write, or 4 as django-redis does
 * @param origin what `loadPickle`, or python-json's `parse`, gave for the data this came from: floats stay floats, and
 * where a tuple or an OrderedDict was read, an array or object is written as one
 */
export function dumpPickle(data: Record<string, unknown>, protocol: 4 | 5, origin?: unknown): Buffer {
  return writePickle(toNode(data, origin), protocol);
}

/** The first half of `dumpPickle`, which is all that throws. */
export function toNode(data: Record<string, unknown>, origin?: unknown): PickleNode {
  const left = allowance(
    () => new SessionError("ERR_SESSION_TOO_LARGE", "The session's data are too large, or hold too many values."),
  );
  return dumpDict(data, containerOf(origin as Origin), "", 0);

  function dump(value: unknown, origin: Origin | undefined, path: string, depth: number, isKey: boolean): PickleNode {
    left.value();
    switch (typeof value) {
      case "string":
        left.text(value.length);
        return value;
      case "number":
        return dumpNumber(value, origin);
      case "bigint":
        left.text(value.toString(16).length / 2);
        return integer(value);
      case "boolean":
        return value;
      case "object": {
        if (value === null) return null;
        if (depth > MAX_DEPTH) throw tooDeep(path);
        const container = containerOf(origin);
        if (Array.isArray(value)) {
          const type = isKey || container?.type === "tuple" ? "tuple" : "list";
          return { type, items: dumpItems(value, container, path, depth, isKey) };
        }
        if (!isPlainObject(value)) break;
        const tag = Object.keys(value).find((key) => key !== "$dict" && RESERVED.has(key));
        if (tag !== undefined) return dumpTagged(tag, value, container, path, depth, isKey);
        if (isKey) throw wrong(path, "is an object, which Python takes neither as a key nor in a set");
        return dumpDict(value, container, path, depth);
      }
    }
    throw wrong(
      path,
      `is ${describe(value)}, which a pickle of plain data cannot carry. Store a string, number, boolean, null, BigInt, array or plain object instead, or one that stands for a Python value, such as { $datetime: date.toISOString() }`,
    );
  }

  function dumpItems(
    values: readonly unknown[],
    origin: ContainerOrigin | undefined,
    path: string,
    depth: number,
    isKey: boolean,
  ): PickleNode[] {
    if (depth > MAX_DEPTH) throw tooDeep(path);
    // Not map: it skips holes.
    return Array.from(values, (value, at) => dump(value, origin?.of.get(at), `${path}[${at}]`, depth + 1, isKey));
  }

  function dumpDict(
    value: Record<string, unknown>,
    origin: ContainerOrigin | undefined,
    path: string,
    depth: number,
  ): PickleNode {
    const items: PickleNode[] = [];
    for (const key of orderedKeys(value, origin?.keys)) {
      const inner = path === "" ? key : `${path}.${key}`;
      const innerOrigin = origin?.of.get(key);
      if (key === "$dict") {
        for (const node of dumpOthers(value[key], containerOf(innerOrigin), inner, depth)) items.push(node);
      } else if (RESERVED.has(key)) {
        throw wrong(inner, "has a name that stands for a Python type, and other keys beside it; see $dict");
      } else {
        left.text(key.length);
        items.push(key, dump(value[key], innerOrigin, inner, depth + 1, false));
      }
    }
    return { type: origin?.type === "OrderedDict" ? "OrderedDict" : "dict", items };
  }

  /** The entries of a dict whose keys are not texts, or reserved ones. */
  function dumpOthers(others: unknown, origin: ContainerOrigin | undefined, path: string, depth: number): PickleNode[] {
    const arePairs = Array.isArray(others) && others.every((pair) => Array.isArray(pair) && pair.length === 2);
    if (depth + 2 > MAX_DEPTH) throw tooDeep(path);
    if (!arePairs) throw wrong(path, "must be a list of pairs of a key and a value");
    return others.flatMap(([key, value], at) => {
      const pair = containerOf(origin?.of.get(at));
      return [
        dump(key, pair?.of.get(0), `${path}[${at}][0]`, depth + 3, true),
        dump(value, pair?.of.get(1), `${path}[${at}][1]`, depth + 3, false),
      ];
    });
  }

  function dumpTagged(
    tag: string,
    value: Record<string, unknown>,
    origin: ContainerOrigin | undefined,
    path: string,
    depth: number,
    isKey: boolean,
  ): PickleNode {
    const at = `${path}.${tag}`;
    if (Object.keys(value).length > 1) {
      throw wrong(at, "stands for a Python value, and has other keys beside it; see $dict");
    }
    const inner = value[tag];
    const innerOrigin = containerOf(origin?.of.get(tag));
    if (isKey && (tag === "$set" || tag === "$bytearray")) {
      throw wrong(at, "is what Python takes neither as a key nor in a set");
    }
    switch (tag) {
      case "$tuple":
        return { type: "tuple", items: dumpItems(list(inner, at), innerOrigin, at, depth + 1, isKey) };
      case "$set":
      case "$frozenset":
        return {
          type: tag === "$set" ? "set" : "frozenset",
          items: dumpItems(list(inner, at), innerOrigin, at, depth + 1, true),
        };
      case "$bytes":
      case "$bytearray": {
        if (typeof inner !== "string" || inner.length % 4 > 0 || !BASE64.test(inner)) {
          throw wrong(at, "must be a text in base64");
        }
        const bytes = Buffer.from(inner, "base64");
        left.text(bytes.length);
        return { type: tag === "$bytes" ? "bytes" : "bytearray", bytes };
      }
      case "$complex": {
        const parts = list(inner, at);
        if (parts.length !== 2 || parts.some((part) => typeof part !== "number"))
          throw wrong(at, "must be two numbers");
        const args: PickleNode[] = parts.map((part) => ({ type: "float", value: part as number }));
        return { type: "object", global: "builtins complex", args };
      }
    }
    const { global, example, parse, format } = TYPES[tag]!;
    const instance = typeof inner === "string" ? parse(inner) : undefined;
    if (!instance) throw wrong(at, `must be a text such as ${JSON.stringify(example)}`);
    // As it will be read: "Z" becomes "+00:00".
    left.text(format(instance)!.length);
    return { type: "object", global, ...instance };
  }
}

function dumpNumber(value: number, origin: Origin | undefined): PickleNode {
  const literal = typeof origin === "string" && Object.is(Number(origin), value) ? origin : undefined;
  const wasFloat = literal === undefined ? isFloat(value) : !/^-?\d+$/.test(literal);
  return wasFloat ? { type: "float", value } : value;
}

function containerOf(origin: Origin | undefined): ContainerOrigin | undefined {
  return typeof origin === "object" ? origin : undefined;
}

function list(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(path, "must be a list");
  return value;
}

function wrong(path: string, problem: string): SessionError {
  return new SessionError("ERR_SESSION_VALUE", `${path} ${problem}.`);
}
