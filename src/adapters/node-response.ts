import { isUint8Array } from "node:util/types";
import { type HeaderMap, type ResponseHeaders, writeResponseHeaders } from "../core/response-headers.ts";
import { errorAnswer, logOnce } from "./error-answer.ts";

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
  readonly writableHighWaterMark: number;
  destroyed: boolean;
  getHeader(name: string): unknown;
  getHeaderNames(): string[];
  setHeader(name: string, value: never): unknown;
  removeHeader(name: string): void;
  on(event: string, listener: () => void): unknown;
  prependOnceListener(event: string, listener: () => void): unknown;
  emit(event: string, error?: unknown): boolean;
  destroy(error?: Error): unknown;
}

// biome-ignore lint/suspicious/noExplicitAny: Node's methods have many overloads; they are passed through as they came
type Method = (...args: any[]) => any;
type Begin = "writeHead" | "write" | "end" | "flushHeaders";
type Methods = Readonly<Record<Begin, Method>>;
type Commit = (status: number) => ResponseHeaders | Promise<ResponseHeaders>;

type State =
  | "idle"
  /** The commit runs; what the handler calls is held. */
  | "waiting"
  /** The response is Node's again. */
  | "open"
  /** Answered by us; what the handler calls is discarded. */
  | { readonly failure: unknown };

interface Gate {
  readonly response: NodeResponse;
  readonly original: Methods;
  readonly commit: Commit;
  state: State;
  /** Calls that wait for the commit, in order. */
  held: [Begin, unknown[]][];
  heldBytes: number;
}

/**
 * Calls `commit` when the response is about to begin, and lets nothing out before it has answered: no status, no header,
 * no byte. Is the answer at hand at once, nothing is held back. If it fails, the response becomes that error.
 *
 * @param response a response on which nothing was sent yet
 * @param commit given the status, saves the session and says which headers it needs
 */
export function gateResponse(response: NodeResponse, commit: Commit): void {
  const methods = response as unknown as Record<Begin, Method>;
  const { writeHead, write, end, flushHeaders } = methods;
  const original = { writeHead, write, end, flushHeaders };
  const gate: Gate = { response, original, commit, state: "idle", held: [], heldBytes: 0 };
  methods.writeHead = (...args) => call(gate, "writeHead", args);
  methods.write = (...args) => call(gate, "write", args);
  methods.end = (...args) => call(gate, "end", args);
  methods.flushHeaders = (...args) => call(gate, "flushHeaders", args);
}

function call(gate: Gate, method: Begin, args: unknown[]): unknown {
  if (gate.state === "open") return gate.original[method].apply(gate.response, args);
  if (gate.state === "idle") return begin(gate, method, args);
  if (gate.state === "waiting") return hold(gate, method, args);
  return discard(gate.state.failure, gate, method, args);
}

function begin(gate: Gate, method: Begin, args: unknown[]): unknown {
  const { response, original } = gate;
  // Before the commit: a call that Node refuses begins no response, and the handler may answer otherwise.
  const rest = method === "writeHead" ? prepareHead(response, args) : args;
  assertChunk(response, method, args);
  assertStatus(response.statusCode);
  const status = response.statusCode;
  let committed: ResponseHeaders | Promise<ResponseHeaders>;
  try {
    committed = gate.commit(status);
  } catch (error) {
    fail(gate, error);
    return discard(error, gate, method, args);
  }
  if (!(committed instanceof Promise)) {
    gate.state = "open";
    addHeaders(response, committed);
    return original[method].apply(response, rest);
  }
  gate.state = "waiting";
  const stopPretending = pretendSent(gate);
  committed.then(
    (headers) => {
      stopPretending();
      release(gate, status, headers);
    },
    (error) => {
      stopPretending();
      fail(gate, error);
    },
  );
  return hold(gate, method, rest);
}

