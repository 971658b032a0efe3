import type { OutgoingHttpHeaders } from "node:http";
import { SessionError } from "../core/errors.ts";
import { type HeaderMap, type ResponseHeaders, writeResponseHeaders } from "../core/response-headers.ts";
import { errorAnswer } from "./error-answer.ts";

/*
 * The one place that wraps a Node response. Node offers no hook to wait before the head is sent, so the methods that
 * begin a response are held back until the session is saved; what is ugly about that stays in this file.
 */

/** What `node:http`, `node:http2` (compatibility) and the frameworks on top of them share. */
export interface NodeResponse {
  statusCode: number;
  statusMessage: string;
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
  readonly destroyed: boolean;
  getHeader(name: string): unknown;
  getHeaderNames(): string[];
  setHeader(name: string, value: never): unknown;
  removeHeader(name: string): void;
  emit(event: string): boolean;
  destroy(error?: Error): unknown;
}

// biome-ignore lint/suspicious/noExplicitAny: Node's methods have many overloads; they are passed through as they came
type Method = (...args: any[]) => any;
type Begin = "writeHead" | "write" | "end" | "flushHeaders";

/**
 * Calls `commit` when the response is about to begin, and lets nothing out before it has answered: no status, no header,
 * no byte. Is the answer at hand at once, nothing is held back. If it fails, the response becomes that error.
 *
 * @param response a response on which nothing was sent yet
 * @param commit given the status, saves the session and says which headers it needs
 */
export function gateResponse(
  response: NodeResponse,
  commit: (status: number) => ResponseHeaders | Promise<ResponseHeaders>,
): void {
  const methods = response as unknown as Record<Begin, Method>;
  const original: Record<Begin, Method> = {
    writeHead: methods.writeHead,
    write: methods.write,
    end: methods.end,
    flushHeaders: methods.flushHeaders,
  };
  /** Calls that wait for the commit, in order. */
  const held: [Begin, unknown[]][] = [];
  let state: "idle" | "waiting" | "open" | "failed" = "idle";

  function call(method: Begin, args: unknown[]): unknown {
    switch (state) {
      case "idle":
        return begin(method, args);
      case "waiting":
        return hold(method, args);
      case "open":
        return original[method].apply(response, args);
      case "failed":
        return discard(method, args);
    }
  }

  function begin(method: Begin, args: unknown[]): unknown {
    let committed: ResponseHeaders | Promise<ResponseHeaders>;
    try {
      committed = commit(method === "writeHead" ? Number(args[0]) : response.statusCode);
    } catch (error) {
      fail(error);
      return discard(method, args);
    }
    if (!(committed instanceof Promise)) {
      state = "open";
      return original[method].apply(response, withHeaders(method, args, committed));
    }
    state = "waiting";
    pretendSent(response, () => held.some(([heldMethod]) => heldMethod === "end"));
    committed.then((headers) => release(headers), fail);
    return hold(method, args);
  }

  /** Adds the session's headers to those that were set, or that `writeHead` brings. */
  function withHeaders(method: Begin, args: unknown[], committed: ResponseHeaders): unknown[] {
    if (!committed.varyByCookie) return args;
    const rest = method === "writeHead" ? moveHeaders(response, args) : args;
    writeResponseHeaders(committed, headerMap(response));
    return rest;
  }

  function hold(method: Begin, args: unknown[]): unknown {
    if (method === "writeHead" && held.length > 0) {
      // `compression` asks for the implicit head again and again until it sees one; anything else is a mistake.
      if (args.length === 1 && args[0] === response.statusCode) return response;
      throw headersSent("write");
    }
    held.push([method, args]);
    // `false` makes pipes wait for "drain".
    return method === "write" ? false : response;
  }

  function release(committed: ResponseHeaders): void {
    state = "open";
    stopPretending(response);
    let flowing = true;
    try {
      for (const [index, [method, args]] of held.entries()) {
        const result = original[method].apply(response, index === 0 ? withHeaders(method, args, committed) : args);
        if (method === "write") flowing = result !== false;
      }
    } catch (error) {
      // What the handler would have been thrown, had it not been held back.
      response.destroy(error as Error);
    }
    const written = held.some(([method]) => method === "write");
    if (written && flowing && !response.writableEnded) response.emit("drain");
  }

  function fail(error: unknown): void {
    stopPretending(response);
    state = "open";
    const answer = errorAnswer(
      error instanceof SessionError
        ? error
        : new SessionError("ERR_SESSION_UNAVAILABLE", "The commit failed.", { cause: error }),
    );
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    response.statusCode = answer.status;
    response.statusMessage = "";
    for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value as never);
    original.end.call(response, answer.body);
    state = "failed";
    for (const [method, args] of held) discard(method, args);
  }

  /** The handler may go on writing its response; its callbacks must not wait forever. */
  function discard(method: Begin, args: unknown[]): unknown {
    const callback = args.at(-1);
    if (typeof callback === "function") process.nextTick(callback as () => void);
    return method === "write" ? true : response;
  }

  for (const method of Object.keys(original) as Begin[]) {
    methods[method] = (...args: unknown[]) => call(method, args);
  }
}

