import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { createPool as createMariadbPool } from "mariadb";
import mysql2Callback from "mysql2";
import mysql2 from "mysql2/promise";
import { connect } from "../../src/connect.ts";
import type { SqlClient } from "../../src/stores/sql/dialect.ts";
import { type MysqlClient, mysql, mysqlClient } from "../../src/stores/sql/mysql.ts";
import { sqlStore } from "../../src/stores/sql/store.ts";
import { storeSuite } from "../../src/testing/index.ts";
import { startMariadb } from "../support/servers/mariadb.ts";
import { until } from "../support/servers/server.ts";
import { allFailSaying, failsSaying, KEY, keepsSessions, OPERATIONS, PAYLOAD, record } from "./database-faults.ts";

const server = await startMariadb();

/** What Django's migration sessions.0001_initial executes; the database has a character set and a collation. */
const DJANGOS_SCHEMA =
  "CREATE TABLE `django_session` (`session_key` varchar(40) NOT NULL PRIMARY KEY, `session_data` longtext NOT NULL, `expire_date` datetime(6) NOT NULL); CREATE INDEX `django_session_expire_date_a5c62663` ON `django_session` (`expire_date`)";

server.sql(mysql.schema.join(";"));
server.sql(
  "CREATE DATABASE djangos CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci; CREATE DATABASE latin CHARACTER SET latin1; CREATE DATABASE ours CHARACTER SET latin1",
);
server.sql(DJANGOS_SCHEMA, "djangos");
server.sql(DJANGOS_SCHEMA, "latin");

