/** What the databases do differently. One object a database; the store never asks which one it has. */
export interface SqlDialect {
  /** Each statement of Django's migration `sessions.0001_initial`, to the letter but for `IF NOT EXISTS`. */
  readonly schema: readonly string[];
  /** The placeholder of the n-th parameter, from 1. */
  readonly placeholder: (n: number) => string;
  /** An instant as `expire_date` keeps it, comparable by the database. */
  readonly instant: (date: Date) => unknown;
  /** What the driver gives for such an instant; `undefined` if it is none. */
  readonly readInstant: (value: unknown) => Date | undefined;
  /** Whether the driver's error says that there is no table `django_session`. */
  readonly isMissingTable: (error: unknown) => boolean;
}

/** The part of a database driver that the store needs. Parameters by position. */
export interface SqlClient {
  /** The rows of a query. */
  all(sql: string, parameters: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
  /** How many rows a statement inserted, changed or deleted. */
  run(sql: string, parameters: readonly unknown[]): Promise<number>;
}
