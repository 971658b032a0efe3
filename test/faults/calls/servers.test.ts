import { after } from "node:test";
import mysqlDriver from "mysql2/promise";
import pg from "pg";
import { createClient } from "redis";
import { type MemcachedClient, memcachedClient } from "../../../src/stores/memcached/client.ts";
import { memcachedStore } from "../../../src/stores/memcached/store.ts";
import { redisStore } from "../../../src/stores/redis/store.ts";
import { mysql, mysqlClient } from "../../../src/stores/sql/mysql.ts";
import { postgres, postgresClient } from "../../../src/stores/sql/postgres.ts";
import { startMariadb } from "../../support/servers/mariadb.ts";
import { startMemcached } from "../../support/servers/memcached.ts";
import { startPostgres } from "../../support/servers/postgres.ts";
import { startRedis } from "../../support/servers/redis.ts";
import { everyCall } from "./every-call.ts";
import { broken, cachedKind, type Kind, nothingExpired, place, sqlKind } from "./kinds.ts";

const [postgresServer, mariadbServer, redisServer, memcachedServer] = await Promise.all([
  startPostgres(),
  startMariadb(),
  startRedis(),
  startMemcached(),
]);
const pool = new pg.Pool({ connectionString: postgresServer.url(), max: 8 });
const mysqlPool = mysqlDriver.createPool({ uri: mariadbServer.url(), connectionLimit: 8, charset: "utf8mb4" });
const redis = createClient({ url: `redis://127.0.0.1:${redisServer.port}` });
await redis.connect();
const memcached = memcachedClient({ port: memcachedServer.port });
after(async () => {
  await Promise.all([pool.end(), mysqlPool.end()]);
  redis.destroy();
  memcached.close();
});

const postgresKind = sqlKind("PostgreSQL", postgres, postgresClient(pool));
const mariadbKind = sqlKind("MariaDB", mysql, mysqlClient(mysqlPool));
const redisKind: Kind = {
  name: "Redis",
  boundsCleanUp: true,
  async place(id) {
    return place({
      store: (pass) =>
        redisStore(
          {
            sendCommand: (command: (string | Buffer)[], commandOptions?: object) =>
              pass(String(command[0]), () => redis.sendCommand<unknown>(command, commandOptions), broken(command)),
          },
          { prefix: `${id}:` },
        ),
      countExpired: nothingExpired,
    });
  },
};

const memcachedKind: Kind = {
  name: "memcached",
  boundsCleanUp: true,
  async place(id) {
    const options = { prefix: `${id}:` };
    // Its own contract: errors hold neither keys nor values.
    const fault = () => Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    return place({
      store(pass) {
        const passed: MemcachedClient = {
          get: (key) => pass("get", () => memcached.get(key), fault),
          set: (key, value, how) => pass("set", () => memcached.set(key, value, how), fault),
          delete: (key, cas) => pass("delete", () => memcached.delete(key, cas), fault),
        };
        return memcachedStore(passed, options);
      },
      countExpired: nothingExpired,
    });
  },
};

everyCall([
  postgresKind,
  mariadbKind,
  redisKind,
  memcachedKind,
  cachedKind(redisKind, postgresKind),
  cachedKind(memcachedKind, mariadbKind),
]);