function hold(gate: Gate, method: Begin, args: unknown[]): unknown {
  const { response, held } = gate;
  if (method === "writeHead" && held.length > 0) throw headersSent("write");
  assertChunk(response, method, args);
  held.push([method, args]);
  if (method !== "write") return response;
  // As Node counts for a response whose turn has not come on its connection.
  gate.heldBytes += (args[0] as string | Uint8Array).length;
  return gate.heldBytes < response.writableHighWaterMark;
}

function release(gate: Gate, status: number, committed: ResponseHeaders): void {
  const { response, original, held } = gate;
  gate.state = "open";
  // A head is fixed once it was begun, whatever the handler has assigned since.
  response.statusCode = status;
  let flowing = true;
  try {
    addHeaders(response, committed);
    for (const [method, args] of held) {
      const result = original[method].apply(response, args);
      if (method === "write") flowing = result !== false;
    }
    held.length = 0;
  } catch (error) {
    // The handler, which would have been thrown this, has gone on.
    if (response.headersSent) {
      logOnce(error);
      response.destroy();
    } else {
      fail(gate, error);
    }
    return;
  }
  const paused = gate.heldBytes >= response.writableHighWaterMark;
  if (paused && flowing && !response.writableEnded && !response.destroyed) response.emit("drain");
}

function fail(gate: Gate, failure: unknown): void {
  const { response, original, held } = gate;
  gate.state = { failure };
  try {
    sendError(response, original, failure);
  } catch (error) {
    // A listener of other middleware, called when the head is written.
    logOnce(error);
    response.destroy();
  }
  for (const [method, args] of held) discard(failure, gate, method, args);
  // Who still feeds the response (a pipeline, a loop that waits for "drain") must hear that it is over: once our answer
  // is out, and before others take "finish" for theirs. Nobody needs to listen, and nobody shall destroy the connection.
  response.on("error", () => {});
  response.prependOnceListener("finish", () => {
    response.destroyed = true;
    response.emit("error", failure);
  });
}

/** As Node does for a response whose client has gone. */
function discard(failure: unknown, { response }: Gate, method: Begin, args: unknown[]): unknown {
  const callback = args.at(-1);
  if (typeof callback === "function") process.nextTick(callback as Method, failure);
  return method === "write" ? false : response;
}

/** Answers with `failure` and nothing of what the handler has set. */
export function sendError(response: NodeResponse, methods: Methods, failure: unknown): void {
  const { status, headers, body } = errorAnswer(failure);
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value as never);
  response.setHeader("Content-Length", Buffer.byteLength(body) as never);
  // HTTP/2 has no status message, and warns of it.
  if (Object.hasOwn(response, "statusMessage")) response.statusMessage = "";
  // One by one: Node's `end` would call `writeHead` and `write` of the response, and these may be wrapped.
  methods.writeHead.call(response, status);
  methods.write.call(response, body);
  methods.end.call(response);
}

/**
 * Makes the response look begun, as it would without the gate, so that nobody answers twice. Returns how to end that.
 */
function pretendSent(gate: Gate): () => void {
  const { response } = gate;
  (response as Gated)[GATE] = gate;
  Object.defineProperty(response, "writableEnded", WRITABLE_ENDED);
  return pretendHeader(response) ?? pretendProperties(response);
}

type Gated = NodeResponse & { [GATE]: Gate };

/** The gate that holds a response now, or held it last. */
const GATE = Symbol("gate");

/**
 * One getter for all responses, which stays and afterwards says what Node says: a getter of its own for each, or deleting
 * it, would cost ten times the rest of the gate.
 */
const WRITABLE_ENDED: PropertyDescriptor & ThisType<Gated> = {
  get() {
    const { state, held } = this[GATE];
    if (state === "waiting") return held.some(([method]) => method === "end");
    return Reflect.get(Object.getPrototypeOf(this), "writableEnded", this);
  },
  configurable: true,
};

