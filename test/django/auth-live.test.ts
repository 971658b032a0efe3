import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  type DjangoSite,
  type NodeSite,
  SECRET_KEY,
  type Site,
  siteSettings,
  startDjangoSite,
  startNodeSite,
  type Visitor,
  visitor,
} from "../support/django/site.ts";
import { DJANGO_VERSIONS, type DjangoVersion } from "../support/django/versions.ts";

/* Who is logged in, asked of both sides: Django by its own middleware, views and users, Node by `djangoAuth`. */

const NEW_SECRET_KEY = `new ${SECRET_KEY}`;

interface Sites {
  readonly django: DjangoSite;
  readonly node: NodeSite;
  /** The same after the secret key was changed: the old one is a fallback where there are fallbacks. */
  readonly newDjango: Site;
  readonly newNode: NodeSite;
  /** Knows the new secret key only: what it believes was hashed and signed by that. */
  readonly strictNode: NodeSite;
}

async function open(version: DjangoVersion): Promise<Sites> {
  const settings = siteSettings({}, version);
  const strict = { ...settings, SECRET_KEY: NEW_SECRET_KEY };
  const rotated = { ...strict, SECRET_KEY_FALLBACKS: [SECRET_KEY] };
  const django = await startDjangoSite(settings, version);
  const [newDjango, node, newNode, strictNode] = await Promise.all([
    startDjangoSite(rotated, version),
    startNodeSite(settings, django),
    startNodeSite(rotated, django),
    startNodeSite(strict, django),
  ]);
  return { django, node, newDjango, newNode, strictNode };
}

