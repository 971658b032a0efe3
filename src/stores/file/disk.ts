import { deadline } from "../../core/deadline.ts";
import { SessionError } from "../../core/errors.ts";

/** Takes some steps on the disk, one after the other, and gives what they give. */
export type Disk = <T>(steps: () => Promise<T>) => Promise<T>;

/** libuv has four threads for the whole process. A disk that hangs keeps these, and leaves the others to everyone else. */
const LANES = 2;

const HINTS: Readonly<Record<string, string>> = {
  EACCES: "All processes that share it must run as one user, who owns its files",
  EPERM: "All processes that share it must run as one user, who owns its files",
  ENOSPC: "Make room, with `npx sojourn clearsessions` for example",
  EDQUOT: "Make room, with `npx sojourn clearsessions` for example",
  EMFILE: "Raise the limit of open files (ulimit -n)",
};

/**
 * The directory as something that answers in bounded time, and whose faults hold no path: a path holds the session key.
 *
 * Asynchronous, although a small file is read several times faster by a synchronous call: that would stop every
 * request of the process, those without a session too, for as long as a disk or a network is slow.
 *
 * @param timeoutMs after which steps are taken for hanging. They take less than one, or a few where they sync
 */
export function disk(directory: string, timeoutMs: number): Disk {
  const inTime = deadline(timeoutMs, "answer");
  const waiting: { readonly go: () => void; readonly giveUp: (error: SessionError) => void }[] = [];
  let free = LANES;
  let hanging = 0;

  function enter(): Promise<void> | undefined {
    if (hanging === LANES) throw hangs();
    if (free === 0) return new Promise((go, giveUp) => waiting.push({ go, giveUp }));
    free--;
    return undefined;
  }

  function leave(): void {
    const next = waiting.shift();
    if (next) next.go();
    else free++;
  }

  function hangs(): SessionError {
    return unavailable(`has not answered for ${timeoutMs} ms`);
  }

  function unavailable(what: string, cause?: Error): SessionError {
    const message = `The session directory ${directory} ${what}.`;
    return new SessionError("ERR_SESSION_UNAVAILABLE", message, cause && { cause });
  }

  function withoutPath(error: unknown): unknown {
    if (!isSystemError(error)) return error;
    // "EACCES: permission denied, open '/sessions/sessionid…'"
    const reason = error.message.split(",")[0]!;
    const hint = HINTS[error.code!];
    return unavailable(
      `cannot be used: ${reason}${hint ? `. ${hint}` : ""}`,
      Object.assign(new Error(reason), { code: error.code }),
    );
  }

  return async (steps) => {
    await enter();
    let state = "working" as "working" | "late" | "done";
    // Also what is thrown at once must give its lane back.
    const work = (async () => steps())().finally(() => {
      if (state === "late") hanging--;
      state = "done";
      leave();
    });
    try {
      return await inTime(work);
    } catch (error) {
      if (state === "done") throw withoutPath(error);
      state = "late";
      hanging++;
      if (hanging === LANES) for (const { giveUp } of waiting.splice(0)) giveUp(hangs());
      throw hangs();
    }
  };
}

/** The system's name for a fault, `"ENOSPC"` for example, also of one that `disk` has thrown. */
export function codeOf(error: unknown): string | undefined {
  if (isSystemError(error)) return error.code;
  return error instanceof SessionError ? (error.cause as NodeJS.ErrnoException | undefined)?.code : undefined;
}

/** Whether it is the fault of a disk, or of a user's part of it, that has no room left. */
export function isFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(codeOf(error) ?? "");
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "errno" in error;
}
