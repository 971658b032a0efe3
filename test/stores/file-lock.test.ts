import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import type { SessionStore } from "../../src/core/contracts.ts";
import { interfering, fileStore as openFileStore } from "./file-calls.ts";
import { list, newDirectory } from "./file-directory.ts";

const key = "abcdefghijklmnopqrstuvwxyz012345";
const expiresAt = new Date(Date.now() + 3_600_000);
const record = (payload: string) => ({ payload, expiresAt });

type Mock = typeof import("node:test").mock;

/** On a disk that may take its time: the store's own looks at the time would hurry the clock by chance. */
const fileStore = (directory: string) => openFileStore(directory, { timeoutMs: 60_000 });

/** Each look at the time is 100 ms later than the one before. */
function hurriedClock(t: { mock: Mock }): void {
  let time = 0;
  t.mock.method(performance, "now", () => (time += 100));
}

/** A lock as a process leaves it that is killed while it holds it. */
function leaveLock(directory: string, claim: "file" | "directory"): string {
  const lock = join(directory, `.sessionid${key}.lock`);
  mkdirSync(lock);
  const path = join(lock, "0123456789abcdef01234567");
  if (claim === "file") writeFileSync(path, "of the dead");
  else {
    mkdirSync(path);
    writeFileSync(join(path, "removed"), "of the dead");
  }
  return path;
}

describe("a lock that a killed process has left", () => {
  for (const claim of ["file", "directory"] as const) {
    for (const operation of ["create", "update", "delete"] as const) {
      test(`delays a session's ${operation}, and is gone then: ${claim}`, async (t) => {
        const directory = newDirectory();
        const store = fileStore(directory);
        if (operation !== "create") await store.create(key, record("old"));
        leaveLock(directory, claim);
        hurriedClock(t);
        if (operation === "create") assert.equal(await store.create(key, record("new")), true);
        if (operation === "update") assert.equal(await store.update(key, record("new"), "old"), true);
        if (operation === "delete") assert.equal(await store.delete(key, "old"), true);
        assert.deepEqual(list(directory), operation === "delete" ? [] : [`sessionid${key}`]);
      });
    }
  }

  test("is taken over by one of many who wait, and then by the others in turn", async (t) => {
    const directory = newDirectory();
    await fileStore(directory).create(key, record(""));
    leaveLock(directory, "file");
    // Until the lock is free, time passes; what follows may take as long as it takes.
    let time = 0;
    const claim = join(directory, `.sessionid${key}.lock`, "0123456789abcdef01234567");
    t.mock.method(performance, "now", () => {
      if (existsSync(claim)) time += 10;
      return time;
    });
    const append = async (n: number) => {
      // A store of its own knows nothing of the others, as in another process.
      const store = fileStore(directory);
      for (let done = false; !done; ) {
        const before = Buffer.from((await store.load(key))!.payload).toString();
        done = await store.update(key, record(`${before}${n};`), before);
      }
    };
    await Promise.all(Array.from({ length: 10 }, (_, n) => append(n)));
    const written = readFileSync(join(directory, `sessionid${key}`), "utf8")
      .split(";")
      .slice(0, -1);
    assert.deepEqual(written.sort(), [..."0123456789"]);
  });

  test("keeps nobody from reading", async () => {
    const directory = newDirectory();
    const store = fileStore(directory);
    await store.create(key, record("old"));
    leaveLock(directory, "file");
    assert.ok(await store.load(key));
  });

  test("does not matter to other sessions", async () => {
    const directory = newDirectory();
    const store = fileStore(directory);
    leaveLock(directory, "file");
    assert.equal(await store.create("other000", record("a")), true);
    assert.equal(await store.delete("other000"), true);
  });
});

describe("a lock that another process is using", () => {
  test("is waited for, and not taken away", async (t) => {
    // Time stands still.
    t.mock.method(performance, "now", () => 0);
    const directory = newDirectory();
    const [mine, theirs] = [fileStore(directory), fileStore(directory)];
    await mine.create(key, record("old"));
    await theirs.load(key);
    let theirResult: Promise<boolean> | undefined;
    let renames = 0;
    const myResult = interfering(
      async (name) => {
        // The second rename is the change itself.
        if (name !== "rename" || ++renames !== 2) return;
        await new Promise<void>((hasLookedOften) => {
          let looks = 0;
          const looking = (call: string) => {
            if (call === "readdir" && ++looks === 5) hasLookedOften();
          };
          theirResult = interfering(looking, () => theirs.update(key, record("theirs"), "old"));
        });
      },
      () => mine.update(key, record("mine"), "old"),
    );
    assert.equal(await myResult, true);
    assert.equal(await theirResult, false);
    assert.equal(readFileSync(join(directory, `sessionid${key}`), "utf8"), "mine");
  });

  test("is hidden from Django, as all that is there for a moment only, and for its owner alone", async () => {
    const directory = newDirectory();
    const store = fileStore(directory);
    const before = process.umask(0);
    let seen = 0;
    const look = () => {
      for (const name of list(directory).filter((name) => name !== `sessionid${key}`)) {
        assert.match(name, /^\./);
        assert.equal(statSync(join(directory, name)).mode & 0o077, 0);
        seen++;
      }
    };
    try {
      await interfering(look, () => store.create(key, record("a")));
      await interfering(look, () => store.update(key, record("b"), "a"));
      await interfering(look, () => store.delete(key));
    } finally {
      process.umask(before);
    }
    assert.ok(seen > 3);
  });
});

