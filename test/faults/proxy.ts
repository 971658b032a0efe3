import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";

/**
 * What becomes of the bytes:
 * - `pass`: all is well
 * - `latency`: each chunk waits `ms`, in both directions
 * - `blackHole`: nothing goes through, and nobody is told until it ends: then connections that lost bytes are reset
 * - `dropReplies`: the server does what it is asked to, and the client hears nothing; it ends as a black hole does
 * - `resetOnReply`: the same, and the client's connection is reset
 * - `slice`: a byte at a time, each in a segment of its own
 * - `corrupt`: one byte of each reply is flipped, at a random place unless told
 * - `refuse`: connections are reset, those that are open too
 */
export type ProxyMode =
  | { readonly name: "pass" | "blackHole" | "dropReplies" | "resetOnReply" | "slice" | "refuse" }
  | { readonly name: "latency"; readonly ms: number }
  | { readonly name: "corrupt"; readonly place?: number };

/** Stands between a client and a server on loopback, and can be told to behave badly while connections are open. */
export interface FaultProxy {
  readonly port: number;
  readonly mode: ProxyMode;
  set(mode: ProxyMode): void;
  /** Says something to all clients, as if the server had. */
  inject(bytes: Buffer): void;
  /** Connections that neither side has closed. */
  readonly open: number;
  /** What came through so far. */
  readonly counts: ProxyCounts;
  close(): Promise<void>;
}

export interface ProxyCounts {
  connections: number;
  /** Bytes from the client that reached the server. */
  sent: number;
  /** Bytes from the server that reached the client. */
  received: number;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** Whether bytes of it were lost. */
  hasHole: boolean;
}

/** @param target where the server listens now: it may come back elsewhere after a restart */
export async function startProxy(target: () => number): Promise<FaultProxy> {
  const pairs = new Set<Pair>();
  const counts: ProxyCounts = { connections: 0, sent: 0, received: 0 };
  let mode: ProxyMode = { name: "pass" };

  const listener: Server = createServer((client) => {
    if (mode.name === "refuse") return reset(client);
    counts.connections++;
    const pair = { client, server: connect(target(), "127.0.0.1"), hasHole: false };
    pairs.add(pair);
    pipe(pair, "request");
    pipe(pair, "reply");
  });

  /** The bytes of one direction, in their order. */
  function pipe(pair: Pair, kind: "request" | "reply"): void {
    const [from, to] = kind === "request" ? [pair.client, pair.server] : [pair.server, pair.client];
    let queue: Promise<void> = Promise.resolve();
    from.setNoDelay(true);
    from.on("error", () => {});
    from.on("data", (chunk) => {
      const due = performance.now() + (mode.name === "latency" ? mode.ms : 0);
      queue = queue.then(() => pass(chunk, due, pair, to, kind));
    });
    from.on("close", () => {
      queue = queue.then(() => void (from.readableEnded ? to.destroySoon() : reset(to)));
      if (to.destroyed) pairs.delete(pair);
    });
  }

  async function pass(chunk: Buffer, due: number, pair: Pair, to: Socket, kind: "request" | "reply"): Promise<void> {
    const wait = due - performance.now();
    if (wait > 0) await sleep(wait);
    // Asked only now: what waited meets the mode of this moment.
    const { name } = mode;
    if (to.destroyed) return;
    if (name === "blackHole" || (name === "dropReplies" && kind === "reply")) {
      pair.hasHole = true;
      return;
    }
    if (name === "resetOnReply" && kind === "reply") return reset(to);
    counts[kind === "request" ? "sent" : "received"] += chunk.length;
    if (name === "slice") return slice(chunk, to);
    to.write(mode.name === "corrupt" && kind === "reply" ? flipped(chunk, mode.place) : chunk);
  }

  function set(next: ProxyMode): void {
    mode = next;
    // TCP knows no holes: what comes after lost bytes never arrives as if they had not been there.
    for (const { client, server, hasHole } of pairs) {
      if (!hasHole && mode.name !== "refuse") continue;
      reset(client);
      server.destroy();
    }
  }

  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address() as { port: number };
  return {
    port: address.port,
    get mode() {
      return mode;
    },
    set,
    get open() {
      return pairs.size;
    },
    inject(bytes) {
      for (const { client } of pairs) client.write(bytes);
    },
    counts,
    close() {
      set({ name: "refuse" });
      return new Promise((resolve) => listener.close(() => resolve()));
    },
  };
}

/** One that is being shut down cannot be reset: Node 20 would keep its handle, and never end. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

async function slice(chunk: Buffer, to: Socket): Promise<void> {
  for (const [place, byte] of chunk.entries()) {
    if (to.destroyed) return;
    to.write(Buffer.of(byte));
    // Each is a segment of its own; turns are for others, and for the reader to see some of them alone.
    if (place % 16 === 0) await turn();
  }
}

function flipped(chunk: Buffer, place = Math.floor(Math.random() * chunk.length)): Buffer {
  const copy = Buffer.from(chunk);
  copy[place] = copy[place]! ^ 0xff;
  return copy;
}
