import { debuglog } from "node:util";
import { SessionError } from "../core/errors.ts";

/** The exit codes, the same for every command. */
export const EXIT = { done: 0, fault: 1, misuse: 2, brokenPipe: 141 } as const;

/** What a person can put right: said in one line, without a stack. */
export interface Fault extends Error {
  readonly exitCode: number;
}

/** Something is not there, or not as it should be. */
export function fault(message: string): Fault {
  return Object.assign(new Error(message), { exitCode: EXIT.fault });
}

/** The command line itself is wrong. */
export function misuse(message: string): Fault {
  return Object.assign(new Error(message), { exitCode: EXIT.misuse });
}

/** Says on stderr what is wrong, in one line, and answers the exit code. */
export function report(error: unknown): number {
  say(describe(error));
  trace(error);
  return isFault(error) ? error.exitCode : EXIT.fault;
}

/** The stack, with `NODE_DEBUG=sojourn`. */
export function trace(error: unknown): void {
  if (!debuglog("sojourn").enabled) return;
  for (let cause = error; cause instanceof Error; cause = cause.cause) process.stderr.write(`${cause.stack}\n`);
}

function isFault(error: unknown): error is Fault {
  return error instanceof Error && "exitCode" in error;
}

/** One line on stderr. */
export function say(message: string): void {
  process.stderr.write(`sojourn: ${oneLine(message)}\n`);
}

/** Without control characters, which drivers' messages may carry, and which could rewrite the terminal. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\s]+/gu, " ").trim();
}

/** What is wrong, in words. */
export function describe(error: unknown): string {
  if (isFault(error) || error instanceof SessionError) return error.message;
  const { message, code, name } = error as NodeJS.ErrnoException;
  // A refused connection is an AggregateError, which has a code and no message.
  return `${message || code || name} (NODE_DEBUG=sojourn shows where)`;
}
