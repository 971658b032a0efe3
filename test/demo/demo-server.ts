import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createSessions, memoryStore, type SessionStore, storeEngine } from "sojourn";
import { connectDjango, type DjangoSettings, djangoCodec, resolveDjangoSettings } from "sojourn/django";
import { type DemoOptions, demoApp } from "../../examples/demo/app.ts";

export const SECRET_KEY = "the-secret-of-the-demo's-tests-0123456789";

export interface DemoServer {
  readonly address: string;
  stop(): Promise<void>;
}

export interface StartDemoOptions {
  readonly django?: DjangoSettings;
  readonly store?: SessionStore;
  readonly now?: () => Date;
}

/** The demo in this process, on a free port, with sessions in memory. */
export async function startDemo(options: StartDemoOptions = {}): Promise<DemoServer> {
  const { django, now = () => new Date(), store = memoryStore({ now }) } = options;
  const { secretKey, settings: given } = resolveDjangoSettings({ SECRET_KEY, ...django });
  const settings = { ...given, now };
  const sessions = createSessions({ engine: storeEngine(store, djangoCodec({ secretKey })), ...settings });
  return listen({ sessions, store, engine: "db", settings });
}

/** The same, on the engine of these settings, as the demo's own `server.ts` does it. */
export async function startDemoOn(django: DjangoSettings): Promise<DemoServer> {
  const resolved = resolveDjangoSettings({ SECRET_KEY, ...django });
  const { settings } = resolved;
  const { engine, store } = await connectDjango(resolved);
  await store?.migrate();
  const sessions = createSessions({ engine, ...settings });
  const demo = await listen({ sessions, store, engine: resolved.engine.name, settings });
  return {
    ...demo,
    async stop() {
      await demo.stop();
      await store?.close();
    },
  };
}

async function listen(options: DemoOptions): Promise<DemoServer> {
  const server = demoApp(options).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
