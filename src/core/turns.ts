/** Acts once all that was asked for under the same name before is done. @param act is told whether it had to wait */
export type InTurn = <T>(name: string, act: (hadToWait: boolean) => Promise<T>) => Promise<T>;

/** One after the other within this process, without asking the disk again and again. */
export function turns(): InTurn {
  const last = new Map<string, Promise<unknown>>();

  return async (name, act) => {
    const before = last.get(name);
    const mine = before === undefined ? act(false) : before.then(() => act(true));
    const end = mine.catch(() => {});
    last.set(name, end);
    try {
      return await mine;
    } finally {
      if (last.get(name) === end) last.delete(name);
    }
  };
}
