import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { createSessions, storeEngine } from "sojourn";
import { connect } from "sojourn/connect";
import { djangoCodec } from "sojourn/django";
import { demoApp } from "./app.ts";
import { demoSettings } from "./demo-settings.ts";

/* Starts the demo. Everything it keeps is in the folder `data` of the current directory. */

const HOST = "127.0.0.1";

try {
  const port = readPort(process.env.PORT ?? "8000");
  const folder = resolve("data");
  const { secretKey, secretKeyFallbacks, storeUrl, settings } = demoSettings(process.env, folder);

  // `fromDjangoSettings` does all this in one call; the page shows stored rows, so it needs the store as well.
  const store = await connect(storeUrl);
  await store.migrate();
  const engine = storeEngine(store, djangoCodec({ secretKey, secretKeyFallbacks }));
  const sessions = createSessions({ engine, ...settings });

  const server = demoApp({ sessions, store, settings }).listen(port, HOST, (error?: Error) => {
    if (error) return refuse(error);
    console.log(`Sojourn's demo: http://${HOST}:${(server.address() as AddressInfo).port}/`);
    console.log(`Sessions are kept in ${withoutPassword(storeUrl)}`);
  });

  const stop = () => {
    server.close(() => void store.close());
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

function withoutPassword(url: string): string {
  return url.replace(/\/\/[^/]*@/, "//");
}
