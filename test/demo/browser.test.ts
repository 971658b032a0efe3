import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { fingerprint, memoryStore, type SessionStore } from "sojourn";
import { type DemoServer, startDemo } from "./demo-server.ts";

const CHROMIUM = "/usr/bin/chromium";
const QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
const OFFLINE = ["--disable-component-update", "--disable-sync"];
const ARTIFACTS = fileURLToPath(new URL("../../../artifacts/", import.meta.url));
const HOSTILE = `"'><img src=x onerror=alert(1)></script><script>alert(2)</script>`;

describe("The demo's page in a browser", { skip: existsSync(CHROMIUM) ? false : `there is no ${CHROMIUM}` }, () => {
  let browser: Browser;
  let server: DemoServer;
  let store: SessionStore;
  let isDown = false;
  let context: BrowserContext;
  let problems: string[];
  before(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", ...QUIET, ...OFFLINE] });
    store = memoryStore();
    const load: SessionStore["load"] = (key) => (isDown ? Promise.reject(new Error("down")) : store.load(key));
    server = await startDemo({ store: { ...store, load } });
    mkdirSync(ARTIFACTS, { recursive: true });
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });
  beforeEach(() => {
    problems = [];
  });
  afterEach(() => context.close());

  /** A page of a fresh browser; what it complains about is collected. */
  async function open(options: BrowserContextOptions = {}): Promise<Page> {
    context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    return openTab();
  }

  async function openTab(): Promise<Page> {
    const page = await context.newPage();
    page.on("dialog", (dialog) => {
      problems.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
    });
    await page.goto(server.address);
    return page;
  }

  const submit = (page: Page, name: string) => page.getByRole("button", { name, exact: true }).click();
  const see = (page: Page, place: string, text: string | RegExp) =>
    page.locator(place).getByText(text).first().waitFor();

  async function set(page: Page, key: string, value: string): Promise<void> {
    const form = page.locator('form[action="/do/set"]');
    await form.getByLabel("Key").fill(key);
    await form.getByLabel("Value").fill(value);
    await submit(page, "Set");
    await page.locator("#data .key").getByText(key, { exact: true }).waitFor();
  }

  async function chooseExpiry(page: Page, choice: string, instant?: string): Promise<void> {
    await page.getByLabel("Ends").selectOption(choice);
    if (instant !== undefined) await page.getByLabel("Instant, in UTC").fill(instant);
    await submit(page, "Apply");
  }

  async function sessionKey(): Promise<string> {
    const [cookie] = await context.cookies();
    return cookie!.value;
  }

  for (const [how, javaScriptEnabled] of [
    ["without scripts", false],
    ["with scripts", true],
  ] as const) {
    test(`${how}: every button does what it says, in all three places`, async () => {
      const page = await open({ javaScriptEnabled });
      await see(page, "#browser", "No cookie.");
      await see(page, "#server", "No row.");

      await set(page, "uid", "alice");
      await see(page, "#said", "Saved");
      const first = await sessionKey();
      await see(page, "#browser .chip", fingerprint(first));
      await see(page, "#server .chip", fingerprint(first));
      await see(page, "#data .value", '"alice"');

      await page.locator('form[method="get"]').getByLabel("Key").fill("uid");
      await submit(page, "Read");
      await see(page, "#said", 'uid is "alice"');

      await chooseExpiry(page, "60");
      await see(page, "#server .remaining", /^in (1 minute|\d+ seconds?)$/);
      await see(page, "#browser .remaining", /^in (1 minute|\d+ seconds?)$/);
      await chooseExpiry(page, "0");
      await see(page, "#browser", "the browser is closed");
      await chooseExpiry(page, "at", "2040-02-03T04:05");
      await see(page, "#server time", "2040-02-03 04:05:00 UTC");
      await chooseExpiry(page, "never");
      await see(page, "#server dd", "never");

      await submit(page, "Cycle key");
      await see(page, "#said", "new key");
      const second = await sessionKey();
      assert.notEqual(second, first);
      await see(page, "#browser .chip", fingerprint(second));
      await see(page, "#server .chip", fingerprint(second));
      await see(page, "#data .value", '"alice"');

      await set(page, HOSTILE, HOSTILE);
      assert.equal(await page.locator("#data img, #data script").count(), 0);
      await submit(page, `Delete ${HOSTILE}`);
      await see(page, "#said", "Deleted");
      await page.locator("#data .key").getByText(HOSTILE, { exact: true }).waitFor({ state: "detached" });

      await submit(page, "Clear");
      await see(page, "#data", "Nothing yet.");
      await see(page, "#server .chip", fingerprint(second));

      await submit(page, "Flush");
      await see(page, "#said", "Logged out");
      await see(page, "#browser", "No cookie.");
      await see(page, "#server", "No row.");
      assert.deepEqual(await context.cookies(), []);
      assert.deepEqual(problems, []);
    });

    test(`${how}: a mistake is answered in words`, async () => {
      const page = await open({ javaScriptEnabled });
      await chooseExpiry(page, "at", "");
      await see(page, ".bad", "An expiry is a number of seconds");
    });
  }

  test("with scripts: forms are sent without a reload, and the keyboard stays where it was", async () => {
    const page = await open();
    await page.evaluate(() => Object.assign(globalThis, { before: true }));
    await set(page, "a", "1");
    await set(page, "b", "2");
    const button = page.getByRole("button", { name: "Delete a", exact: true });
    await button.focus();
    await page.keyboard.press("Enter");
    await button.waitFor({ state: "detached" });
    await page.locator("#data :focus").waitFor();
    assert.equal(await page.evaluate(() => "before" in globalThis), true);
    assert.equal(new URL(page.url()).search, "");
  });

  test("with scripts: a tab follows what another one does", async () => {
    const [one, two] = [await open(), await openTab()];
    await set(one, "uid", "from another tab");
    await see(two, "#data .value", '"from another tab"');
    await submit(two, "Flush");
    await see(one, "#browser", "No cookie.");
    assert.deepEqual(problems, []);
  });

  test("with scripts: an outage is told, logs nobody out, and passes", async (t) => {
    t.mock.method(console, "error", () => {});
    const page = await open();
    await set(page, "uid", "1");
    const key = await sessionKey();
    try {
      isDown = true;
      await see(page, "#live", "Sessions are not available");
    } finally {
      isDown = false;
    }
    await see(page, "#live", "live");
    await see(page, "#data .key", "uid");
    assert.equal(await sessionKey(), key);
  });

  for (const [name, options] of [
    ["demo", {}],
    ["demo-dark", { colorScheme: "dark" }],
    ["demo-phone", { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 }],
  ] as const) {
    test(`nothing sticks out of the page: artifacts/${name}.png`, async () => {
      const page = await open(options);
      await set(page, "uid", "123");
      await set(page, "cart", '[{"tea": 2}, {"milk": 12345678901234567890}]');
      await set(page, "note", HOSTILE.repeat(3));
      await see(page, "#said", "Saved");
      await page.screenshot({ path: `${ARTIFACTS}${name}.png`, fullPage: true, animations: "disabled" });
      const [content, window] = (await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")) as number[];
      assert.equal(content, window);
      assert.deepEqual(problems, []);
    });
  }
});
