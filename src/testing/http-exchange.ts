import { request } from "node:http";
import { connect } from "node:http2";
import type { Readable } from "node:stream";

export interface Reply {
  readonly status: number;
  /** All values of a header, in order. */
  header(name: string): readonly string[];
  readonly body: string;
}

/** A request that is on its way. */
export interface Exchange {
  /** Whether anything of the response has arrived. */
  begun(): boolean;
  /** Resolves when the first bytes of the body have arrived. */
  readonly firstChunk: Promise<string>;
  readonly reply: Promise<Reply>;
}

export interface ExchangeOptions {
  readonly method?: string;
  readonly cookie?: string | undefined;
}

/** Sends a request on a connection of its own. */
export function exchange(url: string, options: ExchangeOptions = {}, overHttp2 = false): Exchange {
  return overHttp2 ? exchange2(new URL(url), options) : exchange1(new URL(url), options);
}

function exchange1(url: URL, { method = "GET", cookie }: ExchangeOptions): Exchange {
  const outgoing = request(url, { method, agent: false, headers: cookie === undefined ? {} : { cookie } });
  const { resolve, reject, ...result } = pending(() => (outgoing.socket?.bytesRead ?? 0) > 0);
  outgoing.on("error", reject);
  outgoing.on("response", (incoming) => {
    const values = (name: string) =>
      incoming.rawHeaders.filter((_, index, raw) => index % 2 === 1 && raw[index - 1]!.toLowerCase() === name);
    resolve(incoming.statusCode!, values, incoming);
  });
  outgoing.end();
  return result;
}

function exchange2(url: URL, { method = "GET", cookie }: ExchangeOptions): Exchange {
  const client = connect(url.origin);
  const stream = client.request({
    ":path": url.pathname,
    ":method": method,
    ...(cookie === undefined ? {} : { cookie }),
  });
  let responded = false;
  const { resolve, reject, ...result } = pending(() => responded);
  client.on("error", reject);
  stream.on("error", reject);
  stream.on("response", (headers) => {
    responded = true;
    const values = (name: string) => [headers[name] ?? []].flat().map(String);
    resolve(headers[":status"]!, values, stream);
  });
  stream.on("close", () => client.close());
  stream.end();
  return result;
}

function pending(begun: () => boolean): Exchange & {
  resolve(status: number, values: (name: string) => string[], body: Readable): void;
  reject(error: Error): void;
} {
  let resolveReply!: (reply: Reply) => void;
  let resolveChunk!: (chunk: string) => void;
  let reject!: (error: Error) => void;
  const firstChunk = new Promise<string>((resolve) => {
    resolveChunk = resolve;
  });
  const reply = new Promise<Reply>((resolve, refuse) => {
    resolveReply = resolve;
    reject = refuse;
  });
  return {
    begun,
    firstChunk,
    reply,
    reject,
    resolve(status, values, stream) {
      let body = "";
      stream.setEncoding("utf8");
      stream.on("error", reject);
      stream.on("data", (chunk: string) => {
        body += chunk;
        resolveChunk(chunk);
      });
      stream.on("end", () => resolveReply({ status, header: (name) => values(name.toLowerCase()), body }));
    },
  };
}
