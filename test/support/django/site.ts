import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import express from "express";
import { CookieJar } from "tough-cookie";
import { expressSessions } from "../../../src/adapters/express.ts";
import type { Session } from "../../../src/core/session.ts";
import { createSessions } from "../../../src/core/sessions.ts";
import { connectDjango, type DjangoSettings, djangoAuth, resolveDjangoSettings } from "../../../src/django.ts";
import { temporaryDirectory } from "../servers/server.ts";
import { PATIENT } from "./patient.ts";
import { type DjangoVersion, python } from "./versions.ts";

/* Two servers for one browser: a site of Django's, and one of Node's which does the same, with the same users. */

export const SECRET_KEY = "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz";

/** The front page of both. Each form is answered by what `who` says. */
const PAGE = `<!doctype html><title>A site</title>
<form action="login" method="post"><input name="username"><input name="password"><button>Log in</button></form>
<form action="set" method="post"><input name="key"><input name="value"><button>Set</button></form>
<form action="logout" method="post"><button>Log out</button></form>`;

export interface User {
  readonly id: number;
  readonly username: string;
  /** The field. */
  readonly password: string;
}

export interface Site {
  /** `http://127.0.0.1:port/` */
  readonly address: string;
}

export interface NodeSite extends Site {
  stop(): Promise<void>;
}

/** Django's has the table of users. */
export interface DjangoSite extends Site {
  /** As the database has it now; `null` if there is none, or not an active one. */
  user(by: { username: string } | { id: string }): Promise<User | null>;
  /** Makes the user, or changes them. @param raw the password itself; `password` is the field */
  putUser(username: string, fields: { raw: string } | { password: string } | { is_active: boolean }): Promise<void>;
}

/** What `who` answers, and every form. */
export interface Who {
  readonly user: string | null;
  readonly data: Record<string, unknown>;
  readonly age: number;
  readonly endsWithBrowser: boolean;
}

/** The settings of both; users are in a database of their own if the sessions are in none. */
export function siteSettings(settings: DjangoSettings, version: DjangoVersion): DjangoSettings {
  const database = { ENGINE: "django.db.backends.sqlite3", NAME: join(temporaryDirectory(), "db.sqlite3") };
  return { DJANGO_VERSION: version, SECRET_KEY, USE_TZ: true, DATABASES: { default: database }, ...settings };
}

export async function startDjangoSite(settings: DjangoSettings, version: DjangoVersion): Promise<DjangoSite> {
  const { command, args, env } = python(version);
  const script = fileURLToPath(new URL("../../../../test/support/django/site.py", import.meta.url));
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", command, ...args, "-B", "-W", "ignore", script], {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(`${JSON.stringify({ ...settings, PAGE })}\n`);
  const { value: port, done } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  if (done) throw new Error(`Django ${version} ended`);
  // A test file ends when its tests have ended.
  child.unref();
  (child.stdout as unknown as Socket).unref();
  const address = `http://127.0.0.1:${port}/`;
  return {
    address,
    async user(by) {
      const response = await fetch(`${address}users?${new URLSearchParams(by)}`);
      return ((await response.json()) as { user: User | null }).user;
    },
    async putUser(username, fields) {
      const values = Object.entries(fields).map(([name, value]) => [
        name,
        name === "raw" ? value : JSON.stringify(value),
      ]);
      const body = new URLSearchParams({ username, ...Object.fromEntries(values) });
      const response = await fetch(`${address}users`, { method: "POST", body });
      if (!response.ok) throw new Error(`Django ${version}: ${response.status}`);
    },
  };
}

