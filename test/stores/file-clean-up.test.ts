import assert from "node:assert/strict";
import { chownSync, mkdirSync, renameSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileStore, interfering } from "./file-calls.ts";
import { age, list, newDirectory } from "./file-directory.ts";

const HOUR = 3_600_000;
const key = "abcdefghijklmnopqrstuvwxyz012345";
const hex = "0123456789abcdef01234567";

describe("deleteExpired of a file store", () => {
  test("touches only what is named as a session of its own", async () => {
    const directory = newDirectory();
    const others = [
      // Another cookie's, whose name begins with the prefix.
      `sessionid_admin${key}`,
      `sessionidadmin${key}`,
      `sessionid2${key}`,
      `sessionid${key}.bak`,
      `sessionid${key.toUpperCase()}`,
      `sessionid${key.slice(1)}`,
      `sessionid.${key.slice(1)}`,
      `sessionId${key}`,
      `csessionid${key}`,
      `sessionid${key}_out_abc`,
      key,
      "sessionid",
      "README",
    ];
    for (const name of [...others, `sessionid${key}`]) {
      writeFileSync(join(directory, name), "");
      age(join(directory, name), 1000 * HOUR);
    }
    assert.equal(await fileStore(directory).deleteExpired(), 1);
    assert.deepEqual(list(directory), others.sort());
  });

  test("takes a prefix for what it says, not for a pattern", async () => {
    const directory = newDirectory();
    for (const name of [`a.b*${key}`, `axb${key}`, `a.bb${key}`, `a.b${key}`]) {
      writeFileSync(join(directory, name), "");
      age(join(directory, name), HOUR);
    }
    assert.equal(await fileStore(directory, { prefix: "a.b*" }).deleteExpired(), 1);
    assert.deepEqual(list(directory), [`a.b${key}`, `a.bb${key}`, `axb${key}`]);
  });

  test("removes what killed processes have left an hour ago: ours, and Django's", async () => {
    const directory = newDirectory();
    const store = fileStore(directory);
    const leftovers = [`.sessionid.${hex}.tmp`, `.sessionid${key}.lock`, `sessionid${key}_out_a1b2_3c4`];
    const make = (ms: number) => {
      for (const name of leftovers) {
        const path = join(directory, name);
        if (name.startsWith(".")) {
          mkdirSync(path, { recursive: true });
          writeFileSync(join(path, hex), "a");
        } else writeFileSync(path, "a");
        age(path, ms);
      }
    };
    make(HOUR - 60_000);
    assert.equal(await store.deleteExpired(), 0);
    assert.deepEqual(list(directory), leftovers.toSorted());
    make(HOUR + 60_000);
    // No session was among them.
    assert.equal(await store.deleteExpired({ onProgress: () => assert.fail() }), 0);
    assert.deepEqual(list(directory), []);
  });

  test("measures the age of leftovers by the real clock, as the file system does", async () => {
    const directory = newDirectory();
    mkdirSync(join(directory, `.sessionid.${hex}.tmp`));
    await fileStore(directory, { now: () => new Date("2999-01-01") }).deleteExpired();
    assert.deepEqual(list(directory), [`.sessionid.${hex}.tmp`]);
  });

  test("leaves old files and directories that are only named like leftovers", async () => {
    const directory = newDirectory();
    const outside = join(newDirectory(), "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "precious"), "");
    writeFileSync(join(directory, `.sessionid.${hex}.tmp`), "");
    mkdirSync(join(directory, `sessionid${key}_out_a1b2_3c4`));
    symlinkSync(outside, join(directory, `.sessionid${key}.lock`));
    // Another cookie's, and other forms.
    const others = [`.sessionid2.${hex}.tmp`, `.sessionid2${key}.lock`, `.sessionid.${hex}`, ".git"];
    for (const name of others) mkdirSync(join(directory, name));
    const before = list(directory);
    for (const name of before) age(join(directory, name), 10 * HOUR);
    await fileStore(directory).deleteExpired();
    assert.deepEqual(list(directory), before);
    assert.deepEqual(list(outside), ["precious"]);
  });

  test("leaves another user's leftovers", async (t) => {
    const directory = newDirectory();
    const path = join(directory, `sessionid${key}_out_a1b2_3c4`);
    writeFileSync(path, "");
    age(path, 10 * HOUR);
    if (process.geteuid!() === 0) chownSync(path, 65534, 65534);
    else t.mock.method(process as { geteuid(): number }, "geteuid", () => statSync(path).uid + 1);
    await fileStore(directory).deleteExpired();
    assert.deepEqual(list(directory), [`sessionid${key}_out_a1b2_3c4`]);
  });

  test("never reports more deleted than there were, when some expire meanwhile", async () => {
    const directory = newDirectory();
    let time = 0;
    const store = fileStore(directory, { now: () => new Date(time) });
    for (const n of [0, 1, 2, 3]) await store.create(`${n}`.repeat(32), { payload: "a", expiresAt: new Date(n) });
    let passes = 0;
    const progress: unknown[] = [];
    await interfering(
      (name) => {
        // The first pass counts, the second one deletes.
        if (name === "opendir" && ++passes === 2) time = 2;
      },
      () => store.deleteExpired({ batchSize: 1, onProgress: (step) => progress.push(step) }),
    );
    assert.deepEqual(progress, [
      { deleted: 1, total: 1 },
      { deleted: 2, total: 2 },
      { deleted: 3, total: 3 },
    ]);
  });

  test("leaves nothing of itself behind", async () => {
    const directory = newDirectory();
    const store = fileStore(directory);
    for (let n = 0; n < 20; n++) {
      await store.create(`${n}`.padStart(32, "k"), { payload: "a", expiresAt: new Date(n % 2 ? 8e15 : 0) });
    }
    assert.equal(await store.deleteExpired({ batchSize: 3 }), 10);
    assert.equal(list(directory).length, 10);
  });

  test("goes through 12,000 files and removes those that have expired", async () => {
    const directory = newDirectory();
    for (let n = 0; n < 12_000; n++) {
      const path = join(directory, `sessionid${`${n}`.padStart(32, "k")}`);
      writeFileSync(path, "a");
      if (n % 4 === 0) utimesSync(path, 1, 1);
      else utimesSync(path, 8e9, 8e9);
    }
    const progress: number[] = [];
    const deleted = await fileStore(directory).deleteExpired({
      onProgress: (step) => {
        progress.push(step.deleted);
        assert.equal(step.total, 3000);
      },
    });
    assert.equal(deleted, 3000);
    assert.deepEqual(progress, [1000, 2000, 3000]);
    assert.equal(list(directory).length, 9000);
  });

  // Django looks, and then renames a new file over the old one, without any lock.
  test("puts back a session that Django renews between the look and the removal", async () => {
    const directory = newDirectory();
    const path = join(directory, `sessionid${key}`);
    writeFileSync(path, "old");
    age(path, HOUR);
    const renew = () => {
      writeFileSync(`${path}_out_a1b2_3c4`, "renewed");
      utimesSync(`${path}_out_a1b2_3c4`, 8e9, 8e9);
      renameSync(`${path}_out_a1b2_3c4`, path);
    };
    const deleting = interfering(
      (name, from) => {
        if (name === "rename" && from === path) renew();
      },
      () => fileStore(directory).deleteExpired({ onProgress: () => assert.fail() }),
    );
    assert.equal(await deleting, 0);
    assert.equal(Buffer.from((await fileStore(directory).load(key))!.payload).toString(), "renewed");
    assert.deepEqual(list(directory), [`sessionid${key}`]);
  });

  test("can be aborted where nothing has expired, too", async () => {
    const directory = newDirectory();
    const store = fileStore(directory);
    await store.create(key, { payload: "a", expiresAt: new Date(0) });
    const controller = new AbortController();
    controller.abort();
    assert.equal(await store.deleteExpired({ signal: controller.signal, onProgress: () => assert.fail() }), 0);
    assert.deepEqual(list(directory), [`sessionid${key}`]);
  });
});
