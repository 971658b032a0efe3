import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { signer, timestampSign } from "../../src/django/signing.ts";
import { type DjangoSettings, djangoCookieCodec } from "../../src/django.ts";
import { startDjango } from "../support/django/peer.ts";
import { python } from "../support/django/versions.ts";
import { startRedis } from "../support/servers/redis.ts";
import { BACKENDS, check, hidden } from "./check-support.ts";
import { formerKey, open, payload, secretKey, sessionKey, strangersKey, temporaryFolder } from "./support.ts";

/* Sessions that are found and cannot be read, as real Django writes them, and why. */

const redis = await startRedis();
const path = join(temporaryFolder(), "db.sqlite3");
const base = { SECRET_KEY: secretKey, DATABASES: { default: { ENGINE: "django.db.backends.sqlite3", NAME: path } } };
await (await startDjango(base)).migrate();

/** Saved by real Django: the session key, or the cookie. */
async function saved(settings: DjangoSettings, data: object = { uid: hidden }): Promise<string> {
  const django = await startDjango(settings);
  const { key } = await django.session(null, ["update", data], ["save"]);
  return key!;
}

/** The same, of a class that is not plain data. */
function savedForeign(settings: DjangoSettings): string {
  const { command, args, env } = python("3.2");
  const script = `
import sys
sys.path.insert(0, sys.argv[1])
import project
project.configure(sys.stdin.read())
from collections import defaultdict
from importlib import import_module
from django.conf import settings
store = import_module(settings.SESSION_ENGINE).SessionStore()
store["cart"] = defaultdict(list)
store.save()
print(store.session_key)`;
  const folder = fileURLToPath(new URL("../../../test/support/django", import.meta.url));
  return execFileSync(command, [...args, "-B", "-W", "ignore", "-c", script, folder], {
    input: JSON.stringify(settings),
    env: { ...process.env, ...env },
    encoding: "utf8",
  }).trim();
}

const cached = (options: object = {}): DjangoSettings => ({
  ...base,
  SESSION_ENGINE: `${BACKENDS}.cache`,
  CACHES: {
    default: {
      BACKEND: "django_redis.cache.RedisCache",
      LOCATION: `redis://127.0.0.1:${redis.port}/1`,
      OPTIONS: options,
    },
  },
});
const JSON_IN_CACHE = { SERIALIZER: "django_redis.serializers.json.JSONSerializer" };
const compressor = (name: string) => ({
  COMPRESSOR: `django_redis.compressors.${name.toLowerCase()}.${name}Compressor`,
});
const PICKLED: DjangoSettings = {
  ...base,
  DJANGO_VERSION: "3.2",
  USE_TZ: true,
  SESSION_SERIALIZER: "django.contrib.sessions.serializers.PickleSerializer",
};
const LEGACY = { ...base, DEFAULT_HASHING_ALGORITHM: "sha1" };
const OLD = { ...base, DJANGO_VERSION: "3.2", USE_TZ: true };
const COOKIES = { ...base, SESSION_ENGINE: `${BACKENDS}.signed_cookies` };

