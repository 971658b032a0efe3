/*
 * Why a pickle is refused: each completes "The pickle …". It is hostile: of what it holds only names are said, in printable
 * ASCII and cut short.
 */

export const CUT_OFF = "is cut off";
export const TOO_DEEP = "is circular, or nested too deep";
export const TOO_MUCH = "holds too much";
export const UNHASHABLE = "has a key, or an element of a set, that Python does not take as one";

const MAX_NAME = 100;

export function fail(reason = "is damaged, or not one of plain data"): never {
  throw new SyntaxError(reason);
}

/** A class or function that is not in the list of what may be named. */
export function foreign(module: string, name: string): string {
  return `names ${printed(`${module} ${name}`)}, which is not plain data`;
}

/** An instance that Python would not write, of a class that may be named. */
export function strange(global: string): string {
  return `holds a ${printed(global)} that Python does not write`;
}

/** @param global module and name, separated by a blank */
export function printed(global: string): string {
  const name = global
    .slice(0, MAX_NAME + 1)
    .replace(" ", ".")
    .replace(/[^!-~]/g, "?");
  return name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}...` : name;
}
