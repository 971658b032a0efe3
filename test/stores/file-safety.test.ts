import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { basename, dirname, join } from "node:path";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import { connect } from "../../src/connect.ts";
import type { SessionStore } from "../../src/core/contracts.ts";
import { fileStore, interfering, systemError } from "./file-calls.ts";
import { asNobody, list, newDirectory } from "./file-directory.ts";

const key = "abcdefghijklmnopqrstuvwxyz012345";
const record = { payload: "new", expiresAt: new Date(Date.now() + 3_600_000) };

const operations: Record<string, (store: SessionStore) => Promise<unknown>> = {
  load: (store) => store.load(key),
  create: (store) => store.create(key, record),
  update: (store) => store.update(key, record, "old"),
  delete: (store) => store.delete(key),
  deleteExpired: (store) => store.deleteExpired(),
};

describe("what lies under a session's name and is none", () => {
  /** Each puts something there, which says "old" if it can be read. */
  const plants: Record<string, (path: string) => unknown> = {
    "a symbolic link to a session": (path) => {
      writeFileSync(`${path}.target`, "old", { mode: 0o600 });
      symlinkSync(`${path}.target`, path);
    },
    "a symbolic link to nowhere": (path) => symlinkSync("nowhere", path),
    "a pipe": (path) => execFileSync("mkfifo", [path]),
    "a directory": (path) => mkdirSync(path),
    "a socket": (path) =>
      new Promise<void>(
        (resolve) =>
          void createServer()
            .unref()
            .listen(path, () => resolve()),
      ),
    "a file of more than 8 MiB": (path) => {
      writeFileSync(path, "old");
      truncateSync(path, 8 * 1024 * 1024 + 1);
    },
  };

  for (const [name, plant] of Object.entries(plants)) {
    test(`is no session, and stays as it is: ${name}`, async () => {
      const directory = newDirectory();
      const path = join(directory, `sessionid${key}`);
      await plant(path);
      const names = list(directory);
      const before = lstatSync(path);
      // All there is has expired, as far as its time says.
      const store = fileStore(directory, { now: () => new Date("2100-01-01") });
      assert.equal(await store.load(key), null);
      assert.equal(await store.create(key, record), false);
      assert.equal(await store.update(key, record), false);
      assert.equal(await store.update(key, record, "old"), false);
      assert.equal(await store.delete(key), false);
      assert.equal(await store.deleteExpired(), 0);
      assert.deepEqual(list(directory), names);
      const { ino, mtimeMs, size } = lstatSync(path);
      assert.deepEqual({ ino, mtimeMs, size }, { ino: before.ino, mtimeMs: before.mtimeMs, size: before.size });
    });
  }

  test("is a file of another user, for root too", async (t) => {
    const directory = newDirectory();
    const path = join(directory, `sessionid${key}`);
    await fileStore(directory).create(key, record);
    assert.ok(await fileStore(directory).load(key));
    if (process.geteuid!() === 0) chownSync(path, 65534, 65534);
    else t.mock.method(process as { geteuid(): number }, "geteuid", () => statSync(path).uid + 1);
    chmodSync(path, 0o666);
    const store = fileStore(directory, { now: () => new Date("2100-01-01") });
    assert.equal(await fileStore(directory).load(key), null);
    assert.equal(await fileStore(directory).update(key, record), false);
    assert.equal(await store.create(key, record), false);
    assert.equal(await store.deleteExpired(), 0);
    assert.equal(readFileSync(path, "utf8"), "new");
  });
});

describe("a session's file that this user may not read", () => {
  test("is a fault that says who must own it, and names no key; the clean-up goes on without it", async () => {
    const directory = newDirectory();
    const store = fileStore(directory);
    await store.create(key, record);
    const path = join(directory, `sessionid${key}`);
    chmodSync(path, 0o000);
    await asNobody([directory, path], async () => {
      for (const name of ["load", "create", "update", "delete"]) {
        await assert.rejects(operations[name]!(store), (error: Error & { code: string }) => {
          assert.equal(error.code, "ERR_SESSION_UNAVAILABLE");
          assert.match(error.message, /EACCES: permission denied\. .* as one user/);
          assert.ok(error.message.includes(directory));
          assert.ok(!inspect(error, { depth: 10 }).includes(key), "it names the key");
          return true;
        });
      }
      assert.equal(await store.deleteExpired(), 0);
      assert.deepEqual(list(directory), [basename(path)]);
    });
  });
});

