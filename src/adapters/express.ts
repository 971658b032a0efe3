import type { SessionLifecycle } from "../core/response-headers.ts";
import { attach, type NodeRequest, type NodeServerResponse } from "./node.ts";

/**
 * Sessions for Express 4 and 5, and whatever else takes `(req, res, next)`. No I/O: a handler that wants its session
 * asks `await sessions.get(req)`. Nothing of the response leaves before the store has acknowledged the save.
 *
 * @example
 * app.use(expressSessions(sessions));
 * app.get("/", async (req, res) => {
 *   const session = await sessions.get(req);
 *   res.json({ uid: session.get("uid") });
 * });
 */
export function expressSessions(
  sessions: SessionLifecycle,
): (request: NodeRequest, response: NodeServerResponse, next: (error?: unknown) => void) => void {
  return (request, response, next) => {
    attach(sessions, request, response);
    next();
  };
}
