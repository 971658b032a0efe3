import { SessionError } from "../../core/errors.ts";
import type { RedisCommand } from "./client.ts";

/** What to do about a reply that does not say it itself. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/\bOOM\b/, "Its memory is full: give it more (maxmemory)."],
  [/\bREADONLY\b/, "It is a replica: connect to the primary."],
  [/\bMOVED\b/, "It is part of a cluster: use redis+cluster://, or a cluster client."],
  [/\bNOAUTH\b/, "Give a user and a password."],
  [
    /\bNOPERM\b|user executing the script/,
    "Sessions need +get +set +del +eval +evalsha on their keys, and in a cluster +cluster|slots.",
  ],
  [/\bWRONGTYPE\b/, "The key belongs to something else: use another prefix."],
  [/max number of clients/, "Raise maxclients, or let fewer processes connect."],
];

/**
 * A driver's error in words, and nothing else of it: ioredis' errors hold the command with key and payload, and those of
 * its connections the password.
 *
 * @param where the server, as the message names it
 */
export function redisFault(error: unknown, key: string, where: string): SessionError {
  const message = told(error, key);
  const advice = ADVICE.find(([pattern]) => pattern.test(message))?.[1];
  return new SessionError("ERR_SESSION_UNAVAILABLE", `${where}: ${message}${advice ? ` ${advice}` : ""}`);
}

/** The command, with errors that can be shown. */
export function explained(command: RedisCommand, explain: (error: unknown, key: string) => SessionError): RedisCommand {
  return async (key, parts) => {
    try {
      return await command(key, parts);
    } catch (error) {
      throw explain(error, key);
    }
  };
}

/** Without the arguments, which the server repeats when it does not know a command, and without what a script is called. */
function told(error: unknown, key: string): string {
  const { message, code } = error as NodeJS.ErrnoException;
  return (message || code || String(error))
    .replace(/, with args beginning with: .*/s, ".")
    .replace(/ script: [0-9a-f]{40}, on .*/s, "")
    .replaceAll(key, "(the key)");
}
