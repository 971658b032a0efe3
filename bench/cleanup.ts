import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { SessionStore } from "sojourn";
import { type ConnectedStore, connect } from "sojourn/connect";
import { Database } from "../test/stores/database.ts";
import { startPostgres } from "../test/support/servers/postgres.ts";
import { temporaryDirectory } from "../test/support/servers/server.ts";

/*
 * `npm run bench:cleanup`: live traffic while `sojourn clearsessions` removes a million expired rows. The clean-up is a
 * process of its own, as cron would start it; the traffic is this one. What counts is the slowest hundredth of its
 * operations, with and without the clean-up.
 */

const EXPIRED = Number(process.env.EXPIRED ?? 1_000_000);
const LIVE = 100_000;
const PER_SECOND = 200;
const BASE_SECONDS = Number(process.env.BASE_SECONDS ?? 20);
const HOUR = 3_600_000;
const payload = "x".repeat(200);

const liveKey = (n: number) => `live${String(n).padStart(28, "0")}`;

interface Subject {
  readonly url: string;
  readonly store: ConnectedStore;
  /** Fills the table, faster than one by one. */
  fill(): void;
}

const SUBJECTS: Readonly<Record<string, () => Promise<Subject>>> = {
  async PostgreSQL() {
    const server = await startPostgres("fsync=on", "shared_buffers=256MB", "max_wal_size=4GB");
    const store = await connect(server.url());
    await store.migrate();
    const insert = (key: string, count: number, instant: string) =>
      server.sql(
        `INSERT INTO django_session SELECT ${key}, '${payload}', ${instant} FROM generate_series(0, ${count - 1}) n`,
      );
    return {
      url: server.url(),
      store,
      fill() {
        insert("md5(n::text)", EXPIRED, "now() - n * interval '1 second'");
        insert("'live' || lpad(n::text, 28, '0')", LIVE, "now() + interval '1 hour'");
        server.sql("VACUUM ANALYZE django_session");
        server.sql("CHECKPOINT");
      },
    };
  },

  async SQLite() {
    const path = join(temporaryDirectory(), "db.sqlite3");
    const store = await connect(`sqlite:${path}`);
    await store.migrate();
    return {
      url: `sqlite:${path}`,
      store,
      fill() {
        const database = new Database(path);
        const insert = (key: string, count: number, modifier: string) =>
          database.exec(
            `WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count - 1})
             INSERT INTO django_session SELECT ${key}, '${payload}', datetime('now', ${modifier}) FROM numbers`,
          );
        insert("lower(hex(randomblob(16)))", EXPIRED, "'-' || n || ' seconds'");
        insert("printf('live%028d', n)", LIVE, "'+1 hour'");
        database.close();
      },
    };
  },
};

console.log("| | live operations | p50 ms | p99 ms | slowest ms |");
console.log("|---|---|---|---|---|");
for (const [name, open] of Object.entries(SUBJECTS)) {
  const { url, store, fill } = await open();
  fill();
  await traffic(store, sleep(3000));
  const base = await traffic(store, sleep(BASE_SECONDS * 1000));
  row(`${name}, alone`, base);

  const start = performance.now();
  const cleaner = spawn(process.execPath, ["dist/cli/main.js", "clearsessions", "--json", ...process.argv.slice(2)], {
    env: { PATH: process.env.PATH, SOJOURN_STORE: url },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  cleaner.stdout.on("data", (chunk) => {
    output += chunk;
  });
  const during = await traffic(store, once(cleaner, "exit"));
  const seconds = (performance.now() - start) / 1000;
  row(`${name}, during the clean-up`, during);
  console.log(
    `| p99 ${(percentile(during, 0.99) / percentile(base, 0.99)).toFixed(2)} times its base; ${JSON.parse(output).deleted.toLocaleString("en")} rows in ${seconds.toFixed(0)} s | | | | |`,
  );
  await store.close();
}
process.exit();

/** Seven reads to three writes at a steady pace, however slow the answers are, until `end`; sorted milliseconds. */
async function traffic(store: SessionStore, end: Promise<unknown>): Promise<number[]> {
  let ended = false;
  void end.then(() => {
    ended = true;
  });
  const latencies: number[] = [];
  const running: Promise<void>[] = [];
  const start = performance.now();
  for (let n = 0; !ended; n++) {
    const due = start + (n * 1000) / PER_SECOND;
    const wait = due - performance.now();
    if (wait > 0) await sleep(wait);
    const key = liveKey((n * 7919) % LIVE);
    const operation =
      n % 10 < 7 ? store.load(key) : store.update(key, { payload, expiresAt: new Date(Date.now() + HOUR) });
    const from = performance.now();
    running.push(
      operation.then((answer) => {
        if (!answer) throw new Error("A live session is gone.");
        latencies.push(performance.now() - from);
      }),
    );
  }
  await Promise.all(running);
  return latencies.sort((a, b) => a - b);
}

function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
}

function row(name: string, latencies: readonly number[]): void {
  const [p50, p99, slowest] = [0.5, 0.99, 1].map((part) => percentile(latencies, part).toFixed(2));
  console.log(`| ${name} | ${latencies.length.toLocaleString("en")} | ${p50} | ${p99} | ${slowest} |`);
}
