import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { DATABASE_PASSWORD, type DatabaseServer } from "./database.ts";
import { accepts, freePort, startServer, temporaryDirectory, until } from "./server.ts";

export { DATABASE_PASSWORD as MARIADB_PASSWORD } from "./database.ts";

export interface MariadbServer extends DatabaseServer {
  readonly socket: string;
  restart(): Promise<MariadbServer>;
}

/** @param settings as on the command line of mariadbd */
export async function startMariadb(...settings: string[]): Promise<MariadbServer> {
  const directory = temporaryDirectory();
  // The server refuses to run as root, and becomes this user.
  const user = process.getuid?.() === 0 ? ["--user=mysql"] : [];
  if (user.length > 0) execFileSync("chown", ["mysql", directory]);
  const options = [
    "--auth-root-authentication-method=normal",
    "--skip-test-db",
    `--datadir=${join(directory, "data")}`,
  ];
  // A server that starts removes what lies in its directory for temporary tables: also another one's.
  const env = { ...process.env, TMPDIR: directory };
  execFileSync("mariadb-install-db", ["--no-defaults", ...user, ...options], { stdio: "pipe", env });
  const server = await start(await freePort(), directory, settings);
  server.sql(
    `CREATE DATABASE sojourn CHARACTER SET utf8mb4;
     CREATE USER sojourn@'127.0.0.1' IDENTIFIED BY '${DATABASE_PASSWORD}',
       sojourn@localhost IDENTIFIED BY '${DATABASE_PASSWORD}';
     GRANT ALL ON *.* TO sojourn@'127.0.0.1', sojourn@localhost;
     REVOKE SUPER, READ ONLY ADMIN ON *.* FROM sojourn@'127.0.0.1', sojourn@localhost`,
    "mysql",
  );
  return server;
}

async function start(port: number, directory: string, settings: readonly string[]): Promise<MariadbServer> {
  const socket = join(directory, "mariadb.sock");
  const server = startServer(
    "mariadbd",
    [
      ...[
        "--no-defaults",
        `--datadir=${join(directory, "data")}`,
        `--socket=${socket}`,
        `--tmpdir=${directory}`,
        `--port=${port}`,
        "--skip-name-resolve",
      ],
      ...[
        "--bind-address=127.0.0.1",
        "--innodb-flush-log-at-trx-commit=2",
        "--innodb-buffer-pool-size=32M",
        ...settings,
      ],
    ],
    "mysql",
  );
  const sql = (text: string, database = "sojourn") =>
    execFileSync("mariadb", ["--no-defaults", "-S", socket, "-u", "root", "-NBe", text, database], {
      encoding: "utf8",
      stdio: "pipe",
    }).trim();
  await until(async () => sql("SELECT 1", "mysql") === "1", "mariadbd", server);
  await until(() => accepts({ port, host: "127.0.0.1" }), "mariadbd", server);
  return {
    ...server,
    port,
    socket,
    sql,
    url: (database = "sojourn") =>
      `mysql://sojourn:${encodeURIComponent(DATABASE_PASSWORD)}@127.0.0.1:${port}/${database}`,
    restart: () => start(port, directory, settings),
  };
}
