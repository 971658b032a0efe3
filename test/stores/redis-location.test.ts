import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type RedisLocation, redisLocation } from "../../src/connect/redis/location.ts";
import { SessionError } from "../../src/core/errors.ts";
import { localhostCertificate } from "../support/servers/certificate.ts";
import { temporaryDirectory } from "../support/servers/server.ts";
import { hasNoSecrets, SECRETS } from "./redis-secrets.ts";

const password = encodeURIComponent(SECRETS.password);
const { cert, key } = localhostCertificate(userInfo().username);
const noCertificate = join(temporaryDirectory(), "cert.pem");
writeFileSync(noCertificate, "Dear diary");

const empty = { path: "", database: 0, login: {}, sentinelLogin: {}, tls: undefined };
const at = (...hosts: [host: string, port: number][]) => hosts.map(([host, port]) => ({ host, port }));

describe("a Redis URL", () => {
  const meanings: Record<string, Partial<RedisLocation>> = {
    "redis://db.example:6380/3": { kind: "server", addresses: at(["db.example", 6380]), database: 3 },
    "redis://db": { addresses: at(["db", 6379]), name: "Redis at db" },
    "redis://db/": { addresses: at(["db", 6379]) },
    "redis://db?db=4": { database: 4 },
    "redis://[::1]:6380": { addresses: at(["::1", 6380]) },
    [`redis://:${password}@db`]: { login: { password: SECRETS.password }, name: "Redis at db" },
    [`redis://me%40home:${password}@db`]: { login: { username: "me@home", password: SECRETS.password } },
    "redis://me@db": { login: { username: "me", password: "" } },
    "rediss://db": { kind: "server", tls: {} },
    [`rediss://db?ca=${cert}&cert=${cert}&key=${key}`]: {
      tls: { ca: readFileSync(cert), cert: readFileSync(cert), key: readFileSync(key) },
    },
    "redis+unix:///run/redis%20a.sock?db=2": {
      kind: "socket",
      addresses: [],
      path: "/run/redis a.sock",
      database: 2,
      name: "Redis at /run/redis a.sock",
    },
    [`redis+unix:///run/a?password=${password}`]: { path: "/run/a", login: { password: SECRETS.password } },
    [`redis+unix://me:${password}@/run/a`]: { path: "/run/a", login: { username: "me", password: SECRETS.password } },
    [`redis+cluster://me:${password}@a:1,b:2,[::1]`]: {
      kind: "cluster",
      addresses: at(["a", 1], ["b", 2], ["::1", 6379]),
      login: { username: "me", password: SECRETS.password },
      name: "Redis Cluster at a:1,b:2,[::1]",
    },
    "rediss+cluster://a/0": { kind: "cluster", tls: {} },
    [`redis+sentinel://:${password}@a:1,b/main?db=5&sentinelUser=s&sentinelPassword=${password}`]: {
      kind: "sentinel",
      addresses: at(["a", 1], ["b", 26379]),
      path: "main",
      database: 5,
      login: { password: SECRETS.password },
      sentinelLogin: { username: "s", password: SECRETS.password },
      name: "Redis main of the sentinels a:1,b",
    },
    "rediss+sentinel://a/main": { kind: "sentinel", tls: {}, path: "main" },
  };
  for (const [url, meaning] of Object.entries(meanings)) {
    test(`is understood: ${url.replaceAll(password, "…")}`, () => {
      const location = redisLocation(url);
      const { kind, addresses, name, ...rest } = { ...location };
      for (const [part, value] of Object.entries(meaning))
        assert.deepEqual(location[part as keyof typeof location], value);
      for (const [part, value] of Object.entries(empty)) {
        if (!(part in meaning)) assert.deepEqual(rest[part as keyof typeof rest], value);
      }
    });
  }

  const mistakes: Record<string, RegExp> = {
    "redis:": /redis:\/\/user:password@host/,
    "redis://": /needs a host/,
    "redis:///0": /needs a host/,
    "redis://db:70000": /port/,
    "redis://db:0": /port/,
    "redis://db:port": /port/,
    "redis://::1": /host/,
    "redis://db/zero": /database/,
    "redis://db/-1": /database/,
    "redis://db?db=x": /database/,
    "redis://a,b": /redis\+cluster/,
    "redis://db?ca=/x": /parameter.*: ca$/,
    "redis://db?timeout=5": /parameter.*: timeout$/,
    "redis://db#0": /form/,
    "redis://me:100%@db": /%25/,
    [`redis://me:${SECRETS.password}@db`]: /escape/,
    "rediss://db?ca=/no/such/file": /cannot be used: .*no such file/,
    [`rediss://db?cert=${noCertificate}`]: /cannot be used: .*PEM/,
    [`rediss://db?cert=${cert}&key=${noCertificate}`]: /cannot be used/,
    "redis+unix://host/path": /redis\+unix:\/\/\/path/,
    "redis+unix://": /redis\+unix:\/\/\/path/,
    "redis+cluster://a/1": /database/,
    "redis+cluster://a?db=1": /parameter/,
    "redis+cluster://a,,b": /host/,
    "redis+sentinel://a": /primary/,
    "redis+sentinel://a/": /primary/,
    [`redis://:${password}@db?sentinelPassword=${password}`]: /parameter.*: sentinelPassword$/,
  };
  for (const [url, message] of Object.entries(mistakes)) {
    test(`is refused, and not shown: ${url.replaceAll(password, "…")}`, () => {
      assert.throws(
        () => redisLocation(url),
        (error) => {
          assert.ok(error instanceof SessionError);
          assert.equal(error.code, "ERR_CONFIG");
          assert.match(error.message.replace(/\.$/, ""), message);
          hasNoSecrets(error);
          return true;
        },
      );
    });
  }
});
