import { connect, type NetConnectOpts } from "node:net";
import type { Payload } from "../../core/contracts.ts";
import { SessionError } from "../../core/errors.ts";
import { refusal, unavailable } from "./faults.ts";
import { replyReader } from "./replies.ts";

/** What each code that may answer a meta command means. Throws for what cannot be an answer. */
export type Answers<T> = Readonly<Record<string, (flags: readonly string[], value: Buffer | undefined) => T>>;

/** One connection. Requests leave at once and are answered in order; after a fault it is of no use any more. */
export interface Connection {
  /** Sends a meta command: its line without the end, and its data if any. */
  request<T>(line: string, answers: Answers<T>, data?: Payload): Promise<T>;
  /** Sends anything. `read` is given each line that answers until it gives something else than `undefined`. */
  send<T>(text: string | Buffer, read: Read<T>): Promise<T>;
  /** Whatever waits for an answer fails with `error`. */
  end(error: SessionError): void;
}

type Read<T> = (line: string, value: Buffer | undefined) => T | undefined;

export interface ConnectionOptions {
  readonly address: NetConnectOpts;
  /** The address for messages. */
  readonly where: string;
  readonly connectTimeoutMs: number;
  /** Milliseconds for each answer. */
  readonly timeoutMs: number;
  readonly maxValueBytes: () => number;
  /** Called once, before those who wait are told. */
  readonly onEnd: () => void;
}

interface Waiting {
  readonly read: Read<unknown>;
  readonly resolve: (answer: never) => void;
  readonly reject: (error: SessionError) => void;
  deadline: number;
}

/** Starts to connect. What is sent meanwhile leaves when the connection is there. */
export function openConnection(options: ConnectionOptions): Connection {
  const { where, connectTimeoutMs, timeoutMs } = options;
  const waiting: Waiting[] = [];
  let ended: SessionError | undefined;
  let isWatched = false;
  let unsent = 0;
  let requests = 0;
  const connectDeadline = performance.now() + connectTimeoutMs;
  const socket = connect(options.address);

  socket.setNoDelay(true);
  // Better than a request, this finds out that a network has forgotten an idle connection.
  socket.setKeepAlive(true, 60_000);
  socket.on("connect", () => allow(waiting));
  socket.on("error", (cause: NodeJS.ErrnoException) => {
    end(unavailable(where, `cannot be used: ${cause.code ?? cause.message}. Is it running?`, cause));
  });
  socket.on("end", () => end(unavailable(where, "closed the connection.")));

  const read = replyReader((line, value) => {
    const first = waiting[0];
    if (!first) throw new Error("an answer that nobody asked for");
    const refused = refusal(where, line);
    const answer = refused ?? first.read(line, value);
    if (answer === undefined) return;
    waiting.shift();
    if (waiting.length === 0) socket.unref();
    if (refused) first.reject(refused);
    else first.resolve(answer as never);
  }, options.maxValueBytes);

  socket.on("data", (chunk) => {
    try {
      read(chunk);
    } catch (error) {
      // After this no answer can be trusted to belong to its request. It is not shown: it may hold a payload.
      const surprise = "gave an answer that is none to what it was asked; the connection was closed.";
      end(error instanceof SessionError ? error : unavailable(where, surprise));
    }
  });

  function end(error: SessionError): void {
    if (ended) return;
    ended = error;
    socket.destroy();
    options.onEnd();
    for (const { reject } of waiting.splice(0)) reject(error);
  }

  /** Gives them the time for their answers, from now on. */
  function allow(requested: readonly Waiting[]): void {
    const deadline = socket.connecting ? connectDeadline : performance.now() + timeoutMs;
    for (const each of requested) each.deadline = deadline;
  }

  /**
   * One timer is enough: who waits first has waited longest. Not the core's `deadline`: a time here begins once the
   * connection is there, and its end is the connection's.
   */
  function watch(): void {
    const first = waiting[0];
    if (!first || isWatched) return;
    isWatched = true;
    const check = () => {
      isWatched = false;
      if (waiting[0] && waiting[0].deadline <= performance.now()) {
        end(unavailable(where, `did not answer within ${socket.connecting ? connectTimeoutMs : timeoutMs} ms.`));
      }
      watch();
    };
    // Looks at timeoutMs at the latest: the deadlines come nearer once the connection is there.
    const ms = Math.min(first.deadline - performance.now(), timeoutMs);
    // Node looks at timers before sockets. An answer that came while this process was busy itself is in time.
    setTimeout(() => setImmediate(check), ms).unref();
  }

  function send<T>(text: string | Buffer, readAnswer: Read<T>): Promise<T> {
    if (ended) return Promise.reject(ended);
    return new Promise<T>((resolve, reject) => {
      if (waiting.length === 0) socket.ref();
      waiting.push({ read: readAnswer, resolve, reject, deadline: Number.POSITIVE_INFINITY });
      // What is asked for at the same time leaves together.
      if (unsent++ === 0) {
        socket.cork();
        process.nextTick(flush);
      }
      socket.write(text);
    });
  }

  function flush(): void {
    allow(waiting.slice(-unsent));
    unsent = 0;
    socket.uncork();
    watch();
  }

  return {
    send,
    end,
    request(line, answers, data) {
      // memcached repeats it in the answer. With one answer too many or too few, each user would get the session of
      // the one before.
      const opaque = `O${++requests}`;
      return send(command(`${line} ${opaque}\r\n`, data), (answer, value) => {
        const [code, ...flags] = answer.split(" ") as [string, ...string[]];
        if (!Object.hasOwn(answers, code) || !flags.includes(opaque)) throw new Error("another request's answer");
        return answers[code]!(flags, value);
      });
    },
  };
}

function command(line: string, data: Payload | undefined): string | Buffer {
  if (data === undefined) return line;
  if (typeof data === "string") return `${line}${data}\r\n`;
  return Buffer.concat([Buffer.from(line), data, Buffer.from("\r\n")]);
}
