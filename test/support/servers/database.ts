import type { Server } from "./server.ts";

export interface DatabaseServer extends Server {
  readonly port: number;
  /** Of a user with a password, who may do everything. */
  url(database?: string): string;
  /** Executes SQL as the administrator; the rows, one a line. */
  sql(text: string, database?: string): string;
  /** Starts it again where it was after `kill`, with its data. */
  restart(): Promise<DatabaseServer>;
}

/** With all that a URL has to escape. */
export const DATABASE_PASSWORD = "s3cret/pass:word@%";
