import { spawn } from "node:child_process";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type DjangoSettings, parsePythonJson, stringifyPythonJson } from "../../../src/django.ts";
import { type DjangoVersion, python } from "./versions.ts";

/**
 * Real Django as the other side of a test: a process with a project of its own, which does what it is told, in order.
 *
 * Values go there in the shapes of docs/decisions/0009-pickle-values.md, or as `{ $python: source }`, and come back as
 * one text: see `describe`.
 */
export interface DjangoPeer {
  /** As Django says it. */
  readonly version: string;
  /** Runs steps on one `SessionStore(key)`, as a view would, and answers what each gave. */
  session(key: string | null, ...steps: Step[]): Promise<SessionAnswer>;
  /** Many at once: one line for all of them. */
  batch(requests: readonly SessionRequest[]): Promise<SessionAnswer[]>;
  /** The session in the hands of a view: loaded once, whoever changes it meanwhile. */
  hold(key: string): (...steps: Step[]) => Promise<SessionAnswer>;
  /** Python's text of each value: its type, the order of its keys, every digit. The same text means the same value. */
  describe(shapes: readonly unknown[]): Promise<string[]>;
  /** `SessionStore().encode` */
  encode(data: unknown): Promise<string>;
  /** The text of `SessionStore().decode` */
  decode(payload: string): Promise<string>;
  migrate(): Promise<void>;
  clearsessions(): Promise<void>;
  /** The keys in the table, expired or not. */
  rows(): Promise<string[]>;
  /** Makes the user, or changes the password. */
  user(username: string, password: string): Promise<DjangoUser>;
}

export interface DjangoUser {
  readonly id: string;
  /** The password field: hashed. */
  readonly password: string;
  readonly hash: string;
}

export type Step =
  | readonly ["set", key: string, value: unknown]
  | readonly ["update", values: unknown]
  | readonly ["delete", key: string]
  | readonly ["setExpiry", expiry: unknown]
  | readonly ["describe", key?: string]
  | readonly [
      | "save"
      | "create"
      | "clear"
      | "flush"
      | "cycleKey"
      | "exists"
      | "keys"
      | "items"
      | "shape"
      | "plain"
      | "written"
      | "expiryAge"
      | "expiryDate"
      | "expiresAtBrowserClose",
    ];

export interface SessionRequest {
  readonly key: string | null;
  readonly steps: readonly Step[];
}

export interface SessionAnswer {
  /** Of the store after all steps. */
  readonly key: string | null;
  /** What each step answered, or the name of the exception that it raised. */
  readonly results: readonly { readonly value?: unknown; readonly error?: string }[];
}

/** Starts Django with these settings; it ends with this process. Tables: `migrate`. */
export async function startDjango(settings: DjangoSettings, version: DjangoVersion = "3.2"): Promise<DjangoPeer> {
  const { command, args, env } = python(version);
  const script = fileURLToPath(new URL("../../../../test/support/django/peer.py", import.meta.url));
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", command, ...args, "-B", "-W", "ignore", script], {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  // A test file ends when its tests have ended; only an open question keeps it.
  for (const stream of [child.stdin, child.stdout]) (stream as unknown as Socket).unref();
  child.unref();
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let last: Promise<unknown> = Promise.resolve();

  /** One question at a time: the answer to a line is the next line. */
  function ask(request: unknown): Promise<unknown> {
    const answer = last.then(async () => {
      child.ref();
      child.stdin.write(`${stringifyPythonJson(request)}\n`);
      const { value, done } = await lines.next();
      child.unref();
      if (done) throw new Error(`Django ${version} ended`);
      return parsePythonJson(value).value;
    });
    last = answer.catch(() => {});
    return answer;
  }

  async function call<T>(op: string, request: object = {}): Promise<T> {
    const { value, error } = (await ask({ op, ...request })) as { value: T; error?: string };
    if (error !== undefined) throw new Error(`Django ${version}: ${error}`);
    return value;
  }

  let holds = 0;
  const { version: full } = (await ask(settings)) as { version: string };
  return {
    version: full,
    session: (key, ...steps) => call("session", { key, steps }),
    batch: (requests) => call("batch", { requests }),
    hold(key) {
      const held = holds++;
      return (...steps) => call("session", { key, held, steps });
    },
    describe: (shapes) => call("describe", { shapes }),
    encode: (data) => call("encode", { data }),
    decode: (payload) => call("decode", { payload }),
    migrate: () => call("migrate"),
    clearsessions: () => call("clearsessions"),
    rows: () => call("rows"),
    user: (username, password) => call("user", { username, password }),
  };
}
