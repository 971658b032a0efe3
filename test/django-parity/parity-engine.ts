import { after, before } from "node:test";
import type { Session } from "../../src/core/session.ts";
import { createSessions, type Sessions } from "../../src/core/sessions.ts";
import {
  type DjangoSettings,
  type ResolvedDjangoSettings,
  resolveDjangoSettings,
} from "../../src/django/settings/resolve.ts";
import { type ConnectedDjango, connectDjango } from "../../src/django.ts";

export const SECRET_KEY = "a secret key for tests, 32 characters at least";

/** An engine as Django's test classes have it in their hands. */
export interface ParityEngine extends ConnectedDjango {
  readonly django: DjangoSettings;
  readonly resolved: ResolvedDjangoSettings;
  /** @param overrides as `override_settings` does @param now the clock */
  sessions(overrides?: DjangoSettings, now?: () => Date): Sessions<Record<string, unknown>>;
  /** Django's `SessionStore(session_key)`. */
  session(key?: string | null): Promise<Session>;
}

/** Connects an engine for the tests of the `describe` around it. @param place whether its table or directory is made */
export function connected(django: DjangoSettings, place: "migrated" | "as it is" = "migrated"): () => ParityEngine {
  let engine: ParityEngine;
  before(async () => {
    engine = await openEngine(django);
    if (place === "migrated") await engine.store?.migrate();
  });
  after(() => engine.store?.close());
  return () => engine;
}

async function openEngine(django: DjangoSettings): Promise<ParityEngine> {
  const resolve = (overrides: DjangoSettings = {}) => resolveDjangoSettings({ SECRET_KEY, ...django, ...overrides });
  const resolved = resolve();
  const { engine, store } = await connectDjango(resolved);
  const sessions: ParityEngine["sessions"] = (overrides, now) =>
    createSessions(engine, { ...resolve(overrides).settings, ...(now && { now }) });
  return {
    django,
    resolved,
    engine,
    store,
    sessions,
    session: (key) => sessions().open(cookie(key)).session(),
  };
}

/** The `Cookie` header of a browser that keeps this session's key. */
export function cookie(key: string | null | undefined): string | undefined {
  return typeof key === "string" ? `sessionid=${key}` : undefined;
}
