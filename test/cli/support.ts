import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { connect } from "../../src/connect.ts";
import { djangoCodec } from "../../src/django/codec.ts";
import { parse } from "../../src/django/python-json.ts";

/* The real program, as `npm run build` left it. */

const PROGRAM = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));

export const secretKey = "a secret key for tests, 32 characters at least";
export const formerKey = "the former secret key, long enough for all";
export const strangersKey = "a stranger's secret key, of enough characters";
export const sessionKey = "abcdefghij0123456789abcdefghij01";

interface Surroundings {
  env?: Record<string, string>;
  input?: string;
  cwd?: string;
}

export interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Only what a test gives: the tester's own variables must not decide. */
function environment(env: Record<string, string> = {}): Record<string, string> {
  return { PATH: process.env.PATH ?? "", ...env };
}

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sojourn-cli-"));
  folders.push(folder);
  return folder;
}

export function file(text: string, name = "file"): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, text);
  return path;
}

export function sojourn(
  args: readonly string[],
  { env, input = "", cwd = temporaryFolder() }: Surroundings = {},
): Result {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
    cwd,
    env: environment(env),
    input,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  return { code: status, stdout, stderr };
}

/** The program without waiting for it. */
export function start(args: readonly string[], env?: Record<string, string>) {
  return spawn(process.execPath, [PROGRAM, ...args], { cwd: temporaryFolder(), env: environment(env) });
}

export const hasTerminal = spawnSync("script", ["--version"]).status === 0;

/** The program on a real terminal, escapes shown as ␛: util-linux's `script` makes one. @param onOutput may type into it */
export function onTerminal(
  args: readonly string[],
  env: Record<string, string> = {},
  onOutput: (type: (keys: string) => void) => void = () => {},
): Promise<{ code: number | null; screen: string }> {
  const command = [process.execPath, PROGRAM, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  const child = spawn("script", ["-qec", command, "/dev/null"], {
    cwd: temporaryFolder(),
    env: environment({ TERM: "xterm", SHELL: "/bin/sh", ...env }),
  });
  let screen = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    screen += text.replaceAll("\x1b", "␛");
    onOutput((keys) => child.stdin.write(keys));
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, screen }));
  });
}

/** A payload as a server stores it. @param json may hold what JavaScript cannot say */
export function payload(json = '{"uid":"123"}', key = secretKey, signedAt = new Date()): string {
  const { value, origin } = parse(json);
  return djangoCodec({ secretKey: key }).encode(value as Record<string, unknown>, signedAt, origin) as string;
}

export async function newStore(): Promise<{ url: string; path: string }> {
  const path = join(temporaryFolder(), "db.sqlite3");
  const url = `sqlite:${path}`;
  const store = await connect(url);
  await store.migrate();
  await store.close();
  return { url, path };
}

/** A store with a session under `sessionKey`. */
export async function storeWith(text: string, expiresAt = new Date(Date.now() + 3_600_000)): Promise<string> {
  const { url } = await newStore();
  const store = await connect(url);
  await store.create(sessionKey, { payload: text, expiresAt });
  await store.close();
  return url;
}

/** A store with so many expired sessions, and `live` ones besides. */
export async function storeWithExpired(expired: number, live = 3): Promise<{ url: string; path: string }> {
  const { url, path } = await newStore();
  const rows = (count: number, prefix: string, date: string) =>
    `INSERT INTO django_session WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) SELECT '${prefix}' || i, 'x', '${date}' FROM n`;
  const database = open(path);
  if (expired > 0) database.prepare(rows(expired, "expired", "2020-01-01 00:00:00")).run();
  if (live > 0) database.prepare(rows(live, "livelive", "2999-01-01 00:00:00")).run();
  database.close();
  return { url, path };
}

export function countSessions(path: string, prefix: string): number {
  const database = open(path);
  const [row] = database
    .prepare(`SELECT COUNT(*) AS total FROM django_session WHERE session_key LIKE '${prefix}%'`)
    .all() as { total: number }[];
  database.close();
  return row!.total;
}

interface Database {
  prepare(sql: string): { run(): unknown; all(): unknown[] };
  close(): void;
}

/** Beside the store, which has no such statements. */
export function open(path: string): Database {
  const builtin = process.getBuiltinModule("node:sqlite" as never) as { DatabaseSync: new (path: string) => Database };
  const Driver = builtin?.DatabaseSync ?? createRequire(import.meta.url)("libsql");
  const database = new Driver(path);
  // The program may be writing.
  database.prepare("PRAGMA busy_timeout = 5000").all();
  return database;
}
