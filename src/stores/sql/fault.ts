import { SessionError } from "../../core/errors.ts";

/** What can be wrong with a database, and what to do about it. The name of the database stands before it. */
const MEANINGS = {
  unreachable: "cannot be reached. Is it running, and is its address right?",
  starting: "is starting or stopping.",
  slow: "did not answer in time.",
  conflict: "could not get the row from other requests, in several attempts.",
  crowded: "has no connection left. Raise its limit, or use fewer or smaller pools.",
  login: "refuses the user or the password.",
  missingDatabase: "has no such database. Create it first.",
  missingTable:
    "has no table django_session. Create it with `npx sojourn migrate --store <url>`, or with Django's migrate.",
  forbidden: "refuses the table django_session to this user, who needs SELECT, INSERT, UPDATE and DELETE.",
  readOnly: "takes no writes: it is read-only, or a replica. Use the primary's address.",
  full: "has no room left.",
} as const;

export type SqlFault = keyof typeof MEANINGS;

/** What is to be known of a driver's error, without anything that was stored or to be stored. */
export interface SqlDiagnosis {
  readonly fault: SqlFault | undefined;
  readonly code: string | undefined;
  /** `undefined` where it may quote a value. */
  readonly message: string | undefined;
}

/** Node's for a connection that cannot be made or has broken; and ours. */
export const NETWORK_ERRORS: Readonly<Record<string, SqlFault>> = {
  ERR_TIMEOUT: "slow",
  ECONNREFUSED: "unreachable",
  ECONNRESET: "unreachable",
  EPIPE: "unreachable",
  ENOENT: "unreachable",
  EACCES: "unreachable",
  ENOTFOUND: "unreachable",
  EAI_AGAIN: "unreachable",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  ETIMEDOUT: "unreachable",
};

/** The message of an error. Of several attempts, IPv6 and IPv4 for example, each has one, and all together none. */
export function messageOf(error: unknown): string {
  const { message, errors } = error as { message?: string; errors?: readonly Error[] };
  return message || (errors ?? []).map((each) => each.message).join(", ");
}

/** What a database is called, and how its errors are read: the part of a dialect that matters here. */
export interface Diagnosing {
  readonly name: string;
  readonly diagnose: (error: unknown) => SqlDiagnosis;
}

/** A database's error in words for people. The driver's own is not kept: it may carry the statement's parameters. */
export function sqlError({ name, diagnose }: Diagnosing, address: string | undefined, error: unknown): SessionError {
  if (error instanceof SessionError) return error;
  const { fault, code, message } = diagnose(error);
  const database = address === undefined ? name : `${name} at ${address}`;
  const meaning = fault ? MEANINGS[fault] : "failed.";
  const detail = [code, message].filter(Boolean).join(": ");
  return new SessionError("ERR_SESSION_UNAVAILABLE", `${database} ${meaning}${detail && ` (${detail})`}`, {
    cause: Object.assign(new Error(message ?? code), code === undefined ? {} : { code }),
  });
}
