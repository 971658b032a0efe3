import type { Diagnosing } from "./fault.ts";

/**
 * What the databases do differently. One object a database; the store never asks which one it has.
 *
 * Values stand in statements by their names: `:key`, `:data`, `:expiresAt`, `:now`, `:expected`.
 */
export interface SqlDialect extends Diagnosing {
  /** Each statement of Django's migration `sessions.0001_initial`, to the letter but for `IF NOT EXISTS`. */
  readonly schema: readonly string[];
  /** The placeholder of the n-th parameter, from 1. */
  readonly placeholder: (n: number) => string;
  /** An instant as `expire_date` keeps it, comparable by the database. */
  readonly instant: (date: Date) => unknown;
  /** `expire_date` in a list of columns, in a form that no driver and no time zone has a say in. */
  readonly expireDate: string;
  /** What the driver gives for that; `undefined` if it is no instant. */
  readonly readInstant: (value: unknown) => Date | undefined;
  /** The condition that a row is `:key`'s: byte for byte, and by the index of the primary key. */
  readonly isKey: string;
  /** The condition that a row's payload is `:expected`, byte for byte. */
  readonly isExpected: string;
  /**
   * Tried in order until one has written the row. An expired row does not exist for a reader, so it must not keep its
   * key taken.
   */
  readonly create: readonly string[];
  /** Deletes as many rows that have expired by `:now`, and skips or awaits those that others are at. */
  readonly deleteExpired: (batchSize: number) => string;
  /** The part of the time that a clean-up may take; in the rest live traffic has the database to itself. */
  readonly cleanUpShare: number;
}

/** The part of a database driver that the store needs. Parameters by position. */
export interface SqlClient {
  /** The rows of a query, each an array of its columns' values. */
  rows(sql: string, parameters: readonly unknown[]): Promise<readonly (readonly unknown[])[]>;
  /**
   * How many rows a statement inserted, found and set, or deleted: a row that had the values already counts. 0 for an
   * insert under a key that is taken.
   */
  run(sql: string, parameters: readonly unknown[]): Promise<number>;
  /** The database's address, for messages. */
  readonly address?: string | undefined;
}
