import type { SessionError } from "../core/errors.ts";

/** The response that stands for a failed session: what happened, without details, and never from a cache. */
export function errorAnswer(error: SessionError): { status: number; headers: Record<string, string>; body: string } {
  if (error.status >= 500) console.error(error);
  return {
    status: error.status,
    headers: { ...error.headers, "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" },
    body: `${error.expose ? error.message : PHRASES[error.status]}\n`,
  };
}

const PHRASES: Record<number, string> = {
  500: "The session could not be saved.",
  503: "Sessions are not available at the moment. Please try again.",
};
