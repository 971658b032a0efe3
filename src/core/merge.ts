import { equal, isPlainObject, put } from "./values.ts";

/** One path that two requests changed differently. */
export interface Conflict {
  /** The keys that lead to it. */
  readonly path: readonly string[];
  /** What both started from; `undefined` where there was nothing. */
  readonly base: unknown;
  /** What this request made of it; `undefined` where it deleted it. */
  readonly mine: unknown;
  /** What is stored now; `undefined` where it was deleted. */
  readonly theirs: unknown;
}

/** Gives the value to keep; `undefined` for none. */
export type Resolve = (conflict: Conflict) => unknown;

/**
 * Three-way merge: brings what others changed since `base` into `mine`, in place.
 *
 * Key by key and into plain objects; arrays and other values are taken whole. Where both sides changed the same path,
 * mine wins, because it is the later one to be acknowledged. Arrays are not merged element by element: connect-redis
 * 6.1 tried and had to be withdrawn for losing data (tj/connect-redis#346).
 *
 * @param base what both started from
 * @param mine our data; changed in place, so that whoever holds a reference sees the merged state
 * @param theirs what is stored now; parts of it are moved into `mine`
 * @param resolve says what to keep of a path that both sides changed differently; `null`: mine
 * @returns the paths (arrays of keys) that both sides changed differently
 */
export function merge(
  base: object,
  mine: object,
  theirs: object,
  resolve: Resolve | null = null,
  path: readonly string[] = [],
): string[][] {
  const conflicts: string[][] = [];
  for (const key of new Set([...Object.keys(mine), ...Object.keys(theirs)])) {
    const [b, m, t] = [own(base, key), own(mine, key), own(theirs, key)];
    if (same(m, t) || same(b, t)) continue;
    if (same(b, m)) {
      if (t) put(mine, key, t.value);
      else remove(mine, key);
    } else if (m && t && isPlainObject(m.value) && isPlainObject(t.value)) {
      const baseObject = b && isPlainObject(b.value) ? b.value : {};
      conflicts.push(...merge(baseObject, m.value, t.value, resolve, [...path, key]));
    } else {
      conflicts.push([...path, key]);
      if (resolve) {
        const value = resolve({ path: [...path, key], base: b?.value, mine: m?.value, theirs: t?.value });
        if (value === undefined) remove(mine, key);
        else put(mine, key, value);
      }
    }
  }
  return conflicts;
}

/**
 * Leaves in `mine` what it did not get from `base`: for a session that was deleted meanwhile, of which nothing may live
 * on but what this request itself brought.
 */
export function keepChanges(base: object, mine: object): void {
  for (const key of Object.keys(mine)) {
    const [b, m] = [own(base, key), own(mine, key)];
    if (same(b, m)) remove(mine, key);
    else if (b && m && isPlainObject(b.value) && isPlainObject(m.value)) keepChanges(b.value, m.value);
  }
}

function remove(target: object, key: string): void {
  delete (target as Record<string, unknown>)[key];
}

/** The own value under `key`, boxed so that absent differs from `undefined`; inherited names never count. */
function own(object: object, key: string): { value: unknown } | undefined {
  return Object.hasOwn(object, key) ? { value: (object as Record<string, unknown>)[key] } : undefined;
}

function same(a: { value: unknown } | undefined, b: { value: unknown } | undefined): boolean {
  return a && b ? equal(a.value, b.value) : a === b;
}
