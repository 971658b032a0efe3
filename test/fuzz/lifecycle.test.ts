import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { connect } from "../../src/connect.ts";
import type { SessionStore } from "../../src/core/contracts.ts";
import { SessionError } from "../../src/core/errors.ts";
import { DEFAULT_SETTINGS } from "../../src/core/settings.ts";
import { djangoCodec } from "../../src/django/codec.ts";
import { djangoExpiry } from "../../src/django/expiry.ts";
import { createSessions, fileStore, memcachedClient, memcachedStore, memoryStore } from "../../src/index.ts";
import { open } from "../cli/support.ts";
import { planned } from "./fuzz.ts";
import { mutator } from "./mutator.ts";
import { djangoPayloads, keys, NOW, secretKey } from "./samples.ts";

/* Hostile cookies and records, through the whole of a request: over memory, SQLite, files and a memcached. */

const folder = mkdtempSync(join(tmpdir(), "sojourn-fuzz-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const KEYS = [
  "abcdefghijklmnopqrstuvwxyz012345",
  "zyxwvutsrqponmlkjihgfedcba543210",
  "0123456789abcdefghijklmnopqrstuv",
];
const isKey = (value: string) => /^[a-z0-9]{8,40}$/.test(value) && !value.includes("\n");
/** What a cookie's value may stand for: with its quotes and escapes, and without. */
const spellings = (value: string) => {
  const plain = value.replace(/^[ \t]+|[ \t]+$/g, "");
  const unescaped = plain.replace(/\\([0-3][0-7][0-7]|.)/gs, (_, code: string) =>
    code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8)) : code,
  );
  return [plain, unescaped, unescaped.replace(/^"|"$/g, "")];
};

/** A store with a session under each key, and what it was asked. */
async function counted(store: SessionStore) {
  const codec = djangoCodec({ secretKey });
  const expiresAt = new Date(Date.now() + 3_600_000);
  for (const key of KEYS) await store.create(key, { payload: codec.encode({ owner: key }, new Date()), expiresAt });
  const asked: string[] = [];
  const methods = Object.entries(store).map(([name, method]) => [
    name,
    (...args: unknown[]) => {
      asked.push(String(args[0]));
      return method(...args);
    },
  ]);
  return { ...createSessions<{ owner: string }>({ secretKey, store: Object.fromEntries(methods) }), asked };
}

async function sqliteStore() {
  const path = join(folder, "db.sqlite3");
  const store = await connect(`sqlite:${path}`);
  await store.migrate();
  after(() => store.close());
  return { store, path };
}
const { store: sqlite, path } = await sqliteStore();

const directory = join(folder, "sessions");
mkdirSync(directory, { mode: 0o700 });
const files = fileStore(directory, { expiryOf: djangoExpiry(DEFAULT_SETTINGS) });

for (const [index, [name, store]] of Object.entries({ memory: memoryStore(), SQLite: sqlite, files }).entries()) {
  describe(`hostile cookies, over ${name}`, async () => {
    const { open, asked } = await counted(store);

    const hostile = planned({ seed: 100 + index, runs: 100_000 });
    test(`of ${hostile.runs} that are no keys (seed ${hostile.seed}) none reaches the store (CVE-2018-11386)`, async () => {
      asked.length = 0;
      const next = mutator(KEYS, hostile.seed);
      for (let n = 0; n < hostile.runs; ) {
        const value = next().replaceAll(";", "");
        if (spellings(value).some(isKey)) continue;
        n++;
        const request = open(`sessionid=${value}`);
        const session = await request.session();
        assert.deepEqual([session.key, session.size], [null, 0]);
        await request.commit(200);
      }
      assert.deepEqual(asked, []);
    });

    const headers = planned({ seed: 110 + index, runs: 15_000 });
    test(`of ${headers.runs} changed headers (seed ${headers.seed}) none gives another's session, nor asks for what is no key`, async () => {
      const next = mutator(
        [
          `sessionid=${KEYS[0]}`,
          `csrftoken=x; sessionid=${KEYS[1]}; a=b`,
          `sessionid="${KEYS[2]}"; theme=dark; sessionid=${KEYS[0]!.slice(1)}`,
          `sessionid=; sessionid=${KEYS[1]}; __Host-sessionid=${KEYS[2]}`,
        ],
        headers.seed,
      );
      let found = 0;
      for (let n = 0; n < headers.runs; n++) {
        asked.length = 0;
        const header = next();
        const request = open(header);
        const session = await request.session();
        const values = header.split(";").flatMap((pair) => spellings(pair.split(/=(.*)/s)[1] ?? ""));
        for (const key of asked) assert.ok(isKey(key) && values.includes(key), JSON.stringify(header));
        const { key } = session;
        if (key !== null) {
          found++;
          assert.ok(values.includes(key) && KEYS.includes(key), JSON.stringify(header));
          assert.equal(session.get("owner"), key);
        }
        // What was read only sets no cookie but to delete one.
        for (const cookie of (await request.commit(200)).setCookie) assert.match(cookie, /^sessionid=""; /);
      }
      assert.ok(found > headers.runs / 20, `${found}`);
    });
  });
}

