/**
 * For `connectDjango`: a machine that is busy with many servers makes nobody give up `cached_db`'s cache, which leaves the
 * other side with an old entry for a second.
 */
export const PATIENT = { cacheTimeoutMs: 10_000 };