describe("MySQL and MariaDB", () => {
  const pools: { end(): Promise<void> }[] = [];
  after(() => Promise.all(pools.map((each) => each.end())));

  function mysql2Pool(options: object = {}, database?: string): mysql2.Pool {
    const made = mysql2.createPool({ uri: server.url(database), ...options });
    pools.push(made);
    return made;
  }

  function mariadbPool(options: object = {}): ReturnType<typeof createMariadbPool> {
    const { username, password, port } = new URL(server.url());
    const login = { user: username, password: decodeURIComponent(password), port: Number(port) };
    const made = createMariadbPool({ host: "127.0.0.1", ...login, database: "sojourn", ...options });
    pools.push(made);
    return made;
  }

  const pool = mysql2Pool();
  const empty = () => pool.query("DELETE FROM django_session");
  const storeOf = (client: MysqlClient, now?: () => Date) => sqlStore(mysqlClient(client), mysql, { now });

  describe("the SQL store on a pool of mysql2", () => {
    storeSuite(test, async ({ now }) => {
      await empty();
      return storeOf(pool, now);
    });
  });

  describe("the SQL store on a pool of the mariadb connector", () => {
    const connector = mariadbPool();
    storeSuite(test, async ({ now }) => {
      await empty();
      return storeOf(connector, now);
    });
  });

  // Case, blanks at the end and accents are nothing to this collation, and the primary key has it too.
  describe("the SQL store on a table of Django's, of the collation utf8mb4_general_ci", () => {
    const djangos = mysql2Pool({}, "djangos");
    const allBut = ((name: string, body: () => Promise<void>) => {
      if (!name.startsWith("keys that differ in case")) test(name, body);
    }) as typeof test;
    storeSuite(allBut, async ({ now }) => {
      await djangos.query("DELETE FROM django_session");
      return storeOf(djangos, now);
    });

    test("a key in other letters is no session's, and changes none", async () => {
      await djangos.query("DELETE FROM django_session");
      const store = storeOf(djangos);
      await store.create(KEY, record);
      for (const key of [KEY.toUpperCase(), `${KEY} `, KEY.replace("a", "á")]) {
        assert.equal(await store.load(key), null);
        assert.equal(await store.update(key, record), false);
        assert.equal(await store.delete(key), false);
        assert.equal(await store.create(key, { ...record, payload: "b" }), false, "two rows cannot be");
      }
      assert.equal((await store.load(KEY))?.payload, PAYLOAD);
    });

    test("an expired row of a key in other letters gives way, with its key", async () => {
      await djangos.query("DELETE FROM django_session");
      const store = storeOf(djangos);
      await store.create(KEY.toUpperCase(), { ...record, expiresAt: new Date(0) });
      assert.equal(await store.create(KEY, record), true);
      assert.equal((await store.load(KEY))?.payload, PAYLOAD);
      assert.equal(await store.load(KEY.toUpperCase()), null);
    });
  });

  describe("the SQL store on a table of latin1", () => {
    const latin = mysql2Pool({}, "latin");

    test("keeps Django's payloads, which are ASCII, and what latin1 has, byte for byte", async () => {
      const store = storeOf(latin);
      for (const payload of ["eyJhIjoxfQ:1abcde:signature-_", "é", ""]) {
        assert.equal(await store.create(KEY, { ...record, payload }), true);
        assert.equal((await store.load(KEY))?.payload, payload);
        assert.equal(await store.update(KEY, record, `${payload} `), false);
        assert.equal(await store.update(KEY, record, payload), true);
        assert.equal(await store.delete(KEY, PAYLOAD), true);
      }
    });

    test("refuses what latin1 has not, and writes nothing", async () => {
      const store = storeOf(latin);
      await failsSaying(/^MySQL failed/, () => store.create(KEY, { ...record, payload: "漢字" }));
      assert.equal(await store.load(KEY), null);
    });
  });

  describe("the table that we make", () => {
    test("is Django's, in utf8mb4 and compared byte for byte whatever the database's default is", async () => {
      const store = await connect(server.url("ours"));
      assert.equal(await store.migrate(), true);
      const shape = (database: string) =>
        server
          .sql("SHOW CREATE TABLE django_session", database)
          .replace(/ ENGINE=.*/s, "")
          .replace(/ (CHARACTER SET|COLLATE) \w+/g, "");
      assert.equal(shape("ours"), shape("djangos"));
      const collations = "SELECT DISTINCT collation_name FROM information_schema.columns WHERE table_schema = 'ours'";
      assert.equal(server.sql(`${collations} AND collation_name IS NOT NULL`), "utf8mb4_bin");
      assert.match(server.sql("SHOW CREATE TABLE django_session", "ours"), /ENGINE=InnoDB/);
      await store.close();
    });

    test("stays as Django made it, with its collation", async () => {
      const before = server.sql("SHOW CREATE TABLE django_session", "djangos");
      const store = await connect(server.url("djangos"));
      assert.equal(await store.migrate(), false);
      assert.equal(server.sql("SHOW CREATE TABLE django_session", "djangos"), before);
      await store.close();
    });
  });

  describe("the rows", () => {
    let time = new Date();
    // The zone's own clock shows 01:30 twice on 2026-11-01: at 05:30 and at 06:30 in UTC.
    const init = (connection: { query(sql: string, done: () => void): void }) =>
      connection.query("SET time_zone = '-05:00'", () => {});
    const clients: Record<string, MysqlClient> = {
      mysql2: mysql2Pool({ timezone: "-05:00" }).on("connection", init as never),
      "mysql2, dates as text": mysql2Pool({ dateStrings: true, timezone: "+09:30" }),
      mariadb: mariadbPool({ timezone: "-05:00", dateStrings: true }),
    };
    const stored = () => server.sql("SELECT expire_date FROM django_session");

    for (const [driver, client] of Object.entries(clients)) {
      for (const instant of ["2026-11-01T05:30:00.001Z", "2026-11-01T06:30:00.000Z", "2026-03-08T07:00:00.999Z"]) {
        test(`keep the instant ${instant} in whatever zone all are: ${driver}`, async () => {
          const zone = process.env.TZ;
          process.env.TZ = "America/New_York";
          try {
            await empty();
            const store = storeOf(client, () => time);
            time = new Date(Date.parse(instant) - 1);
            assert.equal(await store.create(KEY, { payload: PAYLOAD, expiresAt: new Date(instant) }), true);
            assert.equal(stored(), `${instant.replace("T", " ").slice(0, -1)}000`);
            assert.deepEqual((await store.load(KEY))?.expiresAt, new Date(instant));
            time = new Date(instant);
            assert.equal(await store.load(KEY), null);
            assert.equal(await store.deleteExpired(), 1);
          } finally {
            if (zone === undefined) delete process.env.TZ;
            else process.env.TZ = zone;
          }
        });
      }
    }

    // Django keeps microseconds; our clock has milliseconds.
    test("that Django wrote are there until the last millisecond before their expiry", async () => {
      await empty();
      const store = storeOf(pool, () => time);
      server.sql(`INSERT INTO django_session VALUES ('${KEY}', 'a', '2026-12-04 11:46:18.566545')`);
      time = new Date("2026-12-04T11:46:18.566Z");
      assert.deepEqual((await store.load(KEY))?.expiresAt, time);
      time = new Date("2026-12-04T11:46:18.567Z");
      assert.equal(await store.load(KEY), null);
    });
  });

  describe("what an application has set does not matter", () => {
    const { createPool } = mysql2Callback;
    const clients: Record<string, () => MysqlClient | { promise(): MysqlClient }> = {
      "mysql2 that counts changed rows": () => mysql2Pool({ flags: ["-FOUND_ROWS"] }),
      "mysql2 with rows as arrays and names for parameters": () =>
        mysql2Pool({ rowsAsArray: true, namedPlaceholders: true }),
      "mysql2 with numbers as text": () => mysql2Pool({ supportBigNumbers: true, bigNumberStrings: true }),
      "mysql2 with callbacks": () => {
        const made = createPool(server.url());
        pools.push(made.promise());
        return made;
      },
      "mariadb with names for parameters": () => mariadbPool({ namedPlaceholders: true }),
      "mariadb with rows as arrays, columns' descriptions and plain numbers": () =>
        mariadbPool({ rowsAsArray: true, metaAsArray: true, bigIntAsNumber: true, insertIdAsNumber: true }),
    };
    for (const [name, make] of Object.entries(clients)) {
      test(name, async () => {
        await empty();
        const store = sqlStore(mysqlClient(make()), mysql);
        assert.equal(await store.create(KEY, record), true);
        assert.equal(await store.create(KEY, record), false);
        assert.equal((await store.load(KEY))?.payload, PAYLOAD);
        assert.ok((await store.load(KEY))?.expiresAt instanceof Date);
        assert.equal(await store.load("absent00"), null);
        assert.equal(await store.update(KEY, record), true);
        assert.equal(await store.update(KEY, record, PAYLOAD), true);
        assert.equal(await store.update(KEY, record, "other"), false);
        await store.create("expired0", { ...record, expiresAt: new Date(0) });
        const progress: unknown[] = [];
        assert.equal(await store.deleteExpired({ onProgress: (step) => progress.push(step) }), 1);
        assert.deepEqual(progress, [{ deleted: 1, total: 1 }]);
        assert.equal(await store.delete(KEY, PAYLOAD), true);
      });
    }

    test("a connection instead of a pool", async () => {
      const connection = await mysql2.createConnection(server.url());
      assert.equal(await storeOf(connection).load(KEY), null);
      await connection.end();
    });
  });

  describe("what an application has set so that sessions would be lost is refused", () => {
    const settings: Record<string, [string, RegExp]> = {
      "an sql_mode that cuts off": ["sql_mode = 'NO_ENGINE_SUBSTITUTION'", /sql_mode lacks STRICT_TRANS_TABLES/],
      "a character set that loses characters": ["NAMES latin1", /character set is latin1.*utf8mb4/],
      "no commit": ["autocommit = 0", /autocommit is off/],
    };
    for (const [name, [setting, message]] of Object.entries(settings)) {
      test(name, async () => {
        await empty();
        const connection = await mysql2.createConnection(server.url());
        const store = storeOf(connection);
        await connection.query(`SET ${setting}`);
        for (const operation of Object.values(OPERATIONS)) {
          await failsSaying(message, () => operation(store), "ERR_CONFIG");
        }
        await connection.query("SET sql_mode = 'TRADITIONAL', NAMES utf8mb4, autocommit = 1");
        assert.equal(await store.create(KEY, record), true);
        await connection.end();
      });
    }

    test("rows in a form of the application's own", async () => {
      await empty();
      await storeOf(pool).create(KEY, record);
      await failsSaying(/nestTables/, () => storeOf(mysql2Pool({ nestTables: true })).load(KEY), "ERR_CONFIG");
    });

    test("connect sets what it needs by itself", async () => {
      await empty();
      server.sql("SET GLOBAL sql_mode = ''");
      try {
        const store = await connect(server.url());
        assert.equal(await store.create(KEY, record), true);
        await failsSaying(/ER_DATA_TOO_LONG/, () => store.create("k".repeat(41), record));
        await store.close();
      } finally {
        server.sql("SET GLOBAL sql_mode = DEFAULT");
      }
    });

    test("the settings are asked for once", async () => {
      const asked: string[] = [];
      const counting: MysqlClient = {
        execute(statement: string | { sql: string }, values: never[]) {
          asked.push(typeof statement === "string" ? statement : statement.sql);
          return pool.execute(statement as string, values);
        },
      };
      const store = storeOf(counting);
      await Promise.all([store.load(KEY), store.load(KEY), store.delete(KEY)]);
      await store.load(KEY);
      assert.equal(asked.filter((sql) => sql.includes("@@")).length, 1);
      assert.equal(asked.length, 5);
    });
  });

  describe("the statements", () => {
    for (const database of ["sojourn", "djangos", "latin"]) {
      test(`find their rows by index: the table of ${database}`, async () => {
        const client = mysql2Pool({}, database);
        server.sql(
          `DELETE FROM django_session; INSERT INTO django_session
           SELECT md5(seq), 'a', NOW() + INTERVAL CAST(seq AS SIGNED) - 500 MINUTE FROM seq_1_to_5000; ANALYZE TABLE django_session`,
          database,
        );
        const plans: Record<string, unknown>[] = [];
        const explain = async (sql: string, parameters: readonly unknown[]) => {
          if (sql.startsWith("INSERT")) return;
          const [rows] = await client.execute(`EXPLAIN ${sql}`, parameters as never[]);
          plans.push((rows as Record<string, unknown>[])[0]!);
        };
        const explaining: SqlClient = {
          rows: (sql, parameters) => explain(sql, parameters).then(() => []),
          run: (sql, parameters) => explain(sql, parameters).then(() => 0),
        };
        const store = sqlStore(explaining, mysql);
        const key = server.sql("SELECT MAX(session_key) FROM django_session WHERE expire_date > NOW()", database);
        await store.load(key);
        await store.create(key, record);
        await store.update(key, record, "a");
        await store.delete(key, "a");
        await store.deleteExpired({ onProgress: () => {} });
        assert.equal(plans.length, 6);
        for (const { key: index, rows } of plans.slice(0, 4)) {
          assert.equal(index, "PRIMARY");
          assert.equal(Number(rows), 1);
        }
        for (const { key: index } of plans.slice(4)) assert.equal(index, "django_session_expire_date_a5c62663");
        server.sql("DELETE FROM django_session", database);
      });
    }

    test("are tried again when the server has undone them for another's sake, and not for ever", async () => {
      for (const [code, errno] of Object.entries({ ER_LOCK_DEADLOCK: 1213, ER_LOCK_WAIT_TIMEOUT: 1205 })) {
        let failures = 0;
        const failing = (count: number): MysqlClient => ({
          execute(statement: string | { sql: string }, values: never[]) {
            const isSettings = typeof statement === "object";
            if (!isSettings && failures++ < count) {
              const sqlMessage = "try restarting transaction";
              throw Object.assign(new Error(`${sqlMessage}\nsql: ${KEY}`), {
                code,
                errno,
                sqlState: "HY000",
                sqlMessage,
              });
            }
            return pool.execute(statement as string, values);
          },
        });
        await empty();
        assert.equal(await storeOf(failing(3)).create(KEY, record), true);
        failures = 0;
        await allFailSaying(/could not get the row/, storeOf(failing(Number.POSITIVE_INFINITY)), ["update"]);
        assert.equal(failures, 10);
      }
    });

    test("of a clean-up among renewals and log-ins all come to their end, and live sessions stay", async () => {
      await empty();
      const store = storeOf(pool);
      const live = Array.from({ length: 50 }, (_, n) => `live${n}`.padEnd(32, "0"));
      for (const key of live) await store.create(key, record);
      server.sql("INSERT INTO django_session SELECT CONCAT('expired', seq), 'a', '2000-01-01' FROM seq_1_to_3000");
      const renew = async (key: string, n: number) => {
        for (let round = 0; round < 10; round++) {
          assert.ok(await store.update(key, { ...record, expiresAt: new Date(Date.now() + 60_000 + n + round) }));
          assert.ok(await store.create(`expired${n * 10 + round + 1}`, record).then(() => true));
        }
      };
      await Promise.all([...live.map(renew), ...[7, 50, 200].map((batchSize) => store.deleteExpired({ batchSize }))]);
      for (const key of live) assert.equal((await store.load(key))?.payload, PAYLOAD);
      assert.equal(await store.deleteExpired(), 0);
    });
  });

  describe("faults", () => {
    test("a statement that the server refuses tells nothing of what was to be stored, on either driver", async () => {
      await empty();
      server.sql("ALTER TABLE django_session ADD CONSTRAINT short CHECK (CHAR_LENGTH(session_data) < 10)");
      try {
        for (const client of [pool, mariadbPool({ logParam: true, debugLen: 10_000 })]) {
          await failsSaying(/^MySQL failed\. \(4025 \w+\)$/, () => storeOf(client).create(KEY, record));
          await failsSaying(/ER_DATA_TOO_LONG/, () => storeOf(client).create(KEY + KEY, { ...record, payload: "a" }));
        }
      } finally {
        server.sql("ALTER TABLE django_session DROP CONSTRAINT short");
      }
    });

    test("a server that cannot be reached, on the mariadb connector too", async () => {
      const nowhere = mariadbPool({ port: 1, acquireTimeout: 300, connectTimeout: 100, initializationTimeout: 100 });
      await allFailSaying(/^MySQL (did not answer in time|cannot be reached)/, storeOf(nowhere), ["load", "create"]);
    });

    test("a user who may not use the table is told what is needed", async () => {
      server.sql("CREATE USER guest@'127.0.0.1' IDENTIFIED BY 'guest'; GRANT CREATE ON ours.* TO guest@'127.0.0.1'");
      const store = await connect(server.url("ours").replace(/\/\/.*@/, "//guest:guest@"));
      await allFailSaying(/refuses the table django_session.*INSERT, UPDATE and DELETE/, store);
      await store.close();
    });

    test("a server with no connection left", async () => {
      server.sql(
        "CREATE USER few@'127.0.0.1' IDENTIFIED BY 'few' WITH MAX_USER_CONNECTIONS 1; GRANT ALL ON ours.* TO few@'127.0.0.1'",
      );
      const url = server.url("ours").replace(/\/\/.*@/, "//few:few@");
      const other = await mysql2.createConnection(url);
      const store = await connect(url);
      await allFailSaying(/has no connection left/, store);
      await other.end();
      await store.close();
    });

    test("a full disk is said to be one", async () => {
      // As the server would say it, which takes a file system to fill.
      const full: MysqlClient = {
        async execute(statement: string | { sql: string }) {
          if (typeof statement === "object") return [[["STRICT_ALL_TABLES", "utf8mb4", 1]], []];
          const sqlMessage = "The table 'django_session' is full";
          const said = { errno: 1114, code: "ER_RECORD_FILE_FULL", sqlState: "HY000", sqlMessage, sql: PAYLOAD };
          throw Object.assign(new Error(`${sqlMessage} ${KEY}`), said);
        },
      };
      await allFailSaying(/^MySQL has no room left\. \(1114 ER_RECORD_FILE_FULL: The table/, storeOf(full), ["create"]);
    });

    test("a row that another transaction holds: the operation ends in time, at the server too", async () => {
      await empty();
      const store = await connect(server.url());
      await store.create(KEY, record);
      const other = await pool.getConnection();
      await other.query("BEGIN");
      await other.query("SELECT * FROM django_session FOR UPDATE");
      await failsSaying(/did not answer in time/, () => store.update(KEY, record));
      assert.equal((await store.load(KEY))?.payload, PAYLOAD);
      // Not innodb_trx, which does not change for one who looks often.
      const waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE%'";
      await until(async () => server.sql(waiting) === "0", "the end of waiting");
      await other.query("ROLLBACK");
      other.release();
      assert.equal(await store.update(KEY, record), true);
      await store.close();
    });
  });

  describe("connect", () => {
    for (const scheme of ["mysql", "mariadb"]) {
      test(`${scheme}://host keeps sessions, with a password of all characters`, async () => {
        await empty();
        await keepsSessions(server.url().replace("mysql:", `${scheme}:`));
      });
    }

    test("by a unix socket", async () => {
      const url = server
        .url()
        .replace(/127.*\//, "/")
        .concat(`?socketPath=${encodeURIComponent((server as { socket: string }).socket)}`);
      const store = await connect(url);
      assert.equal(await store.load(KEY), null);
      await store.close();
      const nobody = await connect("mysql:///sojourn?socketPath=/nowhere/mysql.sock");
      await failsSaying(/at \/nowhere\/mysql\.sock cannot be reached/, () => nobody.load(KEY));
      await nobody.close();
    });

    for (const [url, message] of Object.entries({
      "mysql://u:s3cret/pass@h/d": /form mysql:\/\/user:password@host:3306\/database.*escape/,
      "mysql://u:s3cret%zz@h/d": /% that begins no escape/,
      "mysql://u:s3cret%2Fpass%3Aword%40%25@h": /form mysql/,
      "mysql://h:65536/d": /port/,
      "mysql://h/d?charset=latin1": /means nothing here: charset; there are socketPath/,
      "mysql://h/d?ssl-mode=PREFERRED": /ssl-mode.*DISABLED, REQUIRED, VERIFY_CA and VERIFY_IDENTITY/,
      "mysql://h/d?ssl-mode=VERIFY_CA&ssl-ca=/missing.pem": /cannot be read.*missing\.pem/,
    })) {
      test(`refuses ${url} at once`, () => failsSaying(message, () => connect(url), "ERR_CONFIG"));
    }

    test("with ssl-mode=REQUIRED to a server without TLS fails, rather than to speak in the clear", async () => {
      const store = await connect(`${server.url()}?ssl-mode=REQUIRED`);
      await failsSaying(/secure connection/i, () => store.load(KEY));
      await store.close();
    });
  });
});