describe("sojourn check: formats", () => {
  const cases: [string, DjangoSettings, DjangoSettings, RegExp][] = [
    ["JSON in a table", base, base, /^$/],
    ["pickles in a table", PICKLED, PICKLED, /^$/],
    [
      "pickles where JSON is expected",
      PICKLED,
      base,
      /^contents: the payload is signed, but holds a Python pickle, not JSON: SESSION_SERIALIZER is not what it was/,
    ],
    [
      "JSON where pickles are expected",
      base,
      PICKLED,
      /^contents: .*holds JSON, not a Python pickle: SESSION_SERIALIZER/,
    ],
    [
      "the format before 3.1",
      LEGACY,
      base,
      /^format: .*format of Django before 3\.1, .*DJANGO_VERSION below 4\.0 .* SHA-1 signature is good, by SECRET_KEY/,
    ],
    ["the format before 3.1, beside a Django that reads it", LEGACY, OLD, /^$/],
    [
      "the format before 3.1, of another key",
      { ...LEGACY, SECRET_KEY: strangersKey },
      base,
      /^format: .* SHA-1 signature is not by SECRET_KEY/,
    ],
    [
      "the format before 3.1, of another key, where it is read",
      { ...LEGACY, SECRET_KEY: strangersKey },
      OLD,
      /^signature: .* SHA-1 signature is not by SECRET_KEY/,
    ],
    ["pickles in a cache", cached(), cached(), /^$/],
    ["JSON in a cache", cached(JSON_IN_CACHE), cached(JSON_IN_CACHE), /^$/],
    [
      "pickles in a cache, where JSON is expected",
      cached(),
      cached(JSON_IN_CACHE),
      /^contents: the payload holds a Python pickle, not JSON: OPTIONS\.SERIALIZER of the cache/,
    ],
    [
      "JSON in a cache, where pickles are expected",
      cached(JSON_IN_CACHE),
      cached(),
      /^contents: the payload holds JSON, not a Python pickle/,
    ],
    ["a compressed cache", cached(compressor("Zlib")), cached(compressor("Zlib")), /^$/],
    [
      "a compressed cache, where nothing is",
      cached(compressor("Zlib")),
      cached(),
      /^format: the payload is compressed by zlib, and by the settings nothing is: OPTIONS\.COMPRESSOR/,
    ],
    [
      "a cache compressed by another compressor",
      cached(compressor("Lzma")),
      cached(compressor("Zlib")),
      /^format: the payload is compressed by lzma, and by the settings it would be by zlib/,
    ],
  ];
  for (const [what, theirs, ours, problem] of cases) {
    test(`${what}: ${problem.source === "^$" ? "it is read" : "that is said"}`, async () => {
      const key = await saved(theirs, { uid: hidden.repeat(10) });
      assert.match(check(ours, key, { secrets: [strangersKey] }).problem, problem);
    });
  }

  for (const [what, settings] of [
    ["a cache", cached()],
    ["a table", PICKLED],
  ] as const) {
    test(`a pickle in ${what} with a foreign class: it is named`, () => {
      assert.match(
        check(settings, savedForeign(settings)).problem,
        /^contents: .*holds a pickle that names collections\.defaultdict, which is not plain data/,
      );
    });
  }

  const strange: [string, string | Buffer, object, RegExp][] = [
    ["nothing", "", {}, /^format: the payload is empty/],
    ["a signed session", payload(), {}, /^format: .*is a signed session, as databases and files keep it/],
    [
      "express-session's",
      `{"cookie":{"path":"/"},"uid":"${hidden}"}`,
      {},
      /^format: .*is a session of express-session/,
    ],
    ["msgpack", Buffer.from("81a161a162", "hex"), {}, /^contents: .*holds msgpack, not a Python pickle/],
    [
      "a pickle that was cut off",
      Buffer.from("8005950c000000000000007d948c0161", "hex"),
      {},
      /^contents: .*holds a pickle that is cut off/,
    ],
    ["a pickled list", Buffer.from("80045d942e", "hex"), {}, /^contents: .*holds a pickle that holds no dict/],
    ["JSON that was cut off", `{"uid": "${hidden}`, JSON_IN_CACHE, /^contents: .*does not hold JSON: it was cut off/],
    [
      "zlib that was cut off",
      Buffer.from("789ccb48cdc9c9", "hex"),
      compressor("Zlib"),
      /^format: .*is compressed by zlib, and does not unfold/,
    ],
    ["garbage", "garbage!", {}, /^contents: .*holds a pickle that /],
  ];
  for (const [what, value, options, problem] of strange) {
    test(`a cache's entry that is ${what}`, () => {
      redis.cli(
        "-n",
        "1",
        "eval",
        "return redis.call('set', KEYS[1], (ARGV[1]:gsub('..', function(x) return string.char(tonumber(x, 16)) end)))",
        "1",
        `:1:django.contrib.sessions.cache${sessionKey}`,
        Buffer.from(value).toString("hex"),
      );
      assert.match(check(cached(options), sessionKey).problem, problem);
    });
  }

  test("a cookie of signed_cookies in a table", async () => {
    const key = await saved(base);
    const cookie = await saved(COOKIES);
    const database = open(path);
    database.prepare(`UPDATE django_session SET session_data = '${cookie}' WHERE session_key = '${key}'`).run();
    database.close();
    assert.match(
      check(base, key).problem,
      /^signature: the payload is a cookie of Django's signed_cookies engine, not a stored session/,
    );
  });
});

