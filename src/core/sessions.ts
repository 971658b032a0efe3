import type { DeleteExpiredOptions, SessionEngine } from "./contracts.ts";
import { SessionError } from "./errors.ts";
import { loadSession } from "./load-session.ts";
import { RequestSession } from "./request-session.ts";
import type { Session } from "./session.ts";
import { resolveSettings, type SessionSettings } from "./settings.ts";

export interface GetOptions {
  /**
   * `"anonymous"`: while the store cannot be asked, the route gets an empty session whose `unavailable` is true. It can
   * be read, not changed, and the browser keeps its cookie. Default `"error"`: `ERR_SESSION_UNAVAILABLE`, a 503.
   */
  readonly onUnavailable?: "error" | "anonymous" | undefined;
}

/** The sessions of an application. Made by `createSessions`. */
export interface Sessions<Data extends object> {
  /**
   * The session of a request: takes what the framework hands its handler, a Node request, a fetch `Request`, or a
   * context that holds one. Loads once, and only if a session cookie came.
   *
   * Throws `ERR_SESSION_UNAVAILABLE` if the store cannot answer, and `ERR_CONFIG` if no adapter has seen the request.
   *
   * @param options for routes that are worth showing without their session
   * @example const session = await sessions.get(req);
   */
  get(request: object, options?: GetOptions): Promise<Session<Data>>;
  /**
   * Runs `body` on the newest data, again if someone else was faster, until the result is stored: counters and other
   * read-modify-write are exact. `body` must do nothing else, for it may run several times.
   *
   * Throws `ERR_SESSION_INTERRUPTED` if the session is gone; what `body` throws leaves the session as it was. Throws
   * `ERR_CONFIG` for a key where sessions are kept in cookies.
   *
   * @param target a request, or a session key
   * @example await sessions.transact(req, (session) => session.set("n", session.get("n", 0) + 1));
   */
  transact<T>(target: object | string, body: (session: Session<Data>) => T | Promise<T>): Promise<T>;
  /** Whether a live session has this key. */
  exists(key: string): Promise<boolean>;
  /** Ends the session with this key, if there is one. Throws `ERR_CONFIG` where sessions are kept in cookies. */
  delete(key: string): Promise<void>;
  /** Deletes expired sessions in batches; returns how many. Run it daily: `sojourn clearsessions`. */
  clearExpired(options?: DeleteExpiredOptions): Promise<number>;
  /**
   * For adapters: begins a request. No I/O.
   *
   * @param cookieHeader the request's `Cookie` header
   * @param request the object under which `get` will find this request's session
   */
  open(cookieHeader: string | null | undefined, request?: object): RequestSession<Data>;
}

/** The life of sessions over a given engine, for any framework. */
export function createSessions<Data extends object = Record<string, unknown>>(
  engine: SessionEngine,
  options: Partial<SessionSettings> = {},
): Sessions<Data> {
  const settings = resolveSettings(options);
  /** A property of the request rather than an entry of a WeakMap, which costs ten times as much per request. */
  const slot = Symbol("sojourn");

  function find(request: object): RequestSession<Data> {
    const found = carriers(request).find((carrier) => Object.hasOwn(carrier, slot)) as
      | { [slot]: RequestSession<Data> }
      | undefined;
    if (found) return found[slot];
    throw new SessionError(
      "ERR_CONFIG",
      "This request has no session: the adapter has not seen it. Install it before the handler, for example app.use(expressSessions(sessions)).",
    );
  }

  function open(cookieHeader: string | null | undefined, request?: object): RequestSession<Data> {
    const requestSession = new RequestSession<Data>(engine, settings, cookieHeader);
    if (request) (request as { [slot]?: RequestSession<Data> })[slot] = requestSession;
    return requestSession;
  }

  return {
    open,
    async get(request, { onUnavailable = "error" } = {}) {
      if (onUnavailable === "error") return find(request).session();
      if (onUnavailable === "anonymous") return find(request).sessionOrAnonymous();
      throw new SessionError("ERR_CONFIG", 'onUnavailable must be "error" or "anonymous".');
    },
    async transact(target, body) {
      if (typeof target !== "string") return (await find(target).session()).transact(body);
      assertKept(engine);
      const session = await new RequestSession<Data>(engine, settings, [target]).session();
      if (session.key === null) throw new SessionError("ERR_SESSION_INTERRUPTED", "There is no such session.");
      return session.transact(body);
    },
    exists: async (key) => engine.isToken(key) && typeof (await loadSession(engine, settings, key)) === "object",
    async delete(key) {
      assertKept(engine);
      if (engine.isToken(key)) await engine.delete(key);
    },
    clearExpired: (options) => engine.deleteExpired(options),
  };
}

/** Throws `ERR_CONFIG` where sessions are with the browser alone: what is done to one without a response has no effect. */
function assertKept(engine: SessionEngine): void {
  if (engine.maxCookies === undefined) return;
  throw new SessionError(
    "ERR_CONFIG",
    "Sessions in cookies can be changed and ended only with a response: give the request instead of the key, or keep sessions in a store.",
  );
}

/** The request itself, and where frameworks keep the one that the adapter saw (Koa, Fastify, Hono). */
function carriers(request: object): object[] {
  const { req, raw, request: inner } = request as { req?: { raw?: object }; raw?: object; request?: object };
  return [request, req, raw, inner, req?.raw].filter((carrier) => typeof carrier === "object" && carrier !== null);
}
