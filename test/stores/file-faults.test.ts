import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { inspect } from "node:util";
import type { SessionStore } from "../../src/core/contracts.ts";
import { fileStore, type Interference, interfering, systemError } from "./file-calls.ts";
import { list, newDirectory } from "./file-directory.ts";

const key = "abcdefghijklmnopqrstuvwxyz012345";
const name = `sessionid${key}`;
const expiresAt = new Date(Date.now() + 3_600_000);
const [OLD, NEW] = ["the-old-payload", "the-new-payload"];

const operations: Record<string, (store: SessionStore) => Promise<unknown>> = {
  load: (store) => store.load(key),
  create: (store) => store.create("other000", { payload: NEW, expiresAt }),
  update: (store) => store.update(key, { payload: NEW, expiresAt }, OLD),
  delete: (store) => store.delete(key, OLD),
  deleteExpired: (store) => store.deleteExpired(),
};

function isFault(error: Error & { code: string }, message: RegExp): true {
  assert.equal(error.name, "SessionError", error.stack);
  assert.equal(error.code, "ERR_SESSION_UNAVAILABLE");
  assert.match(error.message, message);
  const shown = inspect(error, { depth: 10, showHidden: true }) + error.stack;
  for (const secret of [key, "other000", OLD, NEW]) assert.ok(!shown.includes(secret), `it shows ${secret}: ${shown}`);
  return true;
}

async function withOneSession(): Promise<{ directory: string; store: SessionStore }> {
  const directory = newDirectory();
  const store = fileStore(directory);
  await store.create(key, { payload: OLD, expiresAt });
  // One that has expired gives `deleteExpired` something to do.
  await store.create("e".repeat(32), { payload: OLD, expiresAt: new Date(0) });
  return { directory, store };
}

/** Fails the n-th call; says whether there was one. */
function failing(n: number, code: string): Interference & { failed?: string } {
  let calls = 0;
  const interfere: Interference & { failed?: string } = (call, path) => {
    if (++calls !== n) return;
    interfere.failed = call;
    throw systemError(code, call, typeof path === "string" ? path : `/sessions/${name}`);
  };
  return interfere;
}

describe("a file store of which any one call to the file system fails", () => {
  for (const [operation, execute] of Object.entries(operations)) {
    for (const code of ["EIO", "ENOSPC", "EMFILE"]) {
      test(`has the old record or the new one, whole, and says what happened without a secret: ${operation}, ${code}`, async () => {
        let faults = 0;
        for (let n = 1; ; n++) {
          const { directory, store } = await withOneSession();
          const failure = failing(n, code);
          const outcome = await interfering(failure, () => execute(store)).then(
            () => "done",
            (error) => isFault(error, new RegExp(`${code}: .*`)) && "failed",
          );
          if (!failure.failed) break;
          if (outcome === "failed") faults++;
          const content = list(directory).includes(name) ? readFileSync(join(directory, name), "utf8") : null;
          if (outcome === "failed" && operation === "update") {
            // Only whether it outlasts a power failure is not known.
            assert.equal(content, failure.failed === "fsync" || failure.failed === "open" ? content : OLD);
          }
          assert.ok(content === OLD || content === NEW || (content === null && operation === "delete"), `${content}`);
          const hidden = list(directory).filter((file) => file.startsWith("."));
          // What cannot be removed at once is all that may be left.
          if (!["rmdir", "unlink", "rm", "close"].includes(failure.failed))
            assert.deepEqual(hidden, [], failure.failed);
          // The fault is over: everything works, and at once.
          if (content === null) await store.create(key, { payload: OLD, expiresAt });
          assert.equal(await store.update(key, { payload: "after", expiresAt }), true);
          assert.equal(await store.delete(key), true);
        }
        assert.ok(faults >= 2, `${faults} faults`);
      });
    }
  }
});

describe("an acknowledged write", () => {
  async function callsOf(operation: (store: SessionStore) => Promise<unknown>): Promise<string[]> {
    const { store } = await withOneSession();
    const calls: string[] = [];
    await interfering(
      (call) => {
        calls.push(call);
      },
      () => operation(store),
    );
    return calls;
  }

  test("is on the disk: first the file, then its name", async () => {
    for (const operation of [operations.create!, operations.update!]) {
      const calls = await callsOf(operation);
      const [file, directory] = [calls.indexOf("fsync"), calls.lastIndexOf("fsync")];
      // One rename takes the lock, the other one publishes.
      const [lock, publish] = [calls.indexOf("rename"), calls.lastIndexOf("rename")];
      assert.ok(calls.lastIndexOf("write") < file && file < lock && lock < publish && publish < directory, `${calls}`);
    }
    const calls = await callsOf(operations.delete!);
    assert.ok(calls.includes("fsync") && calls.indexOf("fsync") > calls.lastIndexOf("rename"), `${calls}`);
  });

  test("takes 13 calls that may wait for the disk, and a read takes two", async () => {
    assert.deepEqual(await callsOf(operations.load!), ["open", "read"]);
    assert.ok((await callsOf(operations.update!)).length <= 13, `${await callsOf(operations.update!)}`);
  });
});

