import { isNode, type PickleNode, type PickleObject } from "./node.ts";

/**
 * What a pickle may name, and what "calling" it makes: a record of the arguments, nothing else. All other names are
 * refused when they are read, before they can be used. `undefined` where the arguments are not what Python writes.
 */
export const GLOBALS: Readonly<Record<string, (args: readonly PickleNode[]) => PickleNode | undefined>> = {
  // How protocols below 3 write bytes, sets and instances.
  "_codecs encode": ([text, encoding]) =>
    typeof text === "string" && encoding === "latin1" && /^[\0-\xff]*$/.test(text)
      ? { type: "bytes", bytes: Buffer.from(text, "latin1") }
      : undefined,
  "builtins bytes": (args) => (args.length === 0 ? { type: "bytes", bytes: Buffer.alloc(0) } : undefined),
  "builtins bytearray": ([bytes]) => {
    if (bytes === undefined) return { type: "bytearray", bytes: Buffer.alloc(0) };
    return isNode(bytes, "bytes") ? { type: "bytearray", bytes: bytes.bytes } : undefined;
  },
  "builtins set": ([list]) => (isNode(list, "list") ? { type: "set", items: list.items } : undefined),
  "builtins frozenset": ([list]) => (isNode(list, "list") ? { type: "frozenset", items: list.items } : undefined),
  "builtins object": () => undefined,
  "copyreg _reconstructor": ([type]) =>
    isNode(type, "global") && type.name === "uuid UUID" ? instance("uuid UUID")([]) : undefined,
  // How Python names a method; this one method only.
  "builtins getattr": ([owner, name]) =>
    isNode(owner, "global") && owner.name === "zoneinfo ZoneInfo" && name === "_unpickle"
      ? { type: "global", name: "zoneinfo ZoneInfo._unpickle" }
      : undefined,
  "zoneinfo ZoneInfo": () => undefined,
  "collections OrderedDict": (args) => (args.length === 0 ? { type: "OrderedDict", items: [] } : undefined),
  ...Object.fromEntries(
    [
      "builtins complex",
      "datetime date",
      "datetime datetime",
      "datetime time",
      "datetime timedelta",
      "datetime timezone",
      "decimal Decimal",
      "pytz _UTC",
      "uuid UUID",
      "zoneinfo ZoneInfo._unpickle",
    ].map((name) => [name, instance(name)]),
  ),
};

export function instance(global: string): (args: readonly PickleNode[]) => PickleObject {
  return (args) => ({ type: "object", global, args });
}

/** `undefined` for a name that is not in the list. */
export function globalNode(module: string, name: string): PickleNode | undefined {
  // Below protocol 3, Python 3 writes Python 2's names.
  const today = module === "__builtin__" ? "builtins" : module === "copy_reg" ? "copyreg" : module;
  const full = `${today} ${name}`;
  return Object.hasOwn(GLOBALS, full) ? { type: "global", name: full } : undefined;
}
