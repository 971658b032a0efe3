import { SessionError, type SessionRecord, type SessionStore } from "sojourn";

/** Keeps records in a Map: correct, and unbounded. Text only. */
export function mapStore(now: () => Date = () => new Date()): SessionStore {
  const records = new Map<string, SessionRecord>();

  const live = (key: string) => {
    const record = records.get(key);
    return record && record.expiresAt > now() ? record : undefined;
  };
  const matches = (record: SessionRecord | undefined, expected: unknown) =>
    record !== undefined && (expected === undefined || record.payload === expected);
  const textOnly = (record: SessionRecord) => {
    if (typeof record.payload !== "string") throw new SessionError("ERR_CONFIG", "mapStore keeps text.");
    return { ...record };
  };

  return {
    async load(key) {
      return live(key) ?? null;
    },
    async create(key, record) {
      const added = textOnly(record);
      if (live(key)) return false;
      records.set(key, added);
      return true;
    },
    async update(key, record, expected) {
      const changed = textOnly(record);
      if (!matches(live(key), expected)) return false;
      records.set(key, changed);
      return true;
    },
    async delete(key, expected) {
      return matches(live(key), expected) && records.delete(key);
    },
    async deleteExpired({ batchSize = 1000, onProgress, signal } = {}) {
      if (!(batchSize >= 1)) throw new SessionError("ERR_CONFIG", "batchSize must be a positive integer.");
      const expired = [...records.keys()].filter((key) => !live(key));
      let deleted = 0;
      for (let start = 0; start < expired.length && !signal?.aborted; start += batchSize) {
        for (const key of expired.slice(start, start + batchSize)) {
          // Once more: a session may have been created under the key meanwhile.
          if (!live(key) && records.delete(key)) deleted++;
        }
        onProgress?.({ deleted, total: expired.length });
      }
      return deleted;
    },
  };
}