describe("a directory that cannot hold sessions", () => {
  async function refused(directory: string, message: RegExp): Promise<void> {
    for (const [name, operation] of Object.entries(operations)) {
      await assert.rejects(operation(fileStore(directory)), (error: Error & { code: string }) => {
        assert.equal(error.name, "SessionError", `${name}: ${error.stack}`);
        assert.equal(error.code, "ERR_CONFIG", name);
        assert.match(error.message, message);
        assert.ok(error.message.includes(directory), error.message);
        assert.ok(!inspect(error, { depth: 10 }).includes(key), "it names the key");
        return true;
      });
    }
  }

  test("for it is missing, is refused with how to create it", async () => {
    const directory = join(newDirectory(), "missing");
    await refused(directory, /Create it with `npx sojourn migrate --store file:/);
    assert.ok(!existsSync(directory));
  });

  test("for it is a file, is refused", async () => {
    const path = join(newDirectory(), "file");
    writeFileSync(path, "");
    await refused(path, /is no directory/);
    await refused(join(path, "below"), /There is no session directory/);
  });

  test("for everyone may replace the files in it, is refused; not so if it is sticky, as /tmp", async () => {
    const directory = newDirectory();
    chmodSync(directory, 0o777);
    await refused(directory, /Everyone .*`chmod 700 /);
    chmodSync(directory, 0o1777);
    assert.equal(await fileStore(directory).create(key, record), true);
  });

  test("for this user may not write it, is refused", async () => {
    // By the system's answer, for root may always.
    await interfering(
      (name, path) => {
        if (name === "access") throw systemError("EACCES", name, path);
      },
      () => refused(newDirectory(), /Make it the owner, with mode 700/),
    );
  });
});

describe("a directory that was fit and is so no longer", () => {
  const unavailable = { name: "SessionError", code: "ERR_SESSION_UNAVAILABLE" };

  test("because it is gone, logs nobody out, and is used again as soon as it is back", async () => {
    const directory = newDirectory();
    const store = fileStore(directory);
    await store.create(key, record);
    renameSync(directory, `${directory}.away`);
    for (const operation of Object.values(operations)) await assert.rejects(operation(store), unavailable);
    await assert.rejects(store.load(key), { message: /Create it with .*, or mount it/ });
    renameSync(`${directory}.away`, directory);
    assert.ok(await store.load(key));
    assert.equal(await store.update(key, record, "new"), true);
  });

  test("because it is mounted for reading only, is read, by a new process too", async () => {
    const directory = newDirectory();
    const readOnly = (name: string, path: unknown) => {
      if (["access", "mkdir"].includes(name)) throw systemError("EROFS", name, path);
    };
    for (const store of [fileStore(directory), fileStore(directory)]) {
      await fileStore(directory).create(key, record);
      assert.ok(await interfering(readOnly, () => store.load(key)));
      assert.equal(await interfering(readOnly, () => store.load("other000")), null);
      await assert.rejects(
        interfering(readOnly, () => store.update(key, record)),
        { ...unavailable, message: /EROFS: read-only file system/ },
      );
    }
  });

  test("because it may only be read, is read", async () => {
    const directory = newDirectory();
    const store = fileStore(directory);
    await store.create(key, record);
    const path = join(directory, `sessionid${key}`);
    chmodSync(directory, 0o500);
    await asNobody([directory, path], async () => {
      for (const name of ["create", "update", "delete"]) await assert.rejects(operations[name]!(store), unavailable);
      assert.equal(Buffer.from((await store.load(key))!.payload).toString(), "new");
    });
    chmodSync(directory, 0o700);
    assert.deepEqual(list(directory), [basename(path)]);
  });
});

