import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { resolveSettings } from "../../src/core/settings.ts";
import { djangoCodec } from "../../src/django/codec.ts";
import { djangoExpiry } from "../../src/django/expiry.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { fileStore } from "../../src/stores/file/store.ts";
import { storeSuite } from "../../src/testing/index.ts";
import { vectors } from "../support/vectors.ts";
import { list, newDirectory } from "./file-directory.ts";

const key = "abcdefghijklmnopqrstuvwxyz012345";
const inAnHour = () => new Date(Date.now() + 3_600_000);

/** In memory where there is such a file system, as on Linux. */
const memory = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

for (const [where, parent] of Object.entries({ "on a disk": tmpdir(), "in memory": memory })) {
  describe(`the file store ${where}`, () => {
    storeSuite(
      test,
      ({ now }) => {
        const directory = mkdtempSync(join(parent, "sojourn-"));
        return { ...fileStore(directory, { now }), close: () => rmSync(directory, { recursive: true }) };
      },
      { binary: true },
    );
  });
}

describe("the files of a file store", () => {
  test("are Django's: named by cookie and key, with the payload and nothing else, for their owner alone", async () => {
    const directory = newDirectory();
    const before = process.umask(0);
    try {
      await fileStore(directory).create(key, { payload: "first", expiresAt: inAnHour() });
      await fileStore(directory).update(key, { payload: "é", expiresAt: inAnHour() });
    } finally {
      process.umask(before);
    }
    assert.deepEqual(list(directory), [`sessionid${key}`]);
    const path = join(directory, `sessionid${key}`);
    assert.equal(readFileSync(path, "utf8"), "é");
    assert.equal(statSync(path).mode & 0o7777, 0o600);
    assert.equal(statSync(path).nlink, 1);
  });

  test("are apart by prefix", async () => {
    const directory = newDirectory();
    const [one, other] = [fileStore(directory), fileStore(directory, { prefix: "__Host-id.2" })];
    await one.create(key, { payload: "one", expiresAt: inAnHour() });
    assert.equal(await other.load(key), null);
    assert.equal(await other.create(key, { payload: "other", expiresAt: inAnHour() }), true);
    assert.deepEqual(list(directory), [`__Host-id.2${key}`, `sessionid${key}`]);
  });

  for (const prefix of ["", ".", ".hidden", "a/b", "a\\b", "..", "a b", "a\0", "a\n", "é", "a;b", "x".repeat(101)]) {
    test(`are not named with the prefix ${JSON.stringify(prefix.slice(0, 10))}, which is no cookie's name`, () => {
      assert.throws(() => fileStore(newDirectory(), { prefix }), { name: "SessionError", code: "ERR_CONFIG" });
    });
  }

  for (const bad of [
    "",
    ".",
    "..",
    "../x",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "a.b",
    "a\0b",
    "a\n",
    "é",
    "a b",
    "a".repeat(129),
  ]) {
    test(`are never looked for under a key that might lead elsewhere: ${JSON.stringify(bad.slice(0, 12))}`, async () => {
      const directory = newDirectory();
      const store = fileStore(join(directory, "missing"));
      assert.equal(await store.load(bad), null);
      assert.equal(await store.create(bad, { payload: "a", expiresAt: inAnHour() }), false);
      assert.equal(await store.update(bad, { payload: "a", expiresAt: inAnHour() }), false);
      assert.equal(await store.delete(bad), false);
      assert.deepEqual(list(directory), []);
    });
  }

  test("stay where they were when the working directory changes", async () => {
    const directory = newDirectory();
    const before = process.cwd();
    process.chdir(directory);
    const store = fileStore(".");
    process.chdir(before);
    await store.create(key, { payload: "a", expiresAt: inAnHour() });
    assert.deepEqual(list(directory), [`sessionid${key}`]);
  });

  test("hold 8 MiB at most: more is refused, and the record stays", async () => {
    const directory = newDirectory();
    const store = fileStore(directory);
    const most = "x".repeat(8 * 1024 * 1024);
    assert.equal(await store.create(key, { payload: most, expiresAt: inAnHour() }), true);
    assert.equal((await store.load(key))?.payload.length, most.length);
    const tooLarge = { name: "SessionError", code: "ERR_SESSION_TOO_LARGE" };
    await assert.rejects(store.update(key, { payload: `${most}x`, expiresAt: inAnHour() }), tooLarge);
    await assert.rejects(store.create("other000", { payload: `${most}x`, expiresAt: inAnHour() }), tooLarge);
    assert.equal((await store.load(key))?.payload.length, most.length);
    assert.deepEqual(list(directory), [`sessionid${key}`]);
  });
});

