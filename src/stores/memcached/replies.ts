/** Characters of a line at most. The longest that is asked for names the addresses that the server listens on. */
const MAX_LINE = 2048;

/**
 * Cuts what a memcached sends into its replies, however the bytes arrive. Throws for what is no reply: a line without
 * end or with a bare LF, a value that is longer than allowed or not followed by CRLF.
 *
 * @param onReply gets each line, and the value after a line that announces one (`VA <bytes> …`)
 * @param maxValueBytes how long a value may be; asked when one is announced, before memory is taken for it
 */
export function replyReader(
  onReply: (line: string, value: Buffer | undefined) => void,
  maxValueBytes: () => number,
): (chunk: Buffer) => void {
  let line = "";
  let value: Buffer | undefined;
  let filled = 0;

  /** Like `readValue`, says where it stopped. */
  function readLine(chunk: Buffer, start: number): number {
    const newline = chunk.indexOf("\n", start);
    const end = newline < 0 ? chunk.length : newline + 1;
    if (line.length + end - start > MAX_LINE) throw new Error("a line without end");
    line += chunk.toString("latin1", start, end);
    if (newline < 0) return end;
    if (!line.endsWith("\r\n")) throw new Error("a bare line feed");
    line = line.slice(0, -2);
    if (line.startsWith("VA ")) expectValue();
    else reply();
    return end;
  }

  function readValue(chunk: Buffer, start: number, into: Buffer): number {
    const copied = chunk.copy(into, filled, start);
    filled += copied;
    if (filled === into.length) {
      if (into.toString("latin1", filled - 2) !== "\r\n") throw new Error("a value that goes on after its end");
      reply(into.subarray(0, -2));
    }
    return start + copied;
  }

  function expectValue(): void {
    const bytes = Number(/^VA (\d{1,10})(?: |$)/.exec(line)?.[1] ?? Number.NaN);
    if (!(bytes <= maxValueBytes())) throw new Error("a value that is too long");
    value = Buffer.allocUnsafe(bytes + 2);
    filled = 0;
  }

  function reply(complete?: Buffer): void {
    const first = line;
    line = "";
    value = undefined;
    onReply(first, complete);
  }

  return (chunk) => {
    for (let at = 0; at < chunk.length; ) at = value ? readValue(chunk, at, value) : readLine(chunk, at);
  };
}
