import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { SessionError } from "../core/errors.ts";
import type { SessionLifecycle } from "../core/response-headers.ts";
import { logOnce } from "./error-answer.ts";
import { gateResponse, type NodeResponse, sendError } from "./node-response.ts";

export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeServerResponse = ServerResponse | Http2ServerResponse;

/**
 * Sessions for `node:http` and `node:http2` without a framework. The handler finds its session with
 * `sessions.get(request)`; nothing of the response leaves before the store has acknowledged the save.
 *
 * A `SessionError` that the handler lets through is answered with its status.
 *
 * @example
 * createServer(nodeSessions(sessions, async (request, response) => {
 *   const session = await sessions.get(request);
 *   session.set("n", session.get("n", 0) + 1);
 *   response.end(String(session.get("n")));
 * })).listen(8000);
 */
export function nodeSessions<Req extends NodeRequest, Res extends NodeServerResponse>(
  sessions: SessionLifecycle,
  handler: (request: Req, response: Res) => unknown,
): (request: Req, response: Res) => Promise<void> {
  return async (request, response) => {
    attach(sessions, request, response);
    try {
      await handler(request, response);
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      if (!response.headersSent) return sendError(response as NodeResponse, response as ServerResponse, error);
      // Too late for an answer. Thrown, it would end the process because of one request.
      logOnce(error);
      if (!response.writableEnded) response.destroy();
    }
  };
}

/** Joins a request's session to its response. */
export function attach(sessions: SessionLifecycle, request: NodeRequest, response: NodeServerResponse): void {
  const requestSession = sessions.open(request.headers.cookie, request);
  gateResponse(response as NodeResponse, (status) => requestSession.commit(status));
}