describe("the expiry of a file", () => {
  test("is its time of modification, to the millisecond", async () => {
    const directory = newDirectory();
    const store = fileStore(directory);
    for (const ms of [0, 1, 499, 500, 999]) {
      const expiresAt = new Date(Date.UTC(2027, 1, 3, 4, 5, 6, ms));
      await store.create(key, { payload: "a", expiresAt });
      assert.equal(Math.round(statSync(join(directory, `sessionid${key}`)).mtimeMs), expiresAt.getTime());
      assert.deepEqual((await store.load(key))?.expiresAt, expiresAt);
      await store.delete(key);
    }
  });

  test("that is later than ext4 can say is ext4's last second, on every file system", async () => {
    for (const parent of [tmpdir(), memory]) {
      const directory = mkdtempSync(join(parent, "sojourn-"));
      for (const late of [new Date("2446-05-10T22:38:56Z"), new Date("9999-12-31T23:59:59.999Z"), new Date(8.64e15)]) {
        await fileStore(directory).create(key, { payload: "a", expiresAt: late });
        const { mtimeMs } = statSync(join(directory, `sessionid${key}`));
        assert.equal(mtimeMs, Date.parse("2446-05-10T22:38:55Z"));
        assert.ok((await fileStore(directory).load(key))!.expiresAt! >= late);
        await fileStore(directory).delete(key);
      }
      rmSync(directory, { recursive: true });
    }
  });

  // Where a file system ends, Linux writes its last second: 32 bits in XFS and NFS, 34 in ext4.
  for (const last of ["2038-01-19T03:14:07.000Z", "2106-02-07T06:28:15.000Z", "2446-05-10T22:38:55.000Z"]) {
    test(`that is the last instant of a file system is never: ${last}`, async () => {
      const directory = newDirectory();
      await fileStore(directory).create(key, { payload: "a", expiresAt: inAnHour() });
      utimesSync(join(directory, `sessionid${key}`), new Date(last), new Date(last));
      const later = fileStore(directory, { now: () => new Date("9000-01-01") });
      assert.ok(await later.load(key));
      assert.equal(await later.deleteExpired(), 0);
      utimesSync(join(directory, `sessionid${key}`), new Date(last), new Date(Date.parse(last) - 1000));
      assert.equal(await later.load(key), null);
    });
  }
});

describe("a file store that Django shares", () => {
  const { default_key: secretKey, session_encode: encoded } = vectors("5.2");
  const codec = djangoCodec({ secretKey: secretKey.padEnd(32, "!") });
  const settings = resolveSettings({});
  let time = new Date("2026-11-20T12:00:00Z");
  const now = () => time;
  const shared = (directory: string) => fileStore(directory, { now, expiryOf: djangoExpiry(settings) });
  const saved = (data: Record<string, unknown>) => codec.encode(data, new Date("2026-11-20T12:00:00Z")) as string;

  test("reads what Django wrote, when it expires as well", async () => {
    const directory = newDirectory();
    const {
      encoded: payload,
      time: signedAt,
      data_json,
    } = encoded.find(({ name }) => name === "auth_session") ?? encoded[0]!;
    writeFileSync(join(directory, `sessionid${key}`), payload);
    time = new Date(signedAt * 1000);
    const loaded = await shared(directory).load(key);
    assert.equal(Buffer.from(loaded!.payload).toString(), payload, data_json);
    assert.equal(loaded!.expiresAt!.getTime(), (Math.floor(signedAt) + settings.cookieAge) * 1000);
  });

  test("writes what Django reads, and leaves the time of modification to the file system", async () => {
    time = new Date();
    const directory = newDirectory();
    const engine = storeEngine(shared(directory), codec);
    const { token } = await engine.create({ a: 1 }, { now: time, expiresAt: () => new Date(8e15) });
    const path = join(directory, `sessionid${token}`);
    assert.match(readFileSync(path, "latin1"), /^eyJhIjoxfQ:\w{6}:[\w-]{43}$/);
    assert.ok(Math.abs(statSync(path).mtimeMs - Date.now()) < 60_000);
    const loaded = await engine.load(token);
    assert.ok(typeof loaded === "object");
    assert.deepEqual({ ...loaded.data }, { a: 1 });
    await engine.update(loaded, { a: 2 }, { now: time, expiresAt: () => new Date(8e15) }, () => {});
    assert.ok(Math.abs(statSync(path).mtimeMs - Date.now()) < 60_000);
  });

  // Django's own file engine takes the number for the age that is left, whenever it looks.
  test("lets a session expire whose age was set in seconds, which Django never does", async () => {
    const directory = newDirectory();
    const path = join(directory, `sessionid${key}`);
    writeFileSync(path, saved({ _session_expiry: 600 }));
    time = new Date("2026-11-20T12:09:59.999Z");
    assert.ok(await shared(directory).load(key));
    assert.equal(await shared(directory).deleteExpired(), 0);
    time = new Date("2026-11-20T12:10:00Z");
    assert.equal(await shared(directory).load(key), null);
    assert.equal(await shared(directory).deleteExpired(), 1);
    assert.deepEqual(list(directory), []);
  });

  test("takes no heed of the time of modification, which a copy or a backup changes", async () => {
    const directory = newDirectory();
    const path = join(directory, `sessionid${key}`);
    writeFileSync(path, saved({}));
    utimesSync(path, 1, 1);
    time = new Date("2026-12-04T11:59:59Z");
    assert.ok(await shared(directory).load(key));
    assert.equal(await shared(directory).deleteExpired(), 0);
    time = new Date("2026-12-04T12:00:00Z");
    utimesSync(path, 8e9, 8e9);
    assert.equal(await shared(directory).deleteExpired(), 1);
  });

  test("hands out what cannot be read, and never deletes it by itself", async () => {
    const directory = newDirectory();
    const store = shared(directory);
    time = new Date("2999-01-01");
    for (const payload of ["", "damaged", `${saved({ a: 1 }).slice(0, 12)}`]) {
      writeFileSync(join(directory, `sessionid${key}`), payload);
      assert.equal(Buffer.from((await store.load(key))!.payload).toString(), payload);
      assert.equal(await storeEngine(store, codec).load(key), "corrupted");
      assert.equal(await store.deleteExpired(), 0);
      assert.equal(await store.create(key, { payload: "a", expiresAt: inAnHour() }), false);
    }
    assert.equal(await store.delete(key), true);
  });
});
