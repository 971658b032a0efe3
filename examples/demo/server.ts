import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { createSessions } from "sojourn";
import { connectDjango, type DjangoEngine } from "sojourn/django";
import { demoApp } from "./app.ts";
import { demoSettings } from "./demo-settings.ts";

/* Starts the demo. Everything it keeps is in the folder `data` of the current directory. */

const HOST = "127.0.0.1";

try {
  const port = readPort(process.env.PORT ?? "8000");
  const folder = resolve("data");
  const resolved = demoSettings(process.env, folder);
  const { settings } = resolved;

  // `fromDjangoSettings` does all this in one call; the page shows sessions as they are stored, and so needs the store.
  const { engine, store } = await connectDjango(resolved);
  await store?.migrate();
  const sessions = createSessions({ engine, ...settings });

  const app = demoApp({ sessions, store, engine: resolved.engine.name, settings });
  const server = app.listen(port, HOST, (error?: Error) => {
    if (error) return refuse(error);
    console.log(`Sojourn's demo: http://${HOST}:${(server.address() as AddressInfo).port}/`);
    console.log(`Sessions are kept in ${place(resolved.engine)}`);
  });

  const stop = () => {
    server.close(() => void store?.close());
    // Whoever waits for an answer gets it; then their connection, kept alive by the browser, is in the way.
    setInterval(() => server.closeIdleConnections(), 50).unref();
    setTimeout(() => server.closeAllConnections(), 5000).unref();
  };
  process.once("SIGTERM", stop).once("SIGINT", stop);
} catch (error) {
  refuse(error as Error);
}

function readPort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new Error(`PORT=${text} is not a port: use a number from 0 to 65535.`);
}

/** One line that says what to do, rather than a stack. */
function refuse(error: NodeJS.ErrnoException): void {
  const message =
    error.code === "EADDRINUSE"
      ? "the port is taken. Choose another with PORT, for example PORT=8001 npm start"
      : error.message.replace(/\s+/g, " ");
  console.error(`The demo cannot start: ${message}`);
  process.exit(1);
}

function place(engine: DjangoEngine): string {
  if (engine.name === "signed_cookies") return "signed cookies: the browser has them, the server nothing";
  const cache = engine.name === "cached_db" ? `, with a cache at ${withoutPassword(engine.cache.url)}` : "";
  return withoutPassword(engine.store.url) + cache;
}

function withoutPassword(url: string): string {
  return url.replace(/:\/\/(?:[^/]*@)?([^?]*).*/, "://$1");
}
