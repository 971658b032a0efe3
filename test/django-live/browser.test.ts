import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import type { DjangoSettings } from "../../src/django.ts";
import {
  type DjangoSite,
  type NodeSite,
  siteSettings,
  startDjangoSite,
  startNodeSite,
  type Who,
} from "../support/django/site.ts";
import type { DjangoVersion } from "../support/django/versions.ts";
import { startRedis } from "../support/servers/redis.ts";

/* A Django site and a Node server, and a real browser that fills in the forms of both. */

const CHROMIUM = "/usr/bin/chromium";
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
];
const BACKENDS = "django.contrib.sessions.backends";
const redis = await startRedis();
const USER = { username: "ann", password: "correct horse" };

const ENGINES: Readonly<Record<string, readonly [DjangoVersion, DjangoSettings]>> = {
  db: ["3.2", {}],
  cached_db: [
    "5.2",
    {
      SESSION_ENGINE: `${BACKENDS}.cached_db`,
      CACHES: {
        default: {
          BACKEND: "django.core.cache.backends.redis.RedisCache",
          LOCATION: `redis://127.0.0.1:${redis.port}/1`,
        },
      },
    },
  ],
  signed_cookies: ["6.1", { SESSION_ENGINE: `${BACKENDS}.signed_cookies` }],
};

/** A reverse proxy: Node under /node/, Django elsewhere. */
async function startProxy(django: string, node: string): Promise<{ address: string; stop(): void }> {
  const server = createServer((req, res) => {
    const target = req.url!.startsWith("/node/")
      ? new URL(req.url!.slice("/node/".length), node)
      : new URL(req.url!, django);
    const { method, headers } = req;
    req.pipe(
      request(target, { method: method!, headers }, (answer) => {
        res.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(res);
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}/`,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

describe("one browser, two servers", () => {
  let browser: Browser;
  let context: BrowserContext;
  before(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
  });
  after(() => browser?.close());
  afterEach(() => context.close());

  async function openPage(): Promise<Page> {
    context = await browser.newContext();
    return context.newPage();
  }

  const answer = async (page: Page): Promise<Who> => JSON.parse(await page.locator("pre").innerText());

  async function who(page: Page, address: string): Promise<Who> {
    await page.goto(`${address}who`);
    return answer(page);
  }

  /** Fills in a form of the front page, and gives what its answer says. */
  async function send(page: Page, address: string, name: string, fields: Record<string, string> = {}): Promise<Who> {
    await page.goto(address);
    const form = page.locator(`form[action="${name}"]`);
    for (const [field, value] of Object.entries(fields)) await form.locator(`[name="${field}"]`).fill(value);
    await form.getByRole("button").click();
    await page.waitForURL(`${address}${name}`);
    return answer(page);
  }

  /** Log in at one, change at both, log out at the other. */
  async function stroll(here: string, there: string): Promise<void> {
    const page = await openPage();
    assert.deepEqual((await send(page, there, "set", { key: "cart", value: '["tea"]' })).data, { cart: ["tea"] });
    const [visiting] = await context.cookies();
    assert.equal((await send(page, here, "login", USER)).user, USER.username);
    const [entered, ...others] = await context.cookies();
    assert.deepEqual(others, []);
    assert.deepEqual([entered!.name, entered!.httpOnly, entered!.sameSite], ["sessionid", true, "Lax"]);
    assert.notEqual(entered!.value, visiting!.value);

    const { user, data } = await who(page, there);
    assert.deepEqual([user, data], [USER.username, { cart: ["tea"] }]);
    await send(page, there, "set", { key: "seen", value: "1.5" });
    await send(page, here, "set", { key: "note", value: '"\\u00e9 & <b>"' });
    for (const address of [here, there]) {
      assert.deepEqual((await who(page, address)).data, { cart: ["tea"], seen: 1.5, note: "\u00e9 & <b>" });
    }

    assert.equal((await send(page, there, "logout")).user, null);
    assert.deepEqual(await context.cookies(), []);
    for (const address of [here, there]) {
      const left = await who(page, address);
      assert.deepEqual([left.user, left.data], [null, {}]);
    }
  }

  for (const [name, [version, engine]] of Object.entries(ENGINES)) {
    describe(`${name}, with Django ${version}`, () => {
      let django: DjangoSite;
      let node: NodeSite;
      before(async () => {
        const settings = siteSettings(engine, version);
        django = await startDjangoSite(settings, version);
        await django.putUser(USER.username, { raw: USER.password });
        node = await startNodeSite(settings, django);
      });
      after(() => node.stop());

      test("at two ports: in at Node, out at Django", () => stroll(node.address, django.address));
      test("at two ports: in at Django, out at Node", () => stroll(django.address, node.address));

      if (name !== "db") return;
      test("behind one address, with Node under /node/: the same, both ways", async () => {
        const proxy = await startProxy(django.address, node.address);
        try {
          await stroll(`${proxy.address}node/`, proxy.address);
          await context.close();
          await stroll(proxy.address, `${proxy.address}node/`);
        } finally {
          proxy.stop();
        }
      });
    });
  }
});
