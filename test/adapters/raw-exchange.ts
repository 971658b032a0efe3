import { connect } from "node:net";

export interface RawReply {
  /** The head's lines as they came, of the final response. */
  readonly statusLine: string;
  /** Sorted, without `Date`. */
  readonly headers: readonly string[];
  /** Everything after the head, as it came: with chunk sizes and trailers. */
  readonly body: Buffer;
  /** Heads of informational responses that came before. */
  readonly informational: readonly string[];
}

/** Sends these bytes, and gives all that comes back until the server closes. */
export function exchangeBytes(url: string, bytes: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ port: Number(new URL(url).port), host: "localhost" }, () => socket.write(bytes));
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => resolve(Buffer.concat(chunks)));
  });
}

/** A request after which the server closes the connection. */
export async function exchangeRaw(url: string, { method = "GET", headers = "", body = "" } = {}): Promise<RawReply> {
  const request = `${method} / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${headers}\r\n${body}`;
  return parse(await exchangeBytes(url, request));
}

function parse(bytes: Buffer): RawReply {
  const informational: string[] = [];
  for (;;) {
    const end = bytes.indexOf("\r\n\r\n");
    const head = bytes.subarray(0, Math.max(end, 0)).toString("latin1");
    bytes = bytes.subarray(end + 4);
    const [statusLine = "", ...headers] = head.split("\r\n");
    if (!statusLine.startsWith("HTTP/1.1 1")) {
      const compared = headers.filter((line) => !/^date:/i.test(line)).sort();
      return { statusLine, headers: compared, body: bytes, informational };
    }
    informational.push(head);
  }
}
