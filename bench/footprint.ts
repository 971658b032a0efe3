import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { join } from "node:path";
import { type ConnectedStore, connect } from "sojourn/connect";
import { djangoCodec } from "sojourn/django";
import { startMariadb } from "../test/support/servers/mariadb.ts";
import { startMemcached } from "../test/support/servers/memcached.ts";
import { startPostgres } from "../test/support/servers/postgres.ts";
import { startRedis } from "../test/support/servers/redis.ts";
import { temporaryDirectory } from "../test/support/servers/server.ts";

/*
 * `npm run bench:footprint`: what a session takes in each store, indexes and overhead included, and how fast many are
 * created. The sessions are those of a shop: a user, a cart, a few settings.
 */

const SESSIONS = Number(process.env.SESSIONS ?? 50_000);
const LANES = 64;

const codec = djangoCodec({ secretKey: "a secret key of a benchmark, long enough for the codec" });
const data = {
  _auth_user_id: "123456",
  _auth_user_backend: "django.contrib.auth.backends.ModelBackend",
  _auth_user_hash: "5b497497369563e142b55fc12040cbcbb97d48906e373a6d6023f55872467c3f",
  cart: [
    { sku: "A-1001", n: 2 },
    { sku: "B-2002", n: 1 },
  ],
  lang: "en",
};

interface Subject {
  readonly store: ConnectedStore;
  /** Bytes that it takes now. */
  size(): number | Promise<number>;
}

const SUBJECTS: Readonly<Record<string, () => Promise<Subject>>> = {
  async SQLite() {
    const path = join(temporaryDirectory(), "db.sqlite3");
    const store = await connect(`sqlite:${path}`);
    return { store, size: () => statSync(path).size };
  },
  async PostgreSQL() {
    const server = await startPostgres("fsync=on");
    return {
      store: await connect(server.url()),
      size: () => Number(server.sql("SELECT pg_total_relation_size('django_session')")),
    };
  },
  async MariaDB() {
    const server = await startMariadb("--innodb-flush-log-at-trx-commit=1");
    return {
      store: await connect(server.url()),
      size() {
        server.sql("ANALYZE TABLE django_session");
        return Number(
          server.sql(
            "SELECT data_length + index_length FROM information_schema.tables WHERE table_name = 'django_session'",
          ),
        );
      },
    };
  },
  async Redis() {
    const server = await startRedis();
    return {
      store: await connect(`redis://127.0.0.1:${server.port}`),
      size: () => Number(/used_memory:(\d+)/.exec(server.cli("info", "memory"))![1]),
    };
  },
  async memcached() {
    const server = await startMemcached(["-m", "1024"]);
    return {
      store: await connect(`memcached://127.0.0.1:${server.port}`),
      size: async () => Number(/STAT bytes (\d+)/.exec(await memcachedStats(server.port))![1]),
    };
  },
  async files() {
    const directory = temporaryDirectory();
    return {
      store: await connect(`file:${directory}`),
      size: () => 1024 * Number(execFileSync("du", ["-sk", directory], { encoding: "utf8" }).split("\t")[0]),
    };
  },
};

const payload = codec.encode(data, new Date()) as string;
console.log(`A session of ${payload.length} bytes, ${SESSIONS.toLocaleString("en")} times.\n`);
console.log("| store | bytes a session | created a second |");
console.log("|---|---|---|");
for (const [name, open] of Object.entries(SUBJECTS)) {
  const { store, size } = await open();
  await store.migrate();
  const before = await size();
  const start = performance.now();
  let n = 0;
  const lane = async () => {
    for (let mine = n++; mine < SESSIONS; mine = n++) {
      const key = Math.random().toString(36).slice(2).padEnd(16, "0") + String(mine).padStart(16, "0");
      await store.create(key, { payload, expiresAt: new Date(Date.now() + 1_209_600_000) });
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const seconds = (performance.now() - start) / 1000;
  const bytes = ((await size()) - before) / SESSIONS;
  console.log(`| ${name} | ${Math.round(bytes)} | ${Math.round(SESSIONS / seconds).toLocaleString("en")} |`);
  await store.close();
}
process.exit();

async function memcachedStats(port: number): Promise<string> {
  const socket = connectSocket(port, "127.0.0.1");
  socket.end("stats\r\nquit\r\n");
  let text = "";
  for await (const chunk of socket) text += chunk;
  return text;
}