describe("a full disk", () => {
  interface Disk {
    readonly directory: string;
    /** Runs an operation while there is no room. */
    full<T>(operation: () => Promise<T>): Promise<T>;
    remove(): void;
  }

  /** A file system of 256 kB and 30 files, where one may be mounted; else a disk that says so. */
  function smallDisk(what: "bytes" | "files"): Disk {
    const directory = newDirectory();
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k,nr_inodes=30,mode=700", "tmpfs", directory], {
        stdio: "ignore",
      });
    } catch {
      const refused = what === "bytes" ? "write" : "mkdir";
      return {
        directory,
        full: (operation) =>
          interfering((call, path) => {
            if (call === refused) throw systemError("ENOSPC", call, path);
          }, operation),
        remove: () => {},
      };
    }
    const fillers: string[] = [];
    return {
      directory,
      async full(operation) {
        try {
          for (;;) {
            fillers.push(join(directory, `filler${fillers.length}`));
            writeFileSync(fillers.at(-1)!, what === "bytes" ? "x".repeat(4096) : "");
          }
        } catch {}
        try {
          return await operation();
        } finally {
          for (const path of fillers.splice(0)) rmSync(path, { force: true });
        }
      },
      remove: () => execFileSync("umount", ["-l", directory]),
    };
  }

  for (const what of ["bytes", "files"] as const) {
    test(`keeps every record, fails what needs room and says so; deleting needs none: no ${what} left`, async () => {
      const disk = smallDisk(what);
      try {
        const { directory } = disk;
        const store = fileStore(directory);
        await store.create(key, { payload: OLD, expiresAt });
        for (const digit of "01234") {
          await store.create(digit.repeat(32), { payload: OLD, expiresAt: new Date(0) });
        }
        await disk.full(async () => {
          const isFull = (error: Error & { code: string }) =>
            isFault(error, /ENOSPC: no space left on device.*clearsessions/);
          await assert.rejects(operations.create!(store), isFull);
          await assert.rejects(operations.update!(store), isFull);
          assert.equal(Buffer.from((await store.load(key))!.payload).toString(), OLD);
          assert.deepEqual(
            list(directory).filter((file) => file.startsWith(".")),
            [],
          );
        });
        await disk.full(async () => {
          assert.equal(await store.delete(key, NEW), false);
          assert.equal(await store.delete(key, OLD), true);
          assert.equal(await store.delete(key), false);
        });
        await disk.full(async () => assert.equal(await store.deleteExpired(), 5));
        assert.deepEqual(list(directory), []);
        await store.create(key, { payload: NEW, expiresAt });
        assert.equal(readFileSync(join(directory, name), "utf8"), NEW);
      } finally {
        disk.remove();
      }
    });
  }
});

describe("a disk that hangs", () => {
  const soon = () => new Promise(setImmediate);
  /** Step by step, for a mocked timer that is set by another one starts when all of the time has passed. */
  const pass = ({ mock }: TestContext, ms: number) => {
    for (let n = 0; n < ms; n++) mock.timers.tick(1);
  };
  const hangs = (error: Error & { code: string }) => isFault(error, /has not answered for 500 ms/);

  test("fails operations after half a second, with two calls out at most; the next at once, until it is back", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const { store } = await withOneSession();
    let out = 0;
    let answer = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const hanging: Interference = async () => {
      out++;
      await answered;
    };
    const many = Array.from({ length: 10 }, (_, n) =>
      interfering(hanging, () => Object.values(operations)[n % 5]!(store)).then(
        () => "done",
        (error) => hangs(error) && "failed",
      ),
    );
    await soon();
    pass(t, 499);
    assert.equal(await Promise.race([...many, "waiting"]), "waiting");
    // Time is counted in quarters, of which the first may have begun before.
    pass(t, 126);
    assert.deepEqual(await Promise.all(many), new Array(10).fill("failed"));
    assert.equal(out, 2);
    for (const operation of Object.values(operations)) await assert.rejects(operation(store), hangs);

    answer();
    t.mock.timers.reset();
    for (let isBack = false; !isBack; await soon()) isBack = await store.load(key).then(Boolean, () => false);
    assert.equal(await store.update(key, { payload: NEW, expiresAt }), true);
  });

  test("with one file leaves the others' way free", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const { store } = await withOneSession();
    const stuck = assert.rejects(
      interfering(
        () => new Promise(() => {}),
        () => store.load("stuck000"),
      ),
      hangs,
    );
    for (let n = 0; n < 20; n++) assert.ok(await store.load(key));
    pass(t, 625);
    await stuck;
    for (let n = 0; n < 20; n++) assert.ok(await store.load(key));
  });

  test("in the middle of a write leaves no open file, and what was given up is not written later", async (t) => {
    for (const call of ["fsync", "rename"]) {
      t.mock.timers.enable({ apis: ["setTimeout"] });
      const { directory, store } = await withOneSession();
      let reached = () => {};
      const isReached = new Promise<void>((resolve) => {
        reached = resolve;
      });
      let answer = () => {};
      let times = 0;
      const hanging: Interference = async (name) => {
        // The first rename takes the lock, the second one publishes.
        if (name !== call || ++times !== (call === "rename" ? 2 : 1)) return;
        reached();
        await new Promise<void>((resolve) => {
          answer = resolve;
        });
      };
      const updating = assert.rejects(
        interfering(hanging, () => operations.update!(store)),
        hangs,
      );
      await isReached;
      pass(t, 625);
      await updating;
      t.mock.timers.reset();
      answer();
      await store.load(key);
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(readFileSync(join(directory, name), "utf8"), OLD);
      assert.deepEqual(
        list(directory).filter((file) => file.startsWith(".")),
        [],
      );
    }
  });
});
