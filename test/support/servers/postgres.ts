import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DATABASE_PASSWORD, type DatabaseServer } from "./database.ts";
import { accepts, freePort, freeze, startServer, temporaryDirectory, until } from "./server.ts";

export { DATABASE_PASSWORD as POSTGRES_PASSWORD } from "./database.ts";

export interface PostgresServer extends DatabaseServer {
  /** Where its unix socket is. */
  readonly directory: string;
  restart(): Promise<PostgresServer>;
}

/** @param settings as in postgresql.conf, such as `max_connections=5` */
export async function startPostgres(...settings: string[]): Promise<PostgresServer> {
  const directory = temporaryDirectory();
  // PostgreSQL refuses to run as root.
  const user = process.getuid?.() === 0 ? ["--reuid", "postgres", "--regid", "postgres", "--init-groups"] : [];
  writeFileSync(join(directory, "password"), DATABASE_PASSWORD, { mode: 0o644 });
  if (user.length > 0) execFileSync("chown", ["postgres", directory]);
  else chmodSync(directory, 0o700);
  const options = [
    "-U",
    "postgres",
    "--auth-local=trust",
    "--auth-host=scram-sha-256",
    "-N",
    "--locale=C",
    "-E",
    "UTF8",
  ];
  const paths = [`--pwfile=${join(directory, "password")}`, "-D", join(directory, "data")];
  execFileSync("setpriv", [...user, "--", program("initdb"), ...options, ...paths], { cwd: "/", stdio: "pipe" });
  return start(await freePort(), directory, settings);
}

async function start(port: number, directory: string, settings: readonly string[]): Promise<PostgresServer> {
  const options = ["fsync=off", "listen_addresses=127.0.0.1", `unix_socket_directories=${directory}`, ...settings];
  const args = ["-D", join(directory, "data"), "-p", `${port}`, ...options.flatMap((option) => ["-c", option])];
  const server = startServer(program("postgres"), args, "postgres");
  const sql = (text: string, database = "postgres") =>
    execFileSync("psql", ["-h", directory, "-p", `${port}`, "-U", "postgres", "-d", database, "-XAtqc", text], {
      encoding: "utf8",
      stdio: "pipe",
    }).trim();
  await until(async () => sql("SELECT 1") === "1", "postgres", server);
  await until(() => accepts({ port, host: "127.0.0.1" }), "postgres", server);
  const { pid } = server.process;
  return {
    ...server,
    port,
    directory,
    sql,
    url: (database = "postgres") =>
      `postgres://postgres:${encodeURIComponent(DATABASE_PASSWORD)}@127.0.0.1:${port}/${database}`,
    // The parent first and last, so that there are neither more nor fewer children meanwhile.
    async freeze() {
      await server.freeze();
      await Promise.all(childrenOf(pid!).map(freeze));
    },
    thaw() {
      for (const child of childrenOf(pid!)) process.kill(child, "SIGCONT");
      process.kill(pid!, "SIGCONT");
    },
    async kill() {
      const children = childrenOf(pid!);
      await server.kill();
      // They see by themselves that the first is gone. One that still runs would keep the next server from starting.
      await until(async () => !children.some(isRunning), "the end of postgres");
    },
    restart: () => start(port, directory, settings),
  };
}

function childrenOf(pid: number): number[] {
  return execFileSync("pgrep", ["-P", `${pid}`], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map(Number);
}

/** Whether it is there, and not only waits to be noticed as dead. */
function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}

/** Debian keeps the server's programs out of the path. */
function program(name: string): string {
  const path = ["18", "17", "16", "15"].map((version) => `/usr/lib/postgresql/${version}/bin/${name}`).find(existsSync);
  return path ?? name;
}
