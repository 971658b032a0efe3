import { deadline } from "../../core/deadline.ts";

/** A driver's pool. Drivers' time-outs end the waiting for a statement, but leave its connection in use. */
export interface Pool<Connection> {
  /** In bounded time. */
  acquire(): Promise<Connection>;
  release(connection: Connection): void;
  /** For one that may still be in the middle of something: its next answer would be to an old question. */
  destroy(connection: Connection): void;
  /** Whether an error is the server's answer, so that the connection is as good as before. */
  isAnswer(error: unknown): boolean;
}

/** Lends a pool's connections for one statement each. Whatever happens, that ends in time, and the connection is free or gone. */
export function lending<Connection>(
  { acquire, release, destroy, isAnswer }: Pool<Connection>,
  timeoutMs: number,
): <T>(use: (connection: Connection) => Promise<T>) => Promise<T> {
  const within = deadline(timeoutMs, "answer");
  return async (use) => {
    const connection = await acquire();
    try {
      const result = await within(use(connection));
      release(connection);
      return result;
    } catch (error) {
      if (isAnswer(error)) release(connection);
      else destroy(connection);
      throw error;
    }
  };
}
