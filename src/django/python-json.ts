import { SessionError } from "../core/errors.ts";
import { isPlainObject, MAX_DEPTH, put, tooDeep } from "../core/values.ts";

/*
 * JSON as Python's json module reads and writes it: NaN and Infinity, integers of any size (as BigInt beyond 2^53),
 * floats apart from integers, dicts in the order of insertion. JavaScript has no value for `1.0` and orders keys like
 * "10" before all others; what the text said of those is kept beside the value, as its origin.
 */

/**
 * What a text said beyond its value: for a number, its literal; for a container, its keys in order where JavaScript
 * has another, and the origins of what it holds.
 */
type Origin = string | { keys: readonly string[] | undefined; of: ReadonlyMap<string | number, Origin> };

/** Python refuses to convert longer integers (sys.int_info.default_max_str_digits), for their quadratic cost. */
const MAX_INT_DIGITS = 4300;

/** Numbers and keys that JSON.parse reads but JavaScript cannot give back; inside strings it may err, at no harm. */
const IRREGULAR = /(?:^|[:,[])[ \t\n\r]*(?:-0|-?\d{16}|-?\d+[.eE])|"(?:0|[1-9]\d*)"[ \t\n\r]*:/;

/**
 * Reads a text. Throws `SyntaxError` for what Python refuses, and for what is nested too deeply.
 *
 * @returns the value, with own keys only; and the origin to hand back to `stringify`
 */
export function parse(text: string): { value: unknown; origin?: unknown } {
  if (!IRREGULAR.test(text) && !mayBeDeep(text)) {
    try {
      return { value: JSON.parse(text) };
    } catch {
      // NaN and Infinity, perhaps: the slow parser decides.
    }
  }
  return new Parser(text).document();
}

function mayBeDeep(text: string): boolean {
  // n levels take 2n characters, so most texts need no counting.
  return text.length > 2 * MAX_DEPTH && text.split(/[[{]/, MAX_DEPTH + 1).length > MAX_DEPTH;
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): { value: unknown; origin?: unknown } {
    const read = this.#value(0);
    this.#skipBlanks();
    if (this.#at < this.#text.length) this.#fail();
    return read;
  }

  #value(depth: number): { value: unknown; origin?: Origin | undefined } {
    if (depth > MAX_DEPTH) throw new SyntaxError("JSON nested too deeply");
    this.#skipBlanks();
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return { value: this.#string() };
      default:
        return this.#literal();
    }
  }

  #object(depth: number): { value: unknown; origin?: Origin | undefined } {
    const value = {};
    const keys = new Set<string>();
    const of = new Map<string, Origin>();
    this.#items("}", () => {
      if (this.#text[this.#at] !== '"') this.#fail();
      const key = this.#string();
      this.#skipBlanks();
      if (this.#text[this.#at++] !== ":") this.#fail();
      const item = this.#value(depth + 1);
      put(value, key, item.value);
      keys.add(key);
      if (item.origin !== undefined) of.set(key, item.origin);
      else of.delete(key);
    });
    const order = [...keys];
    const reordered = Object.keys(value).some((key, index) => key !== order[index]);
    return { value, origin: reordered || of.size > 0 ? { keys: reordered ? order : undefined, of } : undefined };
  }

  #array(depth: number): { value: unknown; origin?: Origin | undefined } {
    const value: unknown[] = [];
    const of = new Map<number, Origin>();
    this.#items("]", () => {
      const item = this.#value(depth + 1);
      if (item.origin !== undefined) of.set(value.length, item.origin);
      value.push(item.value);
    });
    return { value, origin: of.size > 0 ? { keys: undefined, of } : undefined };
  }

  /** What stands between brackets, separated by commas. */
  #items(close: string, read: () => void): void {
    this.#at++;
    this.#skipBlanks();
    if (this.#text[this.#at] === close) {
      this.#at++;
      return;
    }
    for (;;) {
      this.#skipBlanks();
      read();
      this.#skipBlanks();
      const next = this.#text[this.#at++];
      if (next === close) return;
      if (next !== ",") this.#fail();
    }
  }

  #string(): string {
    for (let end = this.#at; ; ) {
      end = this.#text.indexOf('"', end + 1);
      if (end === -1) this.#fail();
      let escapes = 0;
      while (this.#text[end - 1 - escapes] === "\\") escapes++;
      if (escapes % 2 === 1) continue;
      const literal = this.#text.slice(this.#at, end + 1);
      this.#at = end + 1;
      return JSON.parse(literal);
    }
  }

  #literal(): { value: unknown; origin?: Origin | undefined } {
    const word = /(?:true|false|null|NaN|-?Infinity|(-?(?:0|[1-9]\d*))(\.\d+)?([eE][+-]?\d+)?)/y;
    word.lastIndex = this.#at;
    const match = word.exec(this.#text);
    if (!match) this.#fail();
    const [literal, integer, fraction, exponent] = match;
    this.#at += literal.length;
    if (literal === "true") return { value: true };
    if (literal === "false") return { value: false };
    if (literal === "null") return { value: null };
    const value = Number(literal);
    const isInteger = integer !== undefined && fraction === undefined && exponent === undefined;
    if (isInteger && !Number.isSafeInteger(value)) {
      if (literal.length > MAX_INT_DIGITS) this.#fail();
      return { value: BigInt(literal) };
    }
    return literal === formatNumber(value) ? { value } : { value, origin: literal };
  }

  #skipBlanks(): void {
    while (" \t\n\r".includes(this.#text[this.#at] ?? "x")) this.#at++;
  }

  #fail(): never {
    throw new SyntaxError("Malformed JSON");
  }
}

