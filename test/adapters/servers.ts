import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { AdapterAnswer, AdapterServer } from "../../src/testing/adapter-suite.ts";

export async function serveHttp(listener: RequestListener): Promise<AdapterServer & { server: Server }> {
  const server = createServer(listener).listen(0);
  await once(server, "listening");
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { server, url: `http://localhost:${(server.address() as AddressInfo).port}`, close };
}

export async function serveHttp2(
  listener: (request: Http2ServerRequest, response: Http2ServerResponse) => void,
): Promise<AdapterServer> {
  const server = createHttp2Server(listener).listen(0);
  await once(server, "listening");
  const close = () => new Promise((resolve) => server.close(resolve));
  return { url: `http://localhost:${(server.address() as AddressInfo).port}`, http2: true, close };
}

/** An answer of the adapter suite, as a Node handler would send it. */
export async function sendAnswer(answer: AdapterAnswer, response: ServerResponse | Http2ServerResponse): Promise<void> {
  const { status = 200, headers = {}, body } = answer;
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (typeof body === "object") await pipeline(Readable.from(body), response);
  else if (body === undefined) response.end();
  else response.end(body);
}

/** Serves a fetch handler over `node:http`. */
export function serveFetch(handler: (request: Request) => Promise<Response>): Promise<AdapterServer> {
  return serveHttp(async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const headers = new Headers();
    for (const [name, values] of Object.entries(incoming.headersDistinct)) {
      for (const value of values ?? []) headers.append(name, value);
    }
    const response = await handler(
      new Request(`http://localhost${incoming.url}`, { method: incoming.method ?? "GET", headers }),
    );
    outgoing.statusCode = response.status;
    outgoing.setHeaders(response.headers);
    if (response.body && incoming.method !== "HEAD") await pipeline(Readable.fromWeb(response.body as never), outgoing);
    else outgoing.end();
  });
}
