import { equal, isPlainObject, put } from "./values.ts";

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
 * @returns the paths (arrays of keys) that both sides changed differently
 */
export function merge(base: object, mine: object, theirs: object, path: readonly string[] = []): string[][] {
  const conflicts: string[][] = [];
  for (const key of new Set([...Object.keys(mine), ...Object.keys(theirs)])) {
    const [b, m, t] = [own(base, key), own(mine, key), own(theirs, key)];
    if (same(m, t) || same(b, t)) continue;
    if (same(b, m)) {
      if (t) put(mine, key, t.value);
      else delete (mine as Record<string, unknown>)[key];
    } else if (m && t && isPlainObject(m.value) && isPlainObject(t.value)) {
      const baseObject = b && isPlainObject(b.value) ? b.value : {};
      conflicts.push(...merge(baseObject, m.value, t.value, [...path, key]));
    } else {
      conflicts.push([...path, key]);
    }
  }
  return conflicts;
}

/** The own value under `key`, boxed so that absent differs from `undefined`; inherited names never count. */
function own(object: object, key: string): { value: unknown } | undefined {
  return Object.hasOwn(object, key) ? { value: (object as Record<string, unknown>)[key] } : undefined;
}

function same(a: { value: unknown } | undefined, b: { value: unknown } | undefined): boolean {
  return a && b ? equal(a.value, b.value) : a === b;
}