/** Properties that make the response look begun, as it would without the gate, so that nobody answers twice. */
function pretendSent(response: NodeResponse, ended: () => boolean): void {
  const refuse = (verb: string) => () => {
    throw headersSent(verb);
  };
  Object.defineProperties(response, {
    headersSent: { get: () => true, configurable: true },
    writableEnded: { get: ended, configurable: true },
    setHeader: { value: refuse("set"), configurable: true },
    appendHeader: { value: refuse("append"), configurable: true },
    removeHeader: { value: refuse("remove"), configurable: true },
  });
}

function stopPretending(response: NodeResponse): void {
  const properties = response as unknown as Record<string, unknown>;
  for (const name of ["headersSent", "writableEnded", "setHeader", "appendHeader", "removeHeader"]) {
    delete properties[name];
  }
}

function headersSent(verb: string): Error {
  const error = new Error(`Cannot ${verb} headers after they are sent to the client`);
  return Object.assign(error, { code: "ERR_HTTP_HEADERS_SENT" });
}

/** Sets the headers that `writeHead` was given, so that ours can be merged with them. Returns what is left of `args`. */
function moveHeaders(response: NodeResponse, args: unknown[]): unknown[] {
  const headers = args.find((arg) => typeof arg === "object" && arg !== null);
  if (!headers) return args;
  const setHeader = (name: string, value: unknown) => response.setHeader(name, value as never);
  if (Array.isArray(headers)) {
    const pairs: [string, unknown][] = Array.isArray(headers[0])
      ? headers
      : headers.flatMap((name, index) => (index % 2 === 0 ? [[name, headers[index + 1]]] : []));
    const names = new Set(pairs.map(([name]) => String(name).toLowerCase()));
    for (const name of names) {
      const values = pairs.filter((pair) => String(pair[0]).toLowerCase() === name).map((pair) => pair[1]);
      setHeader(name, values.length === 1 ? values[0] : values.map(String));
    }
  } else {
    for (const [name, value] of Object.entries(headers as OutgoingHttpHeaders)) {
      if (value !== undefined) setHeader(name, value);
    }
  }
  return args.filter((arg) => arg !== headers);
}

function headerMap(response: NodeResponse): HeaderMap {
  const get = (name: string) => {
    const value = response.getHeader(name);
    return value === undefined ? null : Array.isArray(value) ? value.join(", ") : String(value);
  };
  return {
    get,
    set: (name, value) => response.setHeader(name, value as never),
    append(name, value) {
      const before = response.getHeader(name);
      const values = before === undefined ? [] : Array.isArray(before) ? before : [String(before)];
      response.setHeader(name, [...values, value] as never);
    },
  };
}