/** In node:http `_header` is the head that was sent: all that asks for it, `compression` too, goes by this property. */
function pretendHeader(response: NodeResponse & { _header?: string | null }): (() => void) | undefined {
  if (response._header !== null) return undefined;
  response._header = "held";
  return () => {
    response._header = null;
  };
}

/** Elsewhere, as in HTTP/2; other middleware may have replaced the same properties before. */
function pretendProperties(response: NodeResponse): () => void {
  const refuse = (verb: string): PropertyDescriptor => ({
    value: () => {
      throw headersSent(verb);
    },
    writable: true,
    configurable: true,
  });
  const pretended: PropertyDescriptorMap = {
    headersSent: { get: () => true, configurable: true },
    setHeader: refuse("set"),
    appendHeader: refuse("append"),
    removeHeader: refuse("remove"),
  };
  const replaced = Object.keys(pretended).map(
    (name) => [name, Object.getOwnPropertyDescriptor(response, name)] as const,
  );
  Object.defineProperties(response, pretended);
  return () => {
    for (const [name, descriptor] of replaced) {
      delete (response as unknown as Record<string, unknown>)[name];
      if (descriptor) Object.defineProperty(response, name, descriptor);
    }
  };
}

function headersSent(verb: string): Error {
  return nodeError(new Error(`Cannot ${verb} headers after they are sent to the client`), "ERR_HTTP_HEADERS_SENT");
}

function assertStatus(status: unknown): void {
  const code = Number(status);
  if (code >= 100 && code <= 999) return;
  throw nodeError(new RangeError(`Invalid status code: ${status}`), "ERR_HTTP_INVALID_STATUS_CODE");
}

function assertChunk(response: NodeResponse, method: Begin, [chunk]: unknown[]): void {
  if (typeof chunk === "string" || isUint8Array(chunk) || (method !== "write" && method !== "end")) return;
  if (method === "end" && (!chunk || typeof chunk === "function" || response.writableEnded)) return;
  throw nodeError(new TypeError("The chunk must be a string, a Buffer or a Uint8Array"), "ERR_INVALID_ARG_TYPE");
}

function nodeError(error: Error, code: string): Error {
  return Object.assign(error, { code });
}

/** Sets what `writeHead` was given, so that ours can be merged with it. Returns what is left of `args`. */
function prepareHead(response: NodeResponse, args: unknown[]): unknown[] {
  assertStatus(args[0]);
  const headers = args.find((arg) => typeof arg === "object" && arg !== null);
  for (const [name, value] of headers ? headerEntries(headers) : []) response.setHeader(name, value as never);
  response.statusCode = Number(args[0]);
  return headers ? args.slice(0, args.indexOf(headers)) : args;
}

/** The three ways in which `writeHead` takes headers: an object, pairs, and names and values in turn. */
function headerEntries(headers: object): Iterable<[string, unknown]> {
  if (!Array.isArray(headers)) return Object.entries(headers);
  const pairs: [string, unknown][] = Array.isArray(headers[0])
    ? headers
    : headers.flatMap((name, index) => (index % 2 === 0 ? [[name, headers[index + 1]]] : []));
  // A name that comes several times is several headers.
  const entries = new Map<string, [string, unknown]>();
  for (const [name, value] of pairs) {
    const before = entries.get(name.toLowerCase());
    entries.set(name.toLowerCase(), before ? [before[0], [before[1], value].flat()] : [name, value]);
  }
  return entries.values();
}

function addHeaders(response: NodeResponse, committed: ResponseHeaders): void {
  if (!committed.varyByCookie) return;
  const headers: HeaderMap = {
    get(name) {
      const value = response.getHeader(name);
      return value === undefined ? null : Array.isArray(value) ? value.join(", ") : String(value);
    },
    set: (name, value) => response.setHeader(name, value as never),
    append(name, value) {
      const before = response.getHeader(name);
      response.setHeader(name, (before === undefined ? value : [before, value].flat()) as never);
    },
  };
  writeResponseHeaders(committed, headers);
}