describe("sojourn check: signed cookies", () => {
  const codec = djangoCookieCodec({ secretKey });
  const ago = (days: number) => new Date(Date.now() - days * 86_400_000);
  const written = (data: object, signedAt = new Date()) =>
    codec.encode(data as Record<string, unknown>, signedAt) as string;
  const SALT = "django.contrib.sessions.backends.signed_cookies";

  test("real Django's is read; its expiry and login are told", async () => {
    const { problem, told } = check(COOKIES, await saved(COOKIES, { _auth_user_id: hidden }));
    assert.equal(problem, "");
    assert.match(told.session!, /lives until .* \(in 1[34] days\)\nsomebody is logged in/);
    assert.equal(told.server, undefined);
  });

  test("the format of Django before 3.1: SHA-1", async () => {
    const cookie = await saved({ ...COOKIES, DEFAULT_HASHING_ALGORITHM: "sha1" } as DjangoSettings);
    assert.match(
      check(COOKIES, cookie).problem,
      /^signature: the payload has the SHA-1 signature of Django before 3\.1/,
    );
    assert.equal(check({ ...COOKIES, DJANGO_VERSION: "3.2", USE_TZ: true }, cookie).problem, "");
  });

  const body = Buffer.from(`{"uid":"${hidden}"}`).toString("base64url");
  const cases: [string, string, RegExp][] = [
    ["a session key", sessionKey, /^key: it is a session key: the cookie of a server that keeps/],
    ["URL-encoded", encodeURIComponent(written({})), /^key: it is URL-encoded/],
    ["a payload of a table", payload(), /^signature: the payload is a stored session's payload/],
    [
      "cut off",
      written({ uid: hidden }).slice(0, -3),
      /^format: the payload is cut off or changed: its signature has 40 characters/,
    ],
    ["changed", `x${written({ uid: hidden })}`, /^signature: the payload does not verify, and does not unfold either/],
    [
      "of another key",
      djangoCookieCodec({ secretKey: strangersKey }).encode({ uid: hidden }, new Date()) as string,
      /^signature: .*does not verify: it was signed with another key .*Give both servers the same SECRET_KEY$/,
    ],
    [
      "of another purpose",
      timestampSign(body, new Date(), signer(secretKey, "django.core.signing")),
      /^signature: .*signing\.dumps without a salt/,
    ],
    [
      "a list",
      timestampSign(Buffer.from("[1]").toString("base64url"), new Date(), signer(secretKey, SALT)),
      /^contents: .*is signed, but holds a list/,
    ],
    [
      "expired",
      written({ uid: hidden }, ago(15)),
      /^expiry: it expired at .* \(24 hours ago\): SESSION_COOKIE_AGE after/,
    ],
    [
      "expired by itself",
      written({ _session_expiry: 60 }, ago(1)),
      /^expiry: it expired at .* by its own set_expiry\. Node holds to that; Django does not/,
    ],
    ["from the future", written({ uid: hidden }, ago(-1)), /^expiry: it was signed in the future/],
  ];
  for (const [what, cookie, problem] of cases) {
    test(`one that is ${what}: that is said`, () => {
      assert.match(check(COOKIES, cookie, { secrets: [strangersKey] }).problem, problem);
    });
  }

  test("one that browsers do not keep: a warning", async () => {
    const noise = Array.from({ length: 2000 }, (_, index) => (index * 7919) % 10_007);
    const { problem, warnings } = check(COOKIES, await saved(COOKIES, { noise }));
    assert.equal(problem, "");
    assert.match(
      warnings.join(),
      /cookie: with \d+ characters it is too large: browsers ignore cookies over 4096 bytes/,
    );
  });
});

describe("sojourn check: a secret key that is nearly the same", () => {
  const plain = "a secret key for tests, 32 characters at least";
  const keys: [string, string, string, RegExp][] = [
    ["with a line break that Django does not have", plain, `${plain}\n`, /without the white space around it/],
    ["without the line break that Django has", `${plain}\n`, plain, /with a line break at its end/],
    ["in quotes", plain, `"${plain}"`, /without the quotes around it/],
    ["in quotes and with white space", plain, ` '${plain}' `, /without the quotes around it/],
    ["without the quotes that Django has", `'${plain}'`, plain, /with ' around it/],
    [
      "with backslashes that were not resolved",
      `${plain}\n"$`,
      `${plain}\\n\\"$`,
      /with its backslash escapes resolved/,
    ],
    ["with backslashes that were resolved", `${plain}\\n`, `${plain}\n`, /special characters escaped by backslashes/],
    ["with each $ doubled", `${plain}$HOME$`, `${plain}$$HOME$$`, /with \$ for each \$\$/],
    ["with each $$ halved", `${plain}$$HOME`, `${plain}$HOME`, /with \$\$ for each \$/],
  ];
  for (const [what, theirs, ours, problem] of keys) {
    test(`${what}: that is said, and no key is shown`, async () => {
      const key = await saved({ ...base, SECRET_KEY: theirs });
      const found = check({ ...base, SECRET_KEY: ours }, key, { secrets: [theirs, plain] }).problem;
      assert.match(
        found,
        /^signature: the payload was signed with SECRET_KEY of .*one of the two servers does not get the key as it was meant/,
      );
      assert.match(found, problem);
    });
  }

  test("of a fallback, and of the format before 3.1, too", async () => {
    const key = await saved({ ...LEGACY, SECRET_KEY: formerKey });
    const settings = { ...OLD, SECRET_KEY_FALLBACKS: [`${formerKey} `] };
    assert.match(
      check(settings, key, { secrets: [formerKey] }).problem,
      /^signature: .*it was signed with SECRET_KEY_FALLBACKS\[0\] .*without the white space/,
    );
  });
});
