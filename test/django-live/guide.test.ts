import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { CookieJar } from "tough-cookie";
import { type DjangoVersion, python } from "../support/django/versions.ts";
import { accepts, freePort, temporaryDirectory, until } from "../support/servers/server.ts";

/* docs/with-django.md, done as it says: its commands and its programs, taken from the page. */

const ROOT = new URL("../../../", import.meta.url).pathname;
const GUIDE = readFileSync(join(ROOT, "docs/with-django.md"), "utf8");

/** The blocks of a section, in their order. */
function blocks(section: string, language: string): string[] {
  const text = GUIDE.split(/^## /m).find((part) => part.startsWith(section));
  assert.ok(text, `the guide has no section ${section}`);
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(([, block]) => block!);
}

const [startProject] = blocks("# Django and Node, one login", "sh");

for (const version of ["3.2", "6.1"] as DjangoVersion[]) {
  describe(`the guide, with a new project of Django ${version}`, () => {
    const folder = temporaryDirectory();
    const jar = new CookieJar();
    const ends: (() => void)[] = [];
    let [djangoPort, nodePort] = [0, 0];

    /** As the reader's shell would, with `python3` being this Django's. */
    const environment = {
      npm_config_update_notifier: "false",
      PATH: `${join(folder, "bin")}:${join(process.execPath, "..")}:/usr/bin:/bin`,
      HOME: folder,
      DJANGO_SUPERUSER_USERNAME: "ann",
      DJANGO_SUPERUSER_PASSWORD: "correct horse battery",
      DJANGO_SUPERUSER_EMAIL: "ann@example.com",
    };
    const shell = (command: string, input = "") =>
      execFileSync("sh", ["-c", command], { cwd: folder, env: environment, encoding: "utf8", input, timeout: 120_000 });

    async function serve(port: number, command: string, ...args: string[]): Promise<void> {
      const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", command, ...args], {
        cwd: folder,
        env: environment,
        stdio: ["ignore", "ignore", "pipe"],
      });
      const errors: string[] = [];
      child.stderr.on("data", (chunk) => errors.push(String(chunk)));
      ends.push(() => child.kill());
      await Promise.race([
        until(() => accepts({ port, host: "127.0.0.1" }), command),
        once(child, "exit").then(([code]) => assert.fail(`${command} ended with ${code}: ${errors.join("")}`)),
      ]);
    }

    /** A browser's request: its cookies do not know ports. */
    async function visit(port: number, path: string, form?: Record<string, string>): Promise<Response> {
      const url = `http://127.0.0.1:${port}${path}`;
      const response = await fetch(url, {
        method: form ? "POST" : "GET",
        headers: { cookie: jar.getCookieStringSync("http://127.0.0.1/"), referer: url },
        redirect: "manual",
        ...(form && { body: new URLSearchParams(form) }),
      });
      for (const cookie of response.headers.getSetCookie()) jar.setCookieSync(cookie, "http://127.0.0.1/");
      return response;
    }
    const cookie = (name: string) =>
      jar.getCookiesSync("http://127.0.0.1/").find(({ key }) => key === name)?.value ?? "";
    const inNode = async () => (await visit(nodePort, "/")).json();

    before(async () => {
      const { command, args, env } = python(version);
      mkdirSync(join(folder, "bin"));
      const variables = Object.entries(env).map(([name, value]) => `${name}='${value}' `);
      const words = [command, ...args].map((word) => `'${word}'`).join(" ");
      writeFileSync(join(folder, "bin/python3"), `#!/bin/sh\n${variables.join("")}exec ${words} "$@"\n`);
      chmodSync(join(folder, "bin/python3"), 0o755);
      [djangoPort, nodePort] = [await freePort(), await freePort()];

      shell(startProject!.replace("createsuperuser", "createsuperuser --noinput"));
      const output = shell(`npm pack --json --ignore-scripts --pack-destination "${folder}" "${ROOT}"`);
      const packed = join(folder, JSON.parse(output)[0].filename);
      const [dump] = blocks("1. The settings", "sh");
      const [install, run] = blocks("2. The service", "sh");
      shell(dump!);
      shell(install!.replace("sojourn", packed));
      const parts = ["2. The service", "Who it is, for certain", "To log in from Node"];
      const app = parts.flatMap((section) => blocks(section, "js")).join("\n");
      writeFileSync(join(folder, "app.mjs"), app.replace("8001", String(nodePort)));
      const [command2, ...rest] = run!.trim().split(" ");
      await serve(nodePort, command2!, ...rest);
      await serve(
        djangoPort,
        join(folder, "bin/python3"),
        "manage.py",
        "runserver",
        "--noreload",
        `127.0.0.1:${djangoPort}`,
      );
    });
    after(() => {
      for (const end of ends) end();
    });

    test("the settings file is nobody else's to read", () => {
      assert.equal(statSync(join(folder, "django-settings.json")).mode & 0o77, 0);
    });

    test("who logs in at Django is known to Node, and who logs out is not", async () => {
      assert.deepEqual(await inNode(), { user: null, visits: 1 });

      await visit(djangoPort, "/admin/login/");
      const login = { username: "ann", password: environment.DJANGO_SUPERUSER_PASSWORD };
      const entered = await visit(djangoPort, "/admin/login/?next=/admin/", {
        ...login,
        csrfmiddlewaretoken: cookie("csrftoken"),
      });
      assert.equal(entered.status, 302);
      assert.deepEqual(await inNode(), { user: "1", visits: 2 });
      assert.match(await (await visit(djangoPort, "/admin/")).text(), /Site administration/);

      await visit(djangoPort, "/admin/logout/", { csrfmiddlewaretoken: cookie("csrftoken") });
      assert.deepEqual(await inNode(), { user: null, visits: 1 });
    });

    test("whose password Node has verified is logged in at Django, and out when Node says so", async () => {
      assert.equal((await visit(nodePort, "/login", { username: "ann", password: "wrong" })).status, 403);
      const login = { username: "ann", password: environment.DJANGO_SUPERUSER_PASSWORD };
      assert.equal((await visit(nodePort, "/login", login)).status, 204);
      assert.deepEqual(await (await visit(nodePort, "/me")).json(), { username: "ann" });
      assert.match(await (await visit(djangoPort, "/admin/")).text(), /Site administration/);

      assert.equal((await visit(nodePort, "/logout", {})).status, 204);
      assert.equal(await (await visit(nodePort, "/me")).json(), null);
      assert.equal((await visit(djangoPort, "/admin/")).status, 302);
    });

    test("sojourn check finds nothing wrong with a good cookie", async () => {
      await inNode();
      const [check] = blocks("3. If it does not work", "sh");
      shell(check!, cookie("sessionid"));
    });
  });
}
