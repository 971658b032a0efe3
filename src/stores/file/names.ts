/* Which files in a directory are the store's, among those of other cookies, of Django and of anyone else. */

/**
 * Keys that may be part of a path. The engine lets fewer through; whatever calls a store, no client's text leads out of
 * the directory.
 */
export function isFileKey(key: string): boolean {
  return /^[\w-]{1,128}$/.test(key);
}

/** A cookie's name (RFC 6265), as a visible file's name may begin, and which leaves room for the key. */
export function isPrefix(text: string): boolean {
  return /^[\w!#$%&'*+^`|~-][\w!#$%&'*+^`|~.-]{0,99}$/.test(text);
}

export interface FileNames {
  record(key: string): string;
  /** Names with a dot at the start are hidden from Django, whose clean-up reads all that begins with the prefix. */
  lock(key: string): string;
  draft(claim: string): string;
  /**
   * Whether it is the name of a record, with a key as Django and we draw them, of 32 characters: a longer name may be of
   * another cookie, whose name begins with the prefix.
   */
  isRecord(name: string): boolean;
  /** Whether a killed process may have left it: our lock or draft, or Django's temporary file. */
  isLeftover(name: string): boolean;
}

export function fileNames(prefix: string): FileNames {
  const escaped = prefix.replace(/[.*+^$|]/g, "\\$&");
  const key = "[a-z0-9]{32}";
  const record = new RegExp(`^${escaped}${key}$`);
  const leftover = new RegExp(
    `^(?:\\.${escaped}\\.[0-9a-f]{24}\\.tmp|\\.${escaped}${key}\\.lock|${escaped}${key}_out_[a-z0-9_]{8})$`,
  );
  return {
    record: (key) => prefix + key,
    lock: (key) => `.${prefix}${key}.lock`,
    draft: (claim) => `.${prefix}.${claim}.tmp`,
    isRecord: (name) => record.test(name),
    isLeftover: (name) => leftover.test(name),
  };
}
