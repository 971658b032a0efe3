import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { memoryStore } from "../../../src/stores/memory.ts";
import { sqlite, sqliteClient } from "../../../src/stores/sql/sqlite.ts";
import { through } from "../../stores/caches.ts";
import { Database } from "../../stores/database.ts";
import { fileStore, passingThrough, systemError } from "../../stores/file-calls.ts";
import { everyCall } from "./every-call.ts";
import { type Kind, nothingExpired, place, sqlKind } from "./kinds.ts";

const database = new Database(":memory:");
/** In memory, where there is such a file system: what is tested here is not the disk. */
const root = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "sojourn-"));
after(() => {
  database.close();
  rmSync(root, { recursive: true, force: true });
});

const fileKind: Kind = {
  name: "file",
  boundsCleanUp: true,
  async place(id) {
    const directory = mkdtempSync(join(root, `${id}-`));
    return place({
      store(pass) {
        const own = fileStore(directory, { timeoutMs: 200 });
        const passed = <T>(run: () => Promise<T>) =>
          passingThrough((name, path, call) => pass(name, call, () => systemError("EIO", name, path)), run);
        return {
          ...through(own, (_operation, run) => passed(run)),
          deleteExpired: (options) => passed(() => own.deleteExpired(options)),
        };
      },
      countExpired: async () => readdirSync(directory).filter((name) => name.includes("expired")).length,
    });
  },
};

const memoryKind: Kind = {
  name: "memory",
  boundsCleanUp: false,
  async place() {
    const store = memoryStore();
    return place({
      store: (pass) => ({
        ...through(store, (operation, run) => pass(operation, run, () => new Error("out of order"))),
        deleteExpired: (options) =>
          pass(
            "deleteExpired",
            () => store.deleteExpired(options),
            () => new Error("out of order"),
          ),
      }),
      countExpired: nothingExpired,
    });
  },
};

everyCall([memoryKind, sqlKind("SQLite", sqlite, sqliteClient(database)), fileKind]);
