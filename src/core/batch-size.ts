import { SessionError } from "./errors.ts";

/** Throws `ERR_CONFIG` for a `batchSize` that is no positive integer: with some, `deleteExpired` would never end. */
export function assertBatchSize(batchSize: number | undefined): void {
  if (batchSize === undefined || (Number.isSafeInteger(batchSize) && batchSize >= 1)) return;
  throw new SessionError("ERR_CONFIG", "deleteExpired: batchSize must be a positive integer.");
}
