import { localhostCertificate } from "../support/servers/certificate.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import { startRedis } from "../support/servers/redis.ts";
import { freePort } from "../support/servers/server.ts";
import { type Backend, corruptedReplies, type Scene } from "./fault.ts";
import { openStore } from "./open-store.ts";
import { startProxy } from "./proxy.ts";

/*
 * Over TLS, which has a checksum that their own protocols lack: what the network changes on the way ends the connection,
 * and is nobody's session.
 */

interface TlsServer {
  readonly server: { kill(): Promise<void> };
  readonly port: number;
  url(port: number): string;
}

function overTls(name: string, start: () => Promise<TlsServer>): Scene {
  return {
    name,
    faults: [corruptedReplies],
    async backend() {
      const { server, port, url } = await start();
      const proxy = await startProxy(() => port);
      const backend: Backend = {
        ...{ name, server, proxy, url: url(proxy.port), durability: "kill" },
        open: () => openStore(backend),
        async close() {
          await proxy.close();
          await server.kill();
        },
      };
      return backend;
    },
  };
}

export const redisOverTls: Scene = overTls("Redis over TLS", async () => {
  const { cert, key } = localhostCertificate("root");
  const port = await freePort();
  const tls = ["--tls-port", `${port}`, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no"];
  const server = await startRedis("--appendonly", "yes", ...tls);
  return { server, port, url: (proxied) => `rediss://localhost:${proxied}?ca=${encodeURIComponent(cert)}` };
});

export const postgresOverTls: Scene = overTls("PostgreSQL over TLS", async () => {
  const { cert, key } = localhostCertificate("postgres");
  const server = await startPostgres("fsync=on", "ssl=on", `ssl_cert_file=${cert}`, `ssl_key_file=${key}`);
  const query = `?sslmode=verify-full&sslrootcert=${encodeURIComponent(cert)}`;
  const url = (proxied: number) => server.url().replace(`127.0.0.1:${server.port}`, `localhost:${proxied}`) + query;
  return { server, port: server.port, url };
});
