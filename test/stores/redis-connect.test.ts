import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { userInfo } from "node:os";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ConnectedStore, ConnectOptions } from "../../src/connect.ts";
import { localhostCertificate } from "../support/servers/certificate.ts";
import { startRedis } from "../support/servers/redis.ts";
import { freePort } from "../support/servers/server.ts";
import { connectWith, DRIVERS } from "./redis-drivers.ts";
import { failsWithoutSecrets, SECRETS } from "./redis-secrets.ts";
import { backAgain, doesAll, inAnHour, KEY } from "./redis-usage.ts";

const password = encodeURIComponent(SECRETS.password);
const server = await startRedis();
const guarded = await startRedis("--requirepass", SECRETS.password);

describe("connect to Redis without a driver", () => {
  test("says what to install", async () => {
    const connect = await connectWith();
    await assert.rejects(connect("redis://localhost"), { code: "ERR_CONFIG", message: /npm install redis/ });
  });

  test("refuses a wrong URL first", async () => {
    const connect = await connectWith();
    await assert.rejects(connect("redis://localhost/zero"), { code: "ERR_CONFIG", message: /database/ });
  });
});

test("connect takes node-redis where both drivers are installed", async () => {
  const connect = await connectWith(...DRIVERS);
  const store = await connect(`redis://127.0.0.1:${server.port}`);
  await store.load(KEY);
  await store.close();
  // In node-redis' words.
  await assert.rejects(store.load(KEY), /The client is closed/);
});

for (const driver of DRIVERS) {
  describe(`connect to Redis with ${driver}`, () => {
    let connect: (url: string, options?: ConnectOptions) => Promise<ConnectedStore>;
    before(async () => {
      connect = await connectWith(driver);
    });

    const uses = async (url: string, options?: ConnectOptions) => {
      const store = await connect(url, options);
      try {
        await doesAll(store);
        assert.equal(await store.migrate(), false);
      } finally {
        await store.close();
      }
    };
    const fails = async (url: string, message: RegExp) => {
      const store = await connect(url);
      try {
        await failsWithoutSecrets(store.load(SECRETS.key), message);
        const record = { payload: SECRETS.payload, expiresAt: inAnHour() };
        await failsWithoutSecrets(store.create(SECRETS.key, record), message);
        await failsWithoutSecrets(store.update(SECRETS.key, record, SECRETS.expected), message);
        await failsWithoutSecrets(store.delete(SECRETS.key, SECRETS.expected), message);
      } finally {
        await store.close();
      }
    };

    test("works by redis://", () => uses(`redis://127.0.0.1:${server.port}`));
    test("works by redis+unix://", () => uses(`redis+unix://${server.socket}`));

    test("keeps to the database that the URL names, and to the prefix", async (t) => {
      for (const url of [`redis://127.0.0.1:${server.port}/7`, `redis+unix://${server.socket}?db=8`]) {
        const store = await connect(url, { prefix: "mine:", now: () => new Date(0) });
        t.after(() => store.close());
        await store.create(KEY, { payload: "a", expiresAt: new Date(60_000) });
        assert.equal(server.cli("-n", url.at(-1)!, "get", `mine:${KEY}`), "a");
      }
    });

    test("logs in with a password of any characters", async () => {
      await uses(`redis://:${password}@127.0.0.1:${guarded.port}`);
      await uses(`redis+unix://${guarded.socket}?password=${password}`);
    });

    test("works with a user who has the rights that redisStore names, and no more", async (t) => {
      const rights = "+get +set +del +eval +evalsha".split(" ");
      server.cli("acl", "setuser", "sojourn", "reset", "on", `>${SECRETS.password}`, "~session:*", ...rights);
      const url = `redis://sojourn:${password}@127.0.0.1:${server.port}`;
      const warn = t.mock.method(console, "warn");
      await uses(url);
      assert.equal(warn.mock.callCount(), 0);
      const store = await connect(url, { prefix: "other:" });
      t.after(() => store.close());
      await failsWithoutSecrets(store.load(SECRETS.key), /NOPERM .* \+get \+set/);
      for (const right of rights) {
        server.cli("acl", "setuser", "sojourn", right.replace("+", "-"));
        server.cli("script", "flush");
        await assert.rejects(uses(url), /permissions|executing the script/, right);
        server.cli("acl", "setuser", "sojourn", right);
        server.cli("del", `session:${KEY}`);
      }
    });

    test("tells of a wrong password, and of one that is missing", async () => {
      await fails(`redis://:${password}x@127.0.0.1:${guarded.port}`, /^Redis at 127\.0\.0\.1:\d+: WRONGPASS/);
      await fails(`redis://127.0.0.1:${guarded.port}`, /NOAUTH .*password/);
    });

    test("tells of a host that does not exist", () => fails("redis://no.such.host.invalid", /ENOTFOUND no\.such/));

    test("tells of a server that has no connection left", async () => {
      const full = await startRedis("--maxclients", "1");
      const first = await connect(`redis://127.0.0.1:${full.port}`);
      try {
        // Whoever looked whether the server was up has to go first.
        await backAgain(() => first.load(KEY));
        await fails(`redis://127.0.0.1:${full.port}`, /max number of clients|closed|ECONNRESET|EPIPE/);
      } finally {
        await first.close();
      }
    });

    test("tells of a cluster that is taken for a single server", async () => {
      const node = await startRedis("--cluster-enabled", "yes");
      await fails(`redis://127.0.0.1:${node.port}`, /CLUSTERDOWN/);
    });

    describe("over TLS", () => {
      const { cert, key } = localhostCertificate(userInfo().username);
      const certified = `ca=${cert}&cert=${cert}&key=${key}`;
      let secure: { tlsPort: number };

      before(async () => {
        const tlsPort = await freePort();
        const files = ["--tls-ca-cert-file", cert, "--tls-cert-file", cert, "--tls-key-file", key];
        secure = { ...(await startRedis("--port", "0", "--tls-port", `${tlsPort}`, ...files)), tlsPort };
      });

      test("works with an authority of one's own and a certificate for the client", () =>
        uses(`rediss://localhost:${secure.tlsPort}/1?${certified}`));

      test("refuses a server that nobody vouches for", () =>
        fails(`rediss://localhost:${secure.tlsPort}`, /self.signed certificate|unable to verify/));

      test("refuses a server with a certificate for another name", () =>
        fails(`rediss://127.0.0.1:${secure.tlsPort}?${certified}`, /127\.0\.0\.1/));

      test("tells of a server that wants a certificate of the client", () =>
        fails(`rediss://localhost:${secure.tlsPort}?ca=${cert}`, /certificate required|closed|ECONNRESET|EPIPE/));
    });

    for (const [name, url] of [
      ["is there", () => `redis://127.0.0.1:${server.port}`],
      ["is down", () => "redis://127.0.0.1:1"],
    ] as const) {
      test(`lets the process end after close, when the server ${name}`, async () => {
        const path = fileURLToPath(new URL("./redis-drivers.js", import.meta.url));
        const script = `
          const { connectWith } = await import(${JSON.stringify(path)});
          const store = await (await connectWith(${JSON.stringify(driver)}))(${JSON.stringify(url())});
          await store.load("key00000").catch(() => {});
          await store.close();
          await store.load("key00000").catch(({ code }) => console.log(code));`;
        const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
          encoding: "utf8",
          timeout: 20_000,
        });
        assert.deepEqual({ status, stderr, stdout }, { status: 0, stderr: "", stdout: "ERR_SESSION_UNAVAILABLE\n" });
      });
    }
  });
}