describe("a session that others keep changing", () => {
  test("is given up after a second, with nothing written and no key named", async (t) => {
    const directory = newDirectory();
    const store = fileStore(directory);
    await store.create(key, record("old"));
    const lock = join(directory, `.sessionid${key}.lock`);
    let claims = 0;
    hurriedClock(t);
    const changing = interfering(
      (name, path) => {
        // Each time that it looks, somebody else has it.
        if (name !== "rename" || !String(path).endsWith(".tmp")) return;
        mkdirSync(lock, { recursive: true });
        writeFileSync(join(lock, `${claims++}`.padStart(24, "0")), "");
      },
      () => store.update(key, record("new"), "old"),
    );
    await assert.rejects(changing, (error: Error & { code: string }) => {
      assert.equal(error.code, "ERR_SESSION_UNAVAILABLE");
      assert.match(error.message, /Others kept changing the session for 1 s\. Nothing was written/);
      assert.ok(!inspect(error, { depth: 10 }).includes(key));
      return true;
    });
    assert.deepEqual(list(directory), [`.sessionid${key}.lock`, `sessionid${key}`]);
    assert.equal(readFileSync(join(directory, `sessionid${key}`), "utf8"), "old");
  });

  test("is not waited for any longer by those who wait behind one another in this process", async (t) => {
    const directory = newDirectory();
    const store = fileStore(directory);
    await store.create(key, record("old"));
    let time = 0;
    t.mock.method(performance, "now", () => time);
    const first = interfering(
      async (name) => {
        if (name === "mkdir") time = 2000;
      },
      () => store.update(key, record("new")),
    );
    const second = assert.rejects(store.update(key, record("newer")), { message: /Others kept changing/ });
    assert.equal(await first, true);
    await second;
  });
});

describe("an operation that is held up at any of its calls while another process changes the session", () => {
  /** What one of two does, each of which is right only if the other has not been faster. */
  const changes: Record<string, (store: SessionStore) => Promise<boolean>> = {
    "update to one": (store) => store.update(key, record("one"), "old"),
    "update to another": (store) => store.update(key, record("another"), "old"),
    delete: (store) => store.delete(key, "old"),
  };
  const results: Record<string, string | null> = {
    "update to one": "one",
    "update to another": "another",
    delete: null,
  };

  for (const held of ["update to one", "delete"]) {
    for (const other of ["update to another", "delete"]) {
      test(`a ${held} changes nothing after the other's ${other}, nor is that lost`, async (t) => {
        let calls = 0;
        let lateOnes = 0;
        for (let at = 1, wasHeld = true; wasHeld; at++) {
          wasHeld = false;
          calls = 0;
          const directory = newDirectory();
          const [mine, theirs] = [fileStore(directory), fileStore(directory)];
          await mine.create(key, record("old"));
          await theirs.load(key);
          hurriedClock(t);
          let theirResult: boolean | undefined;
          const myResult = await interfering(
            async () => {
              if (++calls !== at) return;
              wasHeld = true;
              // Not announced: these are another process's calls.
              theirResult = await interfering(
                () => {},
                () => changes[other]!(theirs),
              );
            },
            () => changes[held]!(mine).catch((error) => error as Error),
          );
          t.mock.restoreAll();
          if (!wasHeld) break;
          if (myResult instanceof Error) {
            assert.match(myResult.message, /held up for 0\.5 s, and another one took its lock/);
            lateOnes++;
          }
          const loaded = await theirs.load(key);
          const result = loaded && Buffer.from(loaded.payload).toString();
          if (myResult === true) assert.equal(theirResult, false, `both succeeded, held at call ${at}`);
          else if (myResult === false) assert.equal(theirResult, true, `neither succeeded, held at call ${at}`);
          assert.equal(result, results[theirResult ? other : held], `held at call ${at}`);
          assert.deepEqual(list(directory), result === null ? [] : [`sessionid${key}`], `held at call ${at}`);
        }
        assert.ok(calls > 8, "it was never held up");
        assert.ok(lateOnes > 0, "it never lost its lock");
      });
    }
  }

  test("of two creates over an expired record one succeeds, and its record is there", async (t) => {
    for (let at = 1, wasHeld = true; wasHeld; at++) {
      wasHeld = false;
      const directory = newDirectory();
      const [mine, theirs] = [fileStore(directory), fileStore(directory)];
      await mine.create(key, { payload: "old", expiresAt: new Date(0) });
      await theirs.load(key);
      hurriedClock(t);
      let calls = 0;
      let theirResult: boolean | undefined;
      const myResult = await interfering(
        async () => {
          if (++calls !== at) return;
          wasHeld = true;
          theirResult = await interfering(
            () => {},
            () => theirs.create(key, record("theirs")),
          );
        },
        () => mine.create(key, record("mine")).catch((error) => error as Error),
      );
      t.mock.restoreAll();
      if (!wasHeld) break;
      assert.notEqual(myResult, theirResult, `held at call ${at}`);
      assert.equal(
        readFileSync(join(directory, `sessionid${key}`), "utf8"),
        theirResult ? "theirs" : "mine",
        `held at call ${at}`,
      );
    }
  });

  test("a clean-up removes no session that is created under an expired key", async (t) => {
    for (let at = 1, wasHeld = true; wasHeld; at++) {
      wasHeld = false;
      const directory = newDirectory();
      const [mine, theirs] = [fileStore(directory), fileStore(directory)];
      await mine.create(key, { payload: "old", expiresAt: new Date(0) });
      await theirs.load(key);
      hurriedClock(t);
      let calls = 0;
      await interfering(
        async () => {
          if (++calls !== at) return;
          wasHeld = true;
          assert.equal(
            await interfering(
              () => {},
              () => theirs.create(key, record("new")),
            ),
            true,
          );
        },
        () => mine.deleteExpired(),
      );
      t.mock.restoreAll();
      if (!wasHeld) break;
      assert.ok(await theirs.load(key), `held at call ${at}`);
      assert.deepEqual(list(directory), [`sessionid${key}`]);
    }
  });
});
