import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createSessions, memoryStore, type SessionStore, storeEngine } from "sojourn";
import { type DjangoSettings, djangoCodec, resolveDjangoSettings } from "sojourn/django";
import { demoApp } from "../../examples/demo/app.ts";

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

/** The demo in this process, on a free port. */
export async function startDemo(options: StartDemoOptions = {}): Promise<DemoServer> {
  const { django, now = () => new Date(), store = memoryStore({ now }) } = options;
  const { secretKey, settings: given } = resolveDjangoSettings({ SECRET_KEY, ...django });
  const settings = { ...given, now };
  const sessions = createSessions({ engine: storeEngine(store, djangoCodec({ secretKey })), ...settings });
  const server = demoApp({ sessions, store, settings }).listen(0, "127.0.0.1");
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
