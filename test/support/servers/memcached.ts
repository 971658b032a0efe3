import { accepts, freePort, type Server, startServer, until } from "./server.ts";

export interface Memcached extends Server {
  readonly port: number;
  /** Starts it again where it was after `kill`, empty. */
  restart(): Promise<Memcached>;
}

/**
 * @param args memcached's options, such as `-I 4m`; with `-s path` it listens there and not at the port
 * @param port of a server that was killed, to start it again
 */
export async function startMemcached(args: readonly string[] = [], port?: number): Promise<Memcached> {
  const own = port ?? (await freePort());
  const server = startServer("memcached", ["-u", "root", "-l", "127.0.0.1", "-p", String(own), ...args]);
  const socket = args[args.indexOf("-s") + 1]!;
  const address = args.includes("-s") ? { path: socket } : { port: own, host: "127.0.0.1" };
  await until(() => accepts(address), "memcached", server);
  return {
    ...server,
    port: own,
    restart: () => startMemcached(args, own),
  };
}