/**
 * Writes `json.dumps(value, separators=(",", ":"))`, which is all ASCII. Numbers are written as Python would: integers
 * up to 2^53 as int, other numbers as float, BigInt as int.
 *
 * Throws `ERR_SESSION_VALUE`, naming the path, for what JSON cannot carry.
 *
 * @param origin what `parse` gave for the value this one came from: untouched parts are written as they were read
 * @param path how the value is named in errors
 */
export function stringify(value: unknown, origin?: unknown, path = ""): string {
  return write(value, origin as Origin | undefined, path, 0);
}

function write(value: unknown, origin: Origin | undefined, path: string, depth: number): string {
  switch (typeof value) {
    case "string":
      return quote(value);
    case "number":
      return typeof origin === "string" && Object.is(Number(origin), value) ? origin : formatNumber(value);
    case "bigint":
      return formatInteger(value, path);
    case "boolean":
      return value ? "true" : "false";
    case "object": {
      if (value === null) return "null";
      if (depth > MAX_DEPTH) throw tooDeep(name(path));
      const container = typeof origin === "object" ? origin : undefined;
      if (Array.isArray(value)) return writeArray(value, container, path, depth);
      if (isPlainObject(value)) return writeObject(value, container, path, depth);
    }
  }
  throw new SessionError(
    "ERR_SESSION_VALUE",
    `${name(path)} is ${describe(value)}, which JSON cannot carry. Store a string, number, boolean, null, BigInt, array or plain object instead.`,
  );
}

function writeArray(
  value: unknown[],
  origin: Exclude<Origin, string> | undefined,
  path: string,
  depth: number,
): string {
  let text = "[";
  for (let index = 0; index < value.length; index++) {
    if (index > 0) text += ",";
    text += write(value[index], origin?.of.get(index), `${path}[${index}]`, depth + 1);
  }
  return `${text}]`;
}

function writeObject(
  value: Record<string, unknown>,
  origin: Exclude<Origin, string> | undefined,
  path: string,
  depth: number,
): string {
  let text = "{";
  for (const key of orderedKeys(value, origin?.keys)) {
    if (text.length > 1) text += ",";
    const inner = path === "" ? key : `${path}.${key}`;
    text += `${quote(key)}:${write(value[key], origin?.of.get(key), inner, depth + 1)}`;
  }
  return `${text}}`;
}

export function orderedKeys(value: object, order: readonly string[] | undefined): Iterable<string> {
  const keys = Object.keys(value);
  if (!order) return keys;
  return new Set([...order.filter((key) => Object.hasOwn(value, key)), ...keys]);
}

function quote(text: string): string {
  const quoted = JSON.stringify(text);
  return /[\x7f-\uffff]/.test(quoted) ? quoted.replace(/[\x7f-\uffff]/g, unicodeEscape) : quoted;
}

function unicodeEscape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Python's repr: of an int where the number is a safe integer, of a float otherwise. */
function formatNumber(value: number): string {
  if (Number.isSafeInteger(value)) return Object.is(value, -0) ? "-0.0" : String(value);
  if (!Number.isFinite(value)) return String(value);
  const [digits, exponent] = value.toExponential().split("e") as [string, string];
  const power = Number(exponent);
  if (power >= -4 && power < 16) return Number.isInteger(value) ? `${value}.0` : String(value);
  return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

function formatInteger(value: bigint, path: string): string {
  const text = value.toString();
  if (text.length > MAX_INT_DIGITS) {
    throw new SessionError(
      "ERR_SESSION_VALUE",
      `${name(path)} has more than ${MAX_INT_DIGITS} digits, which Python refuses.`,
    );
  }
  return text;
}

function name(path: string): string {
  return path === "" ? "The session's data" : path;
}

export function describe(value: unknown): string {
  if (typeof value !== "object" || value === null) return value === undefined ? "undefined" : `a ${typeof value}`;
  return `an instance of ${value.constructor?.name ?? "an unknown class"}`;
}