/** What the Django site does, with the sessions of the same settings. @param django has the users */
export async function startNodeSite(settings: DjangoSettings, django: DjangoSite): Promise<NodeSite> {
  const resolved = resolveDjangoSettings(settings);
  const { engine, store } = await connectDjango(resolved, PATIENT);
  const sessions = createSessions(engine, resolved.settings);
  const { SECRET_KEY: secretKey = "", SECRET_KEY_FALLBACKS: secretKeyFallbacks } = settings;
  const auth = djangoAuth({ secretKey, secretKeyFallbacks });
  const find = (id: string) => django.user({ id });

  async function who(session: Session): Promise<Who> {
    const user = await auth.user(session, find);
    const data = Object.fromEntries([...session].filter(([key]) => !key.startsWith("_")));
    const [age, endsWithBrowser] = [session.expiryAge(), session.expiresAtBrowserClose()];
    return { user: user?.username ?? null, data, age, endsWithBrowser };
  }

  const app = express();
  app.use(expressSessions(sessions), express.urlencoded());
  app.get("/", (_req, res) => void res.send(PAGE));
  app.get("/nothing", (_req, res) => void res.json({}));
  app.get("/who", async (req, res) => void res.json(await who(await sessions.get(req))));
  app.post("/login", async (req, res) => {
    const { username, password } = req.body;
    const user = await django.user({ username });
    if (!user || !isPassword(password, user.password)) return void res.status(403).json({});
    const session = await sessions.get(req);
    await auth.login(session, user);
    res.json(await who(session));
  });
  app.post("/logout", async (req, res) => {
    const session = await sessions.get(req);
    await auth.logout(session);
    res.json(await who(session));
  });
  app.post("/set", async (req, res) => {
    const session = await sessions.get(req);
    session.set(req.body.key, JSON.parse(req.body.value));
    res.json(await who(session));
  });
  app.post("/expiry", async (req, res) => {
    const session = await sessions.get(req);
    session.setExpiry(JSON.parse(req.body.expiry));
    res.json(await who(session));
  });
  app.post("/password", async (req, res) => {
    const session = await sessions.get(req);
    const user = await auth.user(session, find);
    const password = passwordField(req.body.password);
    await django.putUser(user!.username, { password });
    await auth.updateHash(session, { ...user!, password });
    res.json(await who(session));
  });

  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async stop() {
      server.close();
      server.closeAllConnections();
      await store?.close();
    },
  };
}

const md5 = (text: string) => createHash("md5").update(text).digest("hex");

/** Of Django's MD5PasswordHasher. */
function passwordField(password: string, salt = randomBytes(16).toString("hex")): string {
  return `md5$${salt}$${md5(salt + password)}`;
}

function isPassword(password: string, field: string): boolean {
  return passwordField(password, field.split("$")[1]) === field;
}

export interface Answer {
  readonly status: number;
  readonly setCookie: readonly string[];
  readonly who: Who;
}

/** A browser without a screen, which keeps one jar for all ports of a host, as browsers do. */
export interface Visitor {
  get(site: Site, path: string): Promise<Answer>;
  post(site: Site, path: string, form?: Record<string, string>): Promise<Answer>;
  /** The session's cookie; `null` if there is none. */
  cookie(): string | null;
  /** Brings back a cookie that was thrown away. */
  restore(cookie: string): void;
}

const HOST = "http://127.0.0.1/";

export function visitor(): Visitor {
  const jar = new CookieJar();

  async function ask(site: Site, path: string, init: RequestInit): Promise<Answer> {
    const headers = { cookie: jar.getCookieStringSync(HOST) };
    const response = await fetch(site.address + path, { ...init, headers, redirect: "manual" });
    const setCookie = response.headers.getSetCookie();
    // By `expires`, which both send as well: tough-cookie counts Max-Age from the last use of the cookie.
    for (const line of setCookie) jar.setCookieSync(line.replace(/; Max-Age=\d+/i, ""), HOST);
    const text = await response.text();
    return {
      status: response.status,
      setCookie,
      get who() {
        return JSON.parse(text);
      },
    };
  }

  return {
    get: (site, path) => ask(site, path, {}),
    post: (site, path, form = {}) => ask(site, path, { method: "POST", body: new URLSearchParams(form) }),
    cookie: () => jar.getCookiesSync(HOST).find(({ key }) => key === "sessionid")?.value ?? null,
    restore: (cookie) => void jar.setCookieSync(`sessionid=${cookie}; Path=/`, HOST),
  };
}