describe("changed records", () => {
  const codec = djangoCodec(keys);
  const stored = djangoPayloads(codec);
  const key = "changedrecordsarereadunderthiskey";

  /** Puts each mutant where the record is, and asks for it, of the store and in a request. */
  async function read(
    store: SessionStore,
    { seed, runs }: { seed: number; runs: number },
    put: (payload: Buffer, n: number) => void,
  ): Promise<void> {
    const { open } = createSessions({ secretKey, store });
    const next = mutator(stored, seed);
    let found = 0;
    for (let n = 0; n < runs; ) {
      const payload = Buffer.from(next(), "latin1");
      if (stored.includes(payload.toString("latin1"))) continue;
      n++;
      put(payload, n);
      const record = await store.load(key);
      assert.ok(record === null || codec.decode(record.payload) === null, payload.toString("base64"));
      if (record?.expiresAt) assert.ok(!Number.isNaN(record.expiresAt.getTime()));
      if (record) found++;
      if (n % 10 > 0) continue;
      const request = open(`sessionid=${key}`);
      // So many that do not verify are no person's fault, and may be taken for a wrong secret key.
      const session = await request.session().catch((error) => {
        assert.ok(error instanceof SessionError && error.code === "ERR_SESSION_UNAVAILABLE", `${error}`);
        return null;
      });
      assert.equal(session?.key ?? null, null);
      // Of one that is there, the cookie stays: it may be mended.
      const { setCookie } = await request.commit(200);
      if (record !== null) assert.deepEqual(setCookie, []);
    }
    assert.ok(found > runs / 2, `${found} were there at all`);
  }

  const inFiles = planned({ seed: 120, runs: 10_000 });
  test(
    `files: of ${inFiles.runs} mutants (seed ${inFiles.seed}) none is read, and none throws`,
    { timeout: 120_000 },
    () =>
      read(fileStore(directory), inFiles, (payload) => {
        const path = join(directory, `sessionid${key}`);
        writeFileSync(path, payload, { mode: 0o600 });
        utimesSync(path, NOW, new Date(Date.now() + 3_600_000));
      }),
  );

  const inTables = planned({ seed: 121, runs: 10_000 });
  test(`a table: of ${inTables.runs} mutants (seed ${inTables.seed}), with expiries of any kind and type, none is read, and none throws`, {
    timeout: 120_000,
  }, async () => {
    const database = open(path) as unknown as {
      prepare(sql: string): { run(...values: unknown[]): unknown };
      close(): void;
    };
    const expiries = mutator(["2999-12-01 12:00:00.123456", "2999-12-01 12:00:00", "2999-12-01"], inTables.seed);
    database.prepare("INSERT INTO django_session VALUES (?, '', '2999-01-01')").run(key);
    const update = database.prepare(
      "UPDATE django_session SET session_data = ?, expire_date = ? WHERE session_key = ?",
    );
    await read(sqlite, inTables, (payload, n) => {
      // Drivers end a text at its first NUL.
      const text = payload.toString("latin1").replaceAll("\0", "\x01");
      const data = [payload, text, payload.length][n % 5] ?? text;
      const expiry = [3e12, "2999-01-01", expiries(), Buffer.from("2999")][n % 7] ?? "2999-12-01 12:00:00";
      update.run(data, expiry, key);
    });
    database.close();
  });

  const inCaches = planned({ seed: 122, runs: 10_000 });
  test(`a memcached: of ${inCaches.runs} mutants (seed ${inCaches.seed}), with flags of any kind, none is read, and none throws`, async () => {
    const item = { value: Buffer.alloc(0), flags: 0, cas: "1" };
    const store = memcachedStore({ get: async () => item, set: async () => true, delete: async () => true });
    const flags = [0, 1, 8, 9, 16, 2 ** 32 - 1, -8, Number.NaN, 1.5];
    await read(store, inCaches, (value, n) => Object.assign(item, { value, flags: flags[n % flags.length] }));
  });

  const replies = planned({ seed: 123, runs: 1500 });
  test(`a memcached's replies: of ${replies.runs} mutants (seed ${replies.seed}) each is an item, none, or ERR_SESSION_UNAVAILABLE`, {
    timeout: 120_000,
  }, async () => {
    const next = mutator(
      ["VA 5 f0 c17 O1\r\nhello\r\n", "VA 5 f8 c18446744073709551615 O1\r\nhello\r\n", "EN O1\r\n"],
      replies.seed,
    );
    let reply = "";
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (chunk: Buffer) => {
        for (const line of chunk.toString("latin1").split("\r\n")) {
          if (line.startsWith("mg sojourn:probe")) socket.write("EN O0\r\n");
          else if (line.startsWith("stats")) socket.write("END\r\n");
          // Ended, so that one which is no whole answer is not waited for.
          else if (line.startsWith("mg ")) socket.end(Buffer.from(reply, "latin1"));
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    let items = 0;
    for (let n = 0; n < replies.runs; n++) {
      reply = next();
      const client = memcachedClient({ port });
      const item = await client.get("key").catch((error) => {
        assert.ok(
          error instanceof SessionError && error.code === "ERR_SESSION_UNAVAILABLE",
          `${error} for ${JSON.stringify(reply)}`,
        );
        return null;
      });
      if (item !== null)
        assert.ok(Buffer.from(reply, "latin1").includes(Buffer.from(item.value)) && typeof item.cas === "string");
      if (item !== null) items++;
      client.close();
    }
    server.close();
    assert.ok(items > replies.runs / 50, `${items}`);
  });
});
