import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Redis } from "ioredis";
import { createPool } from "mysql2/promise";
import pg from "pg";
import { createClient } from "redis";
import {
  cachedStore,
  fileStore,
  memcachedClient,
  memcachedStore,
  memoryStore,
  mysql,
  mysqlClient,
  postgres,
  postgresClient,
  redisStore,
  type SessionStore,
  sqlStore,
} from "sojourn";
import { connect } from "sojourn/connect";
import { Database } from "../../test/stores/database.ts";
import { startMariadb } from "../../test/support/servers/mariadb.ts";
import { startMemcached } from "../../test/support/servers/memcached.ts";
import { startPostgres } from "../../test/support/servers/postgres.ts";
import { startRedis } from "../../test/support/servers/redis.ts";
import { temporaryDirectory } from "../../test/support/servers/server.ts";

/** The same work by the driver alone, as a hurried programmer would write it. */
export interface Bare {
  load(key: string): Promise<unknown>;
  update(key: string, payload: string, expiresAt: Date): Promise<unknown>;
}

export interface Subject {
  readonly store: SessionStore;
  readonly bare: Bare;
  close(): Promise<unknown>;
}

export const SUBJECTS: Readonly<Record<string, () => Promise<Subject>>> = {
  async memory() {
    const map = new Map<string, string>();
    const bare: Bare = {
      load: async (key) => map.get(key),
      update: async (key, payload) => map.set(key, payload),
    };
    return { store: memoryStore(), bare, close: async () => {} };
  },

  async file() {
    const directory = temporaryDirectory();
    const bare: Bare = {
      load: (key) => readFile(join(directory, `sessionid${key}`)),
      async update(key, payload) {
        const path = join(directory, `sessionid${key}`);
        await writeFile(`${path}.tmp`, payload, { flush: true });
        await rename(`${path}.tmp`, path);
      },
    };
    return { store: fileStore(directory), bare, close: async () => {} };
  },

  async SQLite() {
    const path = join(temporaryDirectory(), "db.sqlite3");
    const store = await connect(`sqlite:${path}`);
    await store.migrate();
    const database = new Database(path);
    const select = database.prepare("SELECT session_data FROM django_session WHERE session_key = ?");
    const update = database.prepare(
      "UPDATE django_session SET session_data = ?, expire_date = ? WHERE session_key = ?",
    );
    const bare: Bare = {
      load: async (key) => select.all(...([key] as never[])),
      update: async (key, payload, expiresAt) => update.run(...([payload, expiresAt.toISOString(), key] as never[])),
    };
    return { store, bare, close: () => store.close() };
  },

  async "PostgreSQL (pg)"() {
    const server = await startPostgres("fsync=on");
    const migrated = await connect(server.url());
    await migrated.migrate();
    await migrated.close();
    const pool = new pg.Pool({ connectionString: server.url(), max: 10 });
    const bare: Bare = {
      load: (key) =>
        pool.query({
          name: "bare_load",
          text: "SELECT session_data FROM django_session WHERE session_key = $1",
          values: [key],
        }),
      update: (key, payload, expiresAt) =>
        pool.query({
          name: "bare_update",
          text: "UPDATE django_session SET session_data = $1, expire_date = $2 WHERE session_key = $3",
          values: [payload, expiresAt, key],
        }),
    };
    return { store: sqlStore(postgresClient(pool), postgres), bare, close: () => pool.end() };
  },

  async "MariaDB (mysql2)"() {
    const server = await startMariadb("--innodb-flush-log-at-trx-commit=1");
    const migrated = await connect(server.url());
    await migrated.migrate();
    await migrated.close();
    const pool = createPool({ uri: server.url(), connectionLimit: 10, timezone: "Z" });
    const bare: Bare = {
      load: (key) => pool.execute("SELECT session_data FROM django_session WHERE session_key = ?", [key]),
      update: (key, payload, expiresAt) =>
        pool.execute("UPDATE django_session SET session_data = ?, expire_date = ? WHERE session_key = ?", [
          payload,
          expiresAt,
          key,
        ]),
    };
    return { store: sqlStore(mysqlClient(pool), mysql), bare, close: () => pool.end() };
  },

  async "Redis (node-redis)"() {
    const server = await startRedis();
    // Its own time-out costs five times what the command does; the stores that `connect` makes have one of their own.
    const client = createClient({ url: `redis://127.0.0.1:${server.port}`, commandOptions: { timeout: 0 } });
    client.on("error", () => {});
    await client.connect();
    const bare: Bare = {
      load: (key) => client.get(`session:${key}`),
      update: (key, payload, expiresAt) =>
        client.set(`session:${key}`, payload, { PXAT: expiresAt.getTime(), XX: true } as never),
    };
    return { store: redisStore(client), bare, close: async () => client.destroy() };
  },

  async "Redis (ioredis)"() {
    const server = await startRedis();
    const client = new Redis(server.port, "127.0.0.1");
    const bare: Bare = {
      load: (key) => client.get(`session:${key}`),
      update: (key, payload, expiresAt) => client.set(`session:${key}`, payload, "PXAT", expiresAt.getTime(), "XX"),
    };
    return { store: redisStore(client), bare, close: async () => client.disconnect() };
  },

  async memcached() {
    const server = await startMemcached();
    const client = memcachedClient({ port: server.port });
    const bare: Bare = {
      load: (key) => client.get(`session:${key}`),
      update: (key, payload) => client.set(`session:${key}`, payload, { mode: "replace", flags: 0, exptime: 3600 }),
    };
    return { store: memcachedStore(client), bare, close: async () => client.close() };
  },

  async "Redis over PostgreSQL"() {
    const [database, redis] = [await startPostgres("fsync=on"), await startRedis()];
    const [truth, cache] = [await connect(database.url()), await connect(`redis://127.0.0.1:${redis.port}`)];
    await truth.migrate();
    // What it saves, and what it adds: the database alone.
    return {
      store: cachedStore(cache, truth),
      bare: {
        load: (key) => truth.load(key),
        update: (key, payload, expiresAt) => truth.update(key, { payload, expiresAt }),
      },
      close: () => Promise.all([truth.close(), cache.close()]),
    };
  },
};
