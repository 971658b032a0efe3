import { SessionError } from "../core/errors.ts";

export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The response that stands for a failed session: what happened, without details, and never from a cache. */
export function errorAnswer(error: unknown): ErrorAnswer {
  const { status, headers, expose, message } =
    error instanceof SessionError ? error : { status: 500, headers: {}, expose: false, message: "" };
  if (status >= 500) logOnce(error);
  return {
    status,
    headers: { ...headers, "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" },
    body: `${expose ? message : PHRASES[status]}\n`,
  };
}

const PHRASES: Record<number, string> = {
  500: "The session could not be saved.",
  503: "Sessions are not available at the moment. Please try again.",
};

/** An error that was answered may come back through the handler, which waited for the response. */
const logged = new WeakSet<object>();

export function logOnce(error: unknown): void {
  if (typeof error === "object" && error !== null) {
    if (logged.has(error)) return;
    logged.add(error);
  }
  console.error(error);
}
