import { after, before } from "node:test";
import { createSessions, type Sessions } from "../../src/core/sessions.ts";
import {
  type DjangoSettings,
  type ResolvedDjangoSettings,
  resolveDjangoSettings,
} from "../../src/django/settings/resolve.ts";
import { type ConnectedDjango, connectDjango } from "../../src/django.ts";
import { PATIENT } from "../support/django/patient.ts";
import { type DjangoPeer, startDjango } from "../support/django/peer.ts";
import type { DjangoVersion } from "../support/django/versions.ts";
import type { Format } from "./python-values.ts";

export interface Project {
  readonly version: DjangoVersion;
  readonly settings: DjangoSettings;
  /** Django's own, in spite of `settings`: what a project has done that its settings do not show. */
  readonly django?: DjangoSettings;
  /** What the session's data are kept as. */
  readonly format: Format;
}

/** Both servers of a project, side by side. */
export interface Pair {
  readonly django: DjangoPeer;
  readonly node: ConnectedDjango;
  readonly sessions: Sessions<Record<string, unknown>>;
  /** Node's by another clock. */
  sessionsAt(now: Date): Promise<Sessions<Record<string, unknown>>>;
}

export const SECRET_KEY = "a secret key for tests, 32 characters at least";

/** While one project's Node works another's Django can; the tests of one project follow each other. */
export const SIDE_BY_SIDE = { concurrency: 3 };
export const ONE_BY_ONE = { concurrency: 1 };

/** Starts both sides for the tests of the `describe` around it. */
export function bothSides({ version, settings, django: own }: Omit<Project, "format">): () => Pair {
  let pair: Pair;
  const stores: ConnectedDjango["store"][] = [];

  async function connectNode(resolved: ResolvedDjangoSettings) {
    const node = await connectDjango(resolved, PATIENT);
    stores.push(node.store);
    return { node, sessions: createSessions(node.engine, resolved.settings) };
  }

  before(async () => {
    const all = { SECRET_KEY, DJANGO_VERSION: version, USE_TZ: true, ...settings };
    const django = await startDjango({ ...all, ...own }, version);
    if (settings.DATABASES) await django.migrate();
    const resolved = resolveDjangoSettings(all);
    pair = {
      django,
      ...(await connectNode(resolved)),
      async sessionsAt(now) {
        const settings = { ...resolved.settings, now: () => now };
        return (await connectNode({ ...resolved, settings })).sessions;
      },
    };
  });
  after(() => Promise.all(stores.map((store) => store?.close())));
  return () => pair;
}
