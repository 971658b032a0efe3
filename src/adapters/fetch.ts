import { SessionError } from "../core/errors.ts";
import { type SessionLifecycle, writeResponseHeaders } from "../core/response-headers.ts";
import { errorAnswer } from "./error-answer.ts";

/**
 * Sessions for any server that speaks fetch: wraps a handler from `Request` to `Response`. The handler finds its
 * session with `sessions.get(request)`; what it changed is saved before the response is returned, and a body that
 * streams starts after that.
 *
 * @example
 * export default { fetch: fetchSessions(sessions, async (request) => {
 *   const session = await sessions.get(request);
 *   session.set("seen", Date.now());
 *   return Response.json({ seen: session.get("seen") });
 * }) };
 */
export function fetchSessions<Rest extends unknown[]>(
  sessions: SessionLifecycle,
  handler: (request: Request, ...rest: Rest) => Response | Promise<Response>,
): (request: Request, ...rest: Rest) => Promise<Response> {
  return async (request, ...rest) => {
    const requestSession = sessions.open(request.headers.get("Cookie"), request);
    let response: Response;
    try {
      response = await handler(request, ...rest);
    } catch (error) {
      response = errorResponse(error);
    }
    try {
      const committed = await requestSession.commit(response.status);
      // 101 switches protocols, and cannot be copied.
      if (!committed.varyByCookie || response.status < 200) return response;
      // A copy: the headers of a redirect cannot be changed, and the handler may answer others with the same object.
      const changed = new Response(response.body, response);
      writeResponseHeaders(committed, changed.headers);
      return changed;
    } catch (error) {
      // Whatever feeds the body must hear that nobody will read it.
      response.body?.cancel(error).catch(() => {});
      return errorResponse(error);
    }
  };
}

function errorResponse(error: unknown): Response {
  if (!(error instanceof SessionError)) throw error;
  const { status, headers, body } = errorAnswer(error);
  return new Response(body, { status, headers });
}
