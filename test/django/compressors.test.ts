import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import * as zlib from "node:zlib";
import { compressorOf } from "../../src/django/compressors.ts";
import { resolveDjangoSettings } from "../../src/django/settings/resolve.ts";

const child = fileURLToPath(new URL("./children/zstd.js", import.meta.url));
const runtimes = fileURLToPath(new URL("../../../test/runtimes/node_modules/", import.meta.url));

const SETTINGS = {
  SECRET_KEY: "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz",
  SESSION_ENGINE: "django.contrib.sessions.backends.cache",
  CACHES: {
    default: {
      BACKEND: "django_redis.cache.RedisCache",
      LOCATION: "redis://h",
      OPTIONS: { COMPRESSOR: "django_redis.compressors.zstd.ZStdCompressor" },
    },
  },
};

describe("django-redis' zstd", () => {
  for (const runtime of ["node22", "node24"]) {
    test(`is written and read by ${runtime}, within the bounds of every compressor`, () => {
      const node = `${runtimes}${runtime}/bin/node`;
      const { stdout, stderr, status } = spawnSync(node, [child], { encoding: "utf8", timeout: 120_000 });
      assert.equal(status, 0, stderr);
      const { cases, failed } = JSON.parse(stdout);
      assert.deepEqual(failed, []);
      assert.ok(cases > 20);
    });
  }

  const refuse = "zstdCompressSync" in zlib ? assert.doesNotThrow : assert.throws;

  test(`is ${refuse === assert.throws ? "refused" : "taken"} by this Node, by the setting's name too`, () => {
    refuse(() => compressorOf("zstd"), {
      code: "ERR_CONFIG",
      message: /^compressor "zstd" needs Node 22\.15 or later; this is v\d+/,
    });
    refuse(() => resolveDjangoSettings(SETTINGS), {
      code: "ERR_CONFIG",
      message: /^CACHES\.default\.OPTIONS\.COMPRESSOR "zstd" needs Node 22\.15/,
    });
  });
});
