import type { Payload } from "../../core/contracts.ts";
import { SessionError } from "../../core/errors.ts";
import { type Answers, type Connection, openConnection } from "./connection.ts";
import { tooLarge, unavailable } from "./faults.ts";
import { greet } from "./greeting.ts";

export interface MemcachedItem {
  readonly value: Uint8Array;
  /** What the writer said of the value's format. Python's clients: 1 pickle, 2 int, 8 compressed, 16 text. */
  readonly flags: number;
  /** memcached's number of this version of the item, up to 64 bits. */
  readonly cas: string;
}

export interface MemcachedSet {
  /** Store only if there is none, only if there is one, or only over the version with this number. */
  readonly mode: "add" | "replace" | { readonly cas: string };
  /** 32 bits, kept with the value. */
  readonly flags: number;
  /** memcached's: seconds up to 30 days, else a Unix time; 0 is never, -1 at once. */
  readonly exptime: number;
}

/**
 * The part of a memcached client that the store needs; `memcachedClient` is one. A fault must be thrown: a client that
 * reports a server that is down as a miss logs people out. Errors must not hold keys or values.
 */
export interface MemcachedClient {
  /** `null` if there is none. */
  get(key: string): Promise<MemcachedItem | null>;
  /** `false`, and nothing stored, if `mode` does not hold. Text is stored in UTF-8. */
  set(key: string, value: Payload, options: MemcachedSet): Promise<boolean>;
  /** `false`, and nothing removed, if there is none, or not of this version. */
  delete(key: string, cas?: string): Promise<boolean>;
}

export interface MemcachedClientOptions {
  /** Default `"127.0.0.1"`. */
  readonly host?: string | undefined;
  /** Default 11211. */
  readonly port?: number | undefined;
  /** A Unix socket, instead of host and port. */
  readonly path?: string | undefined;
  /** Milliseconds that an operation may take on an open connection. Default 500. */
  readonly timeoutMs?: number | undefined;
  /** Milliseconds that opening a connection may take. Default 1000. */
  readonly connectTimeoutMs?: number | undefined;
}

/** A connection to a server that can be used. */
interface Server {
  readonly connection: Connection;
  readonly maxItemBytes: number;
}

/** What memcached adds to an item besides its key: header, CAS, flags, the key's NUL and the value's CRLF. */
const ITEM_OVERHEAD = 48 + 8 + 4 + 1 + 2;

/** Bytes of requests that may wait, each counted with what it costs besides its value. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
const REQUEST_BYTES = 1024;

const CLOSED = "is not used any more: its client was closed.";

/**
 * A client for one memcached, 1.6.18 or later, over its meta protocol. One connection, opened by the first operation
 * and, after a fault, by the next one; nothing is retried. It does not keep the process alive.
 *
 * Every fault is a `SessionError`: `ERR_SESSION_UNAVAILABLE` for a server that is down, too slow, out of memory or not
 * speaking the protocol, `ERR_SESSION_TOO_LARGE` for a value above the server's limit (-I), which is refused before it
 * is sent because memcached would remove the old one, `ERR_CONFIG` for a server that cannot be used and for a wrong
 * option or key.
 *
 * @example memcachedStore(memcachedClient({ host: "cache.internal" }))
 */
export function memcachedClient(options: MemcachedClientOptions = {}): MemcachedClient & { close(): void } {
  const { host = "127.0.0.1", port = 11211, path, timeoutMs = 500, connectTimeoutMs = 1000 } = options;
  for (const [name, value] of Object.entries({ port, timeoutMs, connectTimeoutMs })) {
    if (Number.isInteger(value) && value >= 1 && value <= 65_535) continue;
    throw new SessionError("ERR_CONFIG", `memcachedClient: ${name} must be an integer between 1 and 65535.`);
  }
  const where = path ?? `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const address = path === undefined ? { host, port } : { path };
  let connection: Connection | undefined;
  let server: Promise<Server> | undefined;
  let isClosed = false;
  let waitingBytes = 0;

  async function open(): Promise<Server> {
    let maxItemBytes = 0;
    const opened = openConnection({
      address,
      where,
      timeoutMs,
      connectTimeoutMs,
      maxValueBytes: () => maxItemBytes,
      onEnd() {
        server = undefined;
      },
    });
    connection = opened;
    try {
      maxItemBytes = await greet(opened, where);
    } catch (error) {
      opened.end(error as SessionError);
      throw error;
    }
    return { connection: opened, maxItemBytes };
  }

  async function run<T>(key: string, bytes: number, operation: (server: Server) => Promise<T>): Promise<T> {
    assertKey(key);
    if (isClosed) throw unavailable(where, CLOSED);
    if (waitingBytes + bytes > MAX_WAITING_BYTES) throw unavailable(where, "is too slow: too many operations wait.");
    waitingBytes += bytes;
    try {
      server ??= open();
      return await operation(await server);
    } finally {
      waitingBytes -= bytes;
    }
  }

  return {
    get: (key) => run(key, REQUEST_BYTES, (it) => it.connection.request(`mg ${key} v f c`, GET)),
    set(key, value, { mode, flags, exptime }) {
      const bytes = Buffer.byteLength(value);
      return run(key, REQUEST_BYTES + bytes, async (it) => {
        if (ITEM_OVERHEAD + Buffer.byteLength(key) + bytes > it.maxItemBytes) throw tooLarge(where, it.maxItemBytes);
        const condition = typeof mode === "object" ? `C${mode.cas}` : mode === "add" ? "ME" : "MR";
        return it.connection.request(`ms ${key} ${bytes} ${condition} F${flags} T${exptime}`, CHANGE, value);
      });
    },
    delete: (key, cas) =>
      run(key, REQUEST_BYTES, (it) => it.connection.request(`md ${key}${cas === undefined ? "" : ` C${cas}`}`, CHANGE)),
    close() {
      isClosed = true;
      connection?.end(unavailable(where, CLOSED));
    },
  };
}

const GET: Answers<MemcachedItem | null> = {
  EN: () => null,
  VA(flags, value) {
    const token = (name: string) => flags.find((flag) => flag.startsWith(name))!.slice(1);
    return { value: value!, flags: Number(token("f")), cas: token("c") };
  },
};

const yes = () => true;
const no = () => false;

const CHANGE: Answers<boolean> = { HD: yes, NS: no, EX: no, NF: no };

/**
 * memcached takes 250 bytes, and would take what follows a blank or a line break for more of the command (Django's
 * CVE-2020-13254).
 */
export function assertKey(key: string): void {
  if (key !== "" && Buffer.byteLength(key) <= 250 && !/[\s\p{Cc}]/u.test(key)) return;
  throw new SessionError(
    "ERR_CONFIG",
    "A key in memcached, its prefix included, has 1 to 250 bytes without blanks and control characters.",
  );
}
