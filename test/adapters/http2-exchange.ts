import { connect } from "node:http2";

/** A response of HTTP/2: its headers, its body as text, and its trailers where it has some. */
export function exchangeHttp2(url: string, method: string): Promise<Record<string, unknown>> {
  const client = connect(url);
  return new Promise<Record<string, unknown>>((resolve, reject) => {
    const stream = client.request({ ":path": "/", ":method": method });
    const reply: Record<string, unknown> = {};
    const chunks: Buffer[] = [];
    stream.on("response", (headers) => Object.assign(reply, Object.fromEntries(Object.entries(headers))));
    stream.on("trailers", (trailers) =>
      Object.assign(reply, { trailers: Object.fromEntries(Object.entries(trailers)) }),
    );
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("close", () => resolve({ ...reply, body: Buffer.concat(chunks).toString("latin1") }));
    stream.end();
  }).finally(() => client.close());
}