describe("connect to files", () => {
  for (const url of ["file:", "file://", "file:a\0b"]) {
    test(`refuses ${JSON.stringify(url)}, for a directory is needed`, async () => {
      await assert.rejects(connect(url), { code: "ERR_CONFIG", message: /file:path\/to\/directory/ });
    });
  }

  test("takes the path as it is, absolute or not: no escapes, no parameters", async () => {
    const parent = newDirectory();
    const name = "100%25 ä?mode=ro#1";
    const before = process.cwd();
    process.chdir(parent);
    try {
      for (const url of [
        `file:${parent}/${name}`,
        `file://${parent}/${name}`,
        `file:${name}`,
        `file://${name}`,
        `file:./${name}`,
      ]) {
        const store = await connect(url);
        // It is there when the process has gone elsewhere, too.
        process.chdir(before);
        assert.equal(await store.migrate(), true, url);
        assert.equal(await store.create(key, record), true, url);
        process.chdir(parent);
        assert.equal(await store.migrate(), false, url);
        await store.close();
        assert.deepEqual(list(join(parent, name)), [`sessionid${key}`]);
        rmSync(join(parent, name), { recursive: true });
      }
    } finally {
      process.chdir(before);
    }
  });

  test("needs no directory yet; migrate creates it, for this user alone", async () => {
    const directory = join(newDirectory(), "sessions");
    const store = await connect(`file:${directory}`);
    await assert.rejects(store.load(key), { code: "ERR_CONFIG", message: /sojourn migrate/ });
    const before = process.umask(0);
    try {
      assert.equal(await store.migrate(), true);
    } finally {
      process.umask(before);
    }
    assert.equal(statSync(directory).mode & 0o7777, 0o700);
    assert.equal(await store.load(key), null);
    assert.equal(await store.migrate(), false);
  });

  test("takes a symbolic link to a directory for one", async () => {
    const directory = newDirectory();
    symlinkSync(directory, `${directory}.link`);
    const store = await connect(`file:${directory}.link`);
    assert.equal(await store.migrate(), false);
    assert.equal(await store.create(key, record), true);
  });

  for (const [what, path, reason] of [
    ["a file is there", "file", "EEXIST: "],
    ["a link to nowhere is there", "link", "EEXIST: "],
    ["the one above is a file", "file/sessions", "ENOTDIR: "],
    ["the one above is missing", "missing/sessions", "PARENT is missing, "],
  ] as const) {
    test(`says why no directory can be created where ${what}`, async () => {
      const parent = newDirectory();
      writeFileSync(join(parent, "file"), "");
      symlinkSync("nowhere", join(parent, "link"));
      const directory = join(parent, path);
      const expected = `The session directory ${directory} cannot be created: ${reason.replace("PARENT", dirname(directory))}`;
      await assert.rejects((await connect(`file:${directory}`)).migrate(), (error: Error & { code: string }) => {
        assert.equal(error.code, "ERR_CONFIG");
        assert.equal(error.message.slice(0, expected.length), expected);
        return true;
      });
      assert.deepEqual(list(parent), ["file", "link"]);
    });
  }

  // Node's own `recursive` never returns for it.
  test("creates nothing below /proc, and says so at once", async () => {
    const store = await connect("file:/proc/sojourn/sessions");
    await assert.rejects(store.migrate(), { code: "ERR_CONFIG", message: /\/proc\/sojourn is missing/ });
  });

  test("passes on the prefix, the clock and the expiry of payloads", async () => {
    const directory = newDirectory();
    const options = { prefix: "id", now: () => new Date(5000), expiryOf: () => new Date(6000) };
    const store = await connect(`file:${directory}`, options);
    await store.create(key, { payload: "a", expiresAt: new Date(1) });
    assert.deepEqual(list(directory), [`id${key}`]);
    assert.deepEqual((await store.load(key))?.expiresAt, new Date(6000));
  });
});
