import fc from "fast-check";
import {
  type Entry,
  type Extent,
  entry,
  type Format,
  literal,
  otherEntry,
  pythonValue,
  type Size,
} from "./python-values.ts";

/** What `set_expiry` gets: nothing, None, 0, seconds, or an instant in ISO 8601. */
export type Expiry = "unset" | "policy" | "browser" | number | string;

/** A session that one side makes, and what the other does to it. */
export interface SessionCase {
  /** Those whose keys are no texts come last. */
  readonly data: readonly Entry[];
  /** A dict that is changed in place, or not there. */
  readonly nest: {
    readonly items: readonly string[];
    readonly kind: "list" | "tuple";
    readonly addition: string;
  } | null;
  readonly expiry: Expiry;
  /** Under new keys. */
  readonly additions: readonly Entry[];
  /** Whether the first entry is removed. */
  readonly removes: boolean;
  /** Whether the last entry becomes another text. */
  readonly replaces: boolean;
  readonly newExpiry: Expiry;
  readonly end: "save" | "cycle" | "flush" | "expire";
}

export interface CaseOptions {
  readonly format: Format;
  readonly size: Size;
  /** "all": instants, too. */
  readonly expiries: "all" | "seconds" | "whole seconds";
  readonly ends: readonly SessionCase["end"][];
  /** What it is made of. */
  readonly made: Extent;
  /** What is added to it. */
  readonly added: Extent;
}

/** What both sides call these. */
export const NEST = "a nest";
export const REPLACED = "réplaced";

/** Not after 2038-01-19: to memcached Django sends what no longer fits its 32 bits, and the session is gone at once. */
const instant = fc
  .tuple(fc.date({ min: new Date("2030-01-01"), max: new Date("2038-01-19"), noInvalidDate: true }), fc.nat(999))
  .map(([date, part]) => `${date.toISOString().slice(0, -1)}${String(part).padStart(3, "0")}+00:00`);

export function sessionCase({ format, size, expiries, ends, made, added }: CaseOptions): fc.Arbitrary<SessionCase> {
  const isSmall = size === "small";
  const expiry = fc.oneof(
    fc.constantFrom<Expiry>("unset", "policy", "browser", 31 * 86_400),
    fc.integer({ min: 100, max: 10 ** 8 }),
    ...(expiries === "whole seconds" ? [] : [fc.constant<Expiry>(3600.5)]),
    ...(expiries === "all" ? [instant] : []),
  );
  const entries = (extent: Extent, most: number) =>
    fc.uniqueArray(entry(format, extent, size), { maxLength: most, selector: ({ name }) => name });
  const others = (extent: Extent) =>
    format === "json" ? fc.constant([]) : fc.array(otherEntry(extent, size), { maxLength: 2 });
  return fc
    .record({
      texts: entries(made, isSmall ? 4 : 8),
      others: others(made),
      nest: fc.option(
        fc.record({
          items: fc.array(pythonValue(format, made, size), { maxLength: 3 }),
          kind: format === "json" ? fc.constant("list" as const) : fc.constantFrom("list" as const, "tuple" as const),
          addition: pythonValue(format, added, size),
        }),
      ),
      expiry,
      additions: entries(added, 2),
      removes: fc.boolean(),
      replaces: fc.boolean(),
      newExpiry: fc.oneof(fc.constant<Expiry>("unset"), expiry),
      end: fc.oneof({ weight: 3, arbitrary: fc.constant("save" as const) }, fc.constantFrom(...ends)),
    })
    .map(({ texts, others, ...one }) => ({
      ...one,
      data: [...texts, ...others],
      additions: one.additions.filter(({ name }) => !texts.some((text) => text.name === name)),
    }))
    .filter((one) => !isSmall || JSON.stringify(one).length < 1500);
}

/** The session as it is made. @returns also the nest, as a last entry */
export function original({ data, nest }: SessionCase): Entry[] {
  return nest ? [...data, nestOf(sequence(nest.kind, nest.items), "")] : [...data];
}

/** What is set, in Python. */
export function changes(one: SessionCase): Entry[] {
  const { nest, additions } = one;
  const { replaced } = targets(one);
  const set = replaced === undefined ? [] : [textEntry(replaced, literal(REPLACED))];
  if (!nest) return [...set, ...additions];
  const { kind, items, addition } = nest;
  return [...set, nestOf(sequence(kind, [...items, addition]), `, 'added': ${addition}`), ...additions];
}

/** The session as it is in the end. */
export function changed(one: SessionCase): Entry[] {
  const { removed } = targets(one);
  const entries = new Map(original(one).map((each) => [each.key, each]));
  if (removed !== undefined) entries.delete(literal(removed));
  for (const each of changes(one)) entries.set(each.key, each);
  return [...entries.values()];
}

/** Which keys are removed and replaced. */
export function targets({ data, removes, replaces }: SessionCase): { removed?: string; replaced?: string } {
  const names = data.flatMap(({ name }) => (name === null ? [] : [name]));
  const [first, last] = [names[0], names.at(-1)];
  return {
    ...(removes && first !== undefined && { removed: first }),
    ...(replaces && last !== undefined && names.length > 1 && { replaced: last }),
  };
}

export function textEntry(name: string, value: string): Entry {
  return { name, key: literal(name), value };
}

function nestOf(items: string, rest: string): Entry {
  return textEntry(NEST, `{'items': ${items}${rest}}`);
}

function sequence(kind: "list" | "tuple", items: readonly string[]): string {
  return kind === "list" ? `[${items}]` : `tuple([${items}])`;
}