for (const version of DJANGO_VERSIONS) {
  describe(`log-ins shared with Django ${version}`, () => {
    let sites: Sites;
    let users = 0;
    before(async () => {
      sites = await open(version);
    });
    after(() => Promise.all([sites.node, sites.newNode, sites.strictNode].map((site) => site.stop())));

    async function newUser(): Promise<{ username: string; password: string }> {
      const user = { username: `user-${users++}`, password: "correct horse" };
      await sites.django.putUser(user.username, { raw: user.password });
      return user;
    }

    async function enter(site: Site, user: { username: string; password: string }): Promise<Visitor> {
      const browser = visitor();
      const { who } = await browser.post(site, "login", user);
      assert.equal(who.user, user.username);
      return browser;
    }

    /** Whom both take the visitor for. */
    async function known(browser: Visitor): Promise<string | null> {
      const { user } = (await browser.get(sites.django, "who")).who;
      assert.equal((await browser.get(sites.node, "who")).who.user, user);
      return user;
    }

    /** The same for a cookie that was kept by whoever had it. */
    function knownBy(cookie: string): Promise<string | null> {
      const browser = visitor();
      browser.restore(cookie);
      return known(browser);
    }

    for (const here of ["node", "django"] as const) {
      const there = here === "node" ? "django" : "node";

      test(`who logs in at ${here} is logged in at ${there}`, async () => {
        const user = await newUser();
        assert.equal(await known(await enter(sites[here], user)), user.username);
      });

      test(`who logs out at ${here} is logged out at ${there}, with every copy of the cookie`, async () => {
        const browser = await enter(sites[there], await newUser());
        const cookie = browser.cookie()!;
        await browser.post(sites[here], "logout");
        assert.equal(browser.cookie(), null);
        assert.equal(await known(browser), null);
        assert.equal(await knownBy(cookie), null);
      });

      test(`a change of password at ${here} keeps this session and ends the user's others`, async () => {
        const user = await newUser();
        const [browser, otherBrowser] = [await enter(sites[here], user), await enter(sites[there], user)];
        const [cookie, otherCookie] = [browser.cookie()!, otherBrowser.cookie()!];
        await browser.post(sites[here], "set", { key: "cart", value: '["tea"]' });
        const { who } = await browser.post(sites[here], "password", { password: "new password" });
        assert.deepEqual([who.user, who.data], [user.username, { cart: ["tea"] }]);
        assert.notEqual(browser.cookie(), cookie);
        assert.equal(await known(browser), user.username);
        assert.equal(await known(otherBrowser), null);
        for (const former of [cookie, otherCookie]) assert.equal(await knownBy(former), null);
        await enter(sites[there], { ...user, password: "new password" });
      });

      test(`a password changed behind its back ends the session at ${here}, and so at ${there}`, async () => {
        const user = await newUser();
        const browser = await enter(sites[there], user);
        const cookie = browser.cookie()!;
        await sites.django.putUser(user.username, { raw: "changed by an administrator" });
        assert.equal((await browser.get(sites[here], "who")).who.user, null);
        assert.equal(browser.cookie(), null);
        await sites.django.putUser(user.username, { raw: user.password });
        assert.equal(await knownBy(cookie), null);
      });

      test(`another user who logs in at ${here} finds nothing of the one from ${there}`, async () => {
        const [first, second] = [await newUser(), await newUser()];
        const browser = await enter(sites[there], first);
        const cookie = browser.cookie()!;
        await browser.post(sites[there], "set", { key: "cart", value: '["tea"]' });
        const { who } = await browser.post(sites[here], "login", second);
        assert.deepEqual([who.user, who.data], [second.username, {}]);
        assert.equal(await known(browser), second.username);
        assert.equal(await knownBy(cookie), null);
      });

      test(`what a visitor gathered at ${there} is there after the login at ${here}, under another key`, async () => {
        const user = await newUser();
        const browser = visitor();
        await browser.post(sites[there], "set", { key: "cart", value: '["tea"]' });
        const cookie = browser.cookie()!;
        const { who } = await browser.post(sites[here], "login", user);
        assert.deepEqual([who.user, who.data], [user.username, { cart: ["tea"] }]);
        assert.equal(await known(browser), user.username);
        const before = visitor();
        before.restore(cookie);
        assert.deepEqual((await before.get(sites[there], "who")).who.data, {});
      });

      test(`a user who was deactivated is nobody at ${here}, and somebody again later`, async () => {
        const user = await newUser();
        const browser = await enter(sites[there], user);
        await sites.django.putUser(user.username, { is_active: false });
        assert.equal((await browser.get(sites[here], "who")).who.user, null);
        await sites.django.putUser(user.username, { is_active: true });
        assert.equal(await known(browser), user.username);
      });

      test(`a login at ${here} outlives a change of the secret key, and is renewed by Node`, async () => {
        const user = await newUser();
        const browser = await enter(sites[here], user);
        const cookie = browser.cookie();
        await browser.post(sites[here], "set", { key: "cart", value: '["tea"]' });
        // As a page loads: all at once.
        const answers = await Promise.all(Array.from({ length: 6 }, () => browser.get(sites.newNode, "who")));
        for (const { who } of answers) assert.deepEqual([who.user, who.data], [user.username, { cart: ["tea"] }]);
        for (const site of [sites.strictNode, sites.newDjango, sites.newNode]) {
          assert.equal((await browser.get(site, "who")).who.user, user.username);
        }
        assert.equal(browser.cookie(), cookie);
      });

      // Django has fallbacks since 4.1.
      if (version === "3.2") continue;
      test(`a login at ${here} outlives a change of the secret key, and is renewed by Django`, async () => {
        const user = await newUser();
        const browser = await enter(sites[here], user);
        const cookie = browser.cookie()!;
        assert.equal((await browser.get(sites.newDjango, "who")).who.user, user.username);
        assert.notEqual(browser.cookie(), cookie);
        for (const site of [sites.strictNode, sites.newNode]) {
          assert.equal((await browser.get(site, "who")).who.user, user.username);
        }
      });
    }

    test("the same user who logs in again at Node gets another key, and keeps the data", async () => {
      const user = await newUser();
      const browser = await enter(sites.django, user);
      await browser.post(sites.django, "set", { key: "cart", value: '["tea"]' });
      const cookie = browser.cookie()!;
      const { who } = await browser.post(sites.node, "login", user);
      assert.deepEqual([who.user, who.data], [user.username, { cart: ["tea"] }]);
      assert.equal(await known(browser), user.username);
      assert.equal(await knownBy(cookie), null);
    });

    test("a login under a secret key that nobody knows any more is none", async () => {
      const browser = await enter(sites.node, await newUser());
      assert.equal((await browser.get(sites.strictNode, "who")).who.user, null);
    });
  });
}
