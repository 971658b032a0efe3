import assert from "node:assert/strict";
import { createServer, connect as openSocket, type Server, type Socket } from "node:net";
import { after, describe, test } from "node:test";
import pg from "pg";
import postgresJs from "postgres";
import { connect } from "../../src/connect.ts";
import type { SqlClient } from "../../src/stores/sql/dialect.ts";
import { type PgClient, postgres, postgresClient } from "../../src/stores/sql/postgres.ts";
import { sqlStore } from "../../src/stores/sql/store.ts";
import { storeSuite } from "../../src/testing/index.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import { freePort, until } from "../support/servers/server.ts";
import { allFailSaying, failsSaying, KEY, keepsSessions, OPERATIONS, PAYLOAD, record } from "./database-faults.ts";

const server = await startPostgres();
const pool = new pg.Pool({ connectionString: server.url(), allowExitOnIdle: true });
for (const statement of postgres.schema) await pool.query(statement);

async function empty(): Promise<void> {
  await pool.query("DELETE FROM django_session");
}

describe("the SQL store on a Pool of pg", () => {
  storeSuite(test, async ({ now }) => {
    await empty();
    return sqlStore(postgresClient(pool), postgres, { now });
  });
});

describe("the SQL store on postgres.js", () => {
  const sql = postgresJs(server.url());
  after(() => sql.end());
  storeSuite(test, async ({ now }) => {
    await empty();
    return sqlStore(postgresClient(sql), postgres, { now });
  });
});

// Statements then fail that meet another's, instead of waiting for it.
describe("the SQL store where transactions are repeatable reads", () => {
  const options = "-c default_transaction_isolation=repeatable\\ read";
  const strict = new pg.Pool({ connectionString: server.url(), options });
  after(() => strict.end());
  const concurrent: typeof test = ((name: string, body: () => Promise<void>) => {
    if (/parallel|at once|exactly one/.test(name)) test(name, body);
  }) as never;
  storeSuite(concurrent, async ({ now }) => {
    await empty();
    return sqlStore(postgresClient(strict), postgres, { now });
  });
});

// docs/scaling.md recommends it for very many sessions.
describe("the SQL store on a table in partitions by key", () => {
  server.sql("CREATE DATABASE partitions");
  server.sql(
    `CREATE TABLE django_session (session_key varchar(40) NOT NULL PRIMARY KEY, session_data text NOT NULL, expire_date timestamp with time zone NOT NULL) PARTITION BY HASH (session_key);
     CREATE INDEX ON django_session (expire_date);
     CREATE TABLE django_session_0 PARTITION OF django_session FOR VALUES WITH (MODULUS 2, REMAINDER 0);
     CREATE TABLE django_session_1 PARTITION OF django_session FOR VALUES WITH (MODULUS 2, REMAINDER 1)`,
    "partitions",
  );
  const partitioned = new pg.Pool({ connectionString: server.url("partitions") });
  after(() => partitioned.end());
  storeSuite(test, async ({ now }) => {
    await partitioned.query("DELETE FROM django_session");
    return sqlStore(postgresClient(partitioned), postgres, { now });
  });
});

describe("the table of a PostgreSQL store", () => {
  /** What Django's migration sessions.0001_initial executes. */
  const DJANGOS_SCHEMA = `
    CREATE TABLE "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY, "session_data" text NOT NULL, "expire_date" timestamp with time zone NOT NULL);
    CREATE INDEX "django_session_session_key_c0390e0f_like" ON "django_session" ("session_key" varchar_pattern_ops);
    CREATE INDEX "django_session_expire_date_a5c62663" ON "django_session" ("expire_date");`;
  const DESCRIPTION = `
    SELECT column_name, data_type, character_maximum_length, is_nullable, column_default
      FROM information_schema.columns WHERE table_name = 'django_session' ORDER BY ordinal_position;
    SELECT indexdef FROM pg_indexes WHERE tablename = 'django_session' ORDER BY 1;
    SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'django_session'::regclass ORDER BY 1`;

  server.sql("CREATE DATABASE ours");
  server.sql("CREATE DATABASE djangos");
  server.sql(DJANGOS_SCHEMA, "djangos");

  test("is Django's to the letter", async () => {
    const store = await connect(server.url("ours"));
    assert.equal(await store.migrate(), true);
    assert.equal(server.sql(DESCRIPTION, "ours"), server.sql(DESCRIPTION, "djangos"));
    await store.close();
  });

  test("stays as Django made it, and gets an index that is missing", async () => {
    const description = server.sql(DESCRIPTION, "djangos");
    server.sql("DROP INDEX django_session_expire_date_a5c62663", "djangos");
    const store = await connect(server.url("djangos"));
    assert.equal(await store.migrate(), false);
    assert.equal(server.sql(DESCRIPTION, "djangos"), description);
    await store.close();
  });
});

describe("the rows of a PostgreSQL store", () => {
  let time = new Date("2026-11-01T00:00:00Z");
  // Where 01:30 comes twice on 2026-11-01: at 05:30 and at 06:30 in UTC.
  const elsewhere = new pg.Pool({
    connectionString: server.url(),
    options: "-c TimeZone=America/New_York -c DateStyle=SQL,DMY",
    // As an application may have it.
    types: { getTypeParser: () => (value: string) => (value.startsWith("{") ? value : String(value)) } as never,
  });
  after(() => elsewhere.end());
  const store = sqlStore(postgresClient(elsewhere), postgres, { now: () => time });
  const stored = () => server.sql("SELECT expire_date AT TIME ZONE 'UTC' FROM django_session");

  for (const instant of ["2026-11-01T05:30:00.001Z", "2026-11-01T06:30:00.000Z", "2026-03-08T07:00:00.999Z"]) {
    test(`keep the instant ${instant} in whatever zone the connection, the process and the driver are`, async () => {
      const zone = process.env.TZ;
      process.env.TZ = "America/New_York";
      try {
        await empty();
        time = new Date(Date.parse(instant) - 1);
        assert.equal(await store.create(KEY, { payload: PAYLOAD, expiresAt: new Date(instant) }), true);
        assert.equal(new Date(`${stored().replace(" ", "T")}Z`).toISOString(), instant);
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

  test("end with the year 9999, as Python's do", async () => {
    await empty();
    await store.create(KEY, { payload: PAYLOAD, expiresAt: new Date(8.64e15) });
    assert.equal(stored(), "9999-12-31 23:59:59.999");
    assert.deepEqual((await store.load(KEY))?.expiresAt, new Date("9999-12-31T23:59:59.999Z"));
  });

  test("that somebody made eternal have no expiry that a Date could hold", async () => {
    await empty();
    server.sql(`INSERT INTO django_session VALUES ('${KEY}', 'a', 'infinity')`);
    assert.equal((await store.load(KEY))?.expiresAt, undefined);
  });

  // Django keeps microseconds; our clock has milliseconds.
  test("that Django wrote are there until the last millisecond before their expiry", async () => {
    await empty();
    server.sql(`INSERT INTO django_session VALUES ('${KEY}', 'a', '2026-12-04 11:46:18.566545+00')`);
    time = new Date("2026-12-04T11:46:18.566Z");
    assert.deepEqual((await store.load(KEY))?.expiresAt, time);
    time = new Date("2026-12-04T11:46:18.567Z");
    assert.equal(await store.load(KEY), null);
  });
});

describe("what an application has set does not matter", () => {
  test("postgres.js that renames columns, and prepares nothing", async () => {
    await empty();
    const sql = postgresJs(server.url(), { transform: postgresJs.camel, prepare: false, max: 1 });
    const store = sqlStore(postgresClient(sql), postgres);
    assert.equal(await store.create(KEY, record), true);
    assert.equal((await store.load(KEY))?.payload, PAYLOAD);
    assert.ok((await store.load(KEY))?.expiresAt instanceof Date);
    assert.equal(await store.update(KEY, record, PAYLOAD), true);
    assert.equal(await store.delete(KEY, "other"), false);
    await sql.end();
  });

  test("one Client instead of a Pool", async () => {
    await empty();
    const client = new pg.Client(server.url());
    await client.connect();
    const store = sqlStore(postgresClient(client), postgres);
    assert.equal(await store.create(KEY, record), true);
    assert.equal((await store.load(KEY))?.payload, PAYLOAD);
    await client.end();
  });
});

describe("the statements of a PostgreSQL store", () => {
  test("are prepared once for each connection", async () => {
    await empty();
    const client = new pg.Client(server.url());
    await client.connect();
    const store = sqlStore(postgresClient(client), postgres);
    for (let round = 0; round < 3; round++) for (const operate of Object.values(OPERATIONS)) await operate(store);
    const { rows } = await client.query("SELECT name, statement FROM pg_prepared_statements");
    assert.equal(rows.length, 8);
    await client.end();
  });

  test("go on unprepared where a pooler loses what was prepared", async () => {
    await empty();
    const single = new pg.Pool({ connectionString: server.url(), max: 1 });
    const store = sqlStore(postgresClient(single), postgres);
    assert.equal(await store.create(KEY, record), true);
    for (let round = 0; round < 3; round++) {
      await single.query("DEALLOCATE ALL");
      for (const operation of ["load", "update", "delete", "create"]) {
        assert.ok(await OPERATIONS[operation]!(store), operation);
      }
    }
    await single.end();
  });

  test("find their rows by index", async () => {
    await empty();
    await pool.query(`INSERT INTO django_session
      SELECT md5(n::text), 'a', now() + n * interval '1 minute' FROM generate_series(-5000, 5000) AS n`);
    await pool.query("ANALYZE django_session");
    const plans: string[] = [];
    const explain = async (text: string, parameters: readonly unknown[]) => {
      const { rows } = await pool.query({ text: `EXPLAIN ${text}`, values: [...parameters], rowMode: "array" });
      plans.push(rows.flat().join("\n"));
    };
    const explaining: SqlClient = {
      rows: (text, parameters) => explain(text, parameters).then(() => []),
      run: (text, parameters) => explain(text, parameters).then(() => 0),
    };
    const store = sqlStore(explaining, postgres);
    for (const operate of Object.values(OPERATIONS)) await operate(store);
    await store.deleteExpired({ batchSize: 10 });
    assert.equal(plans.length, 9);
    // Counting and removing the half of a small table need none.
    for (const plan of plans.filter((each) => !/Aggregate|rows=1000\b/.test(each))) {
      assert.doesNotMatch(plan, /Seq Scan/, plan);
    }
  });

  test("of several clean-ups at once step over each other's rows, and over those of others", async () => {
    await empty();
    const expiresAt = new Date(Date.now() - 1000);
    const store = await connect(server.url());
    for (const key of ["expired0", "expired1", "expired2"]) await store.create(key, { payload: "a", expiresAt });
    const other = await pool.connect();
    await other.query("BEGIN");
    await other.query("SELECT FROM django_session WHERE session_key = 'expired1' FOR UPDATE");
    assert.equal(await store.deleteExpired(), 2);
    await other.query("ROLLBACK");
    other.release();
    assert.equal(await store.deleteExpired(), 1);
    await store.close();
  });
});

describe("faults of PostgreSQL", () => {
  test("a statement that the server refuses tells nothing of what was to be stored", async () => {
    await empty();
    server.sql("ALTER TABLE django_session ADD CHECK (session_data !~ 'c0nf')");
    try {
      for (const operation of ["create", "update"]) {
        await sqlStore(postgresClient(pool), postgres).create(KEY, { ...record, payload: "good" });
        await failsSaying(/^PostgreSQL failed\. \(23514\)$/, () =>
          operation === "update"
            ? OPERATIONS.update!(sqlStore(postgresClient(pool), postgres))
            : sqlStore(postgresClient(pool), postgres).create(`${KEY.slice(0, -1)}x`, record),
        );
      }
      const sql = postgresJs(server.url(), { max: 1, debug: () => {} });
      await failsSaying(/23514/, () => OPERATIONS.update!(sqlStore(postgresClient(sql), postgres)));
      await sql.end();
    } finally {
      server.sql("ALTER TABLE django_session DROP CONSTRAINT django_session_session_data_check");
    }
  });

  test("a user who may not use the table is named what is needed", async () => {
    server.sql("CREATE ROLE guest LOGIN PASSWORD 's3cret'");
    const store = await connect(server.url().replace(/\/\/.*@/, "//guest:s3cret@"));
    await allFailSaying(/refuses the table django_session.*INSERT, UPDATE and DELETE/, store);
    await failsSaying(/refuses the table/, () => store.migrate());
    await store.close();
  });

  test("a server with no connection left", async () => {
    server.sql("CREATE ROLE many LOGIN CONNECTION LIMIT 0 PASSWORD 's3cret'");
    const store = await connect(server.url().replace(/\/\/.*@/, "//many:s3cret@"));
    await allFailSaying(/has no connection left/, store);
    await store.close();
  });

  test("a full disk is said to be one; reads and deletions go on", async () => {
    // As the server would say it, which takes a file system to fill.
    const full: PgClient = {
      async query({ text }) {
        const said = { severity: "ERROR", code: "53100", detail: KEY, where: PAYLOAD };
        if (/^(INSERT|UPDATE)/.test(text)) throw Object.assign(new Error("could not extend file"), said);
        return { rows: [], rowCount: 0 };
      },
    };
    const store = sqlStore(postgresClient(full), postgres);
    await allFailSaying(/^PostgreSQL has no room left\. \(53100: could not extend file\)$/, store, [
      "create",
      "update",
    ]);
    assert.equal(await store.load(KEY), null);
    assert.equal(await store.delete(KEY), false);
  });

  test("a row that another transaction holds: the operation ends in time, at the server too", async () => {
    await empty();
    const store = await connect(server.url());
    await store.create(KEY, record);
    const other = await pool.connect();
    await other.query("BEGIN");
    await other.query("SELECT FROM django_session FOR UPDATE");
    await failsSaying(/did not answer in time/, () => store.update(KEY, record));
    assert.equal((await store.load(KEY))?.payload, PAYLOAD);
    const waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    await until(async () => server.sql(waiting) === "0", "the end of waiting");
    await other.query("ROLLBACK");
    other.release();
    assert.equal(await store.update(KEY, record), true);
    await store.close();
  });
});

describe("connect to PostgreSQL", () => {
  for (const scheme of ["postgres", "postgresql"]) {
    test(`${scheme}://host keeps sessions, with a password of all characters`, async () => {
      await empty();
      await keepsSessions(server.url().replace("postgres:", `${scheme}:`));
    });
  }

  test("by a unix socket", async () => {
    const query = `host=${encodeURIComponent(server.directory)}&port=${server.port}`;
    for (const user of ["postgres@", "postgres:any@"]) {
      const store = await connect(`postgres://${user}/postgres?${query}`);
      assert.equal(await store.load("key00000"), null);
      await store.close();
    }
    const nobody = await connect(`postgres://postgres@/postgres?host=/nowhere&port=${server.port}`);
    await failsSaying(/at \/nowhere\/\.s\.PGSQL\.\d+ cannot be reached/, () => nobody.load(KEY));
    await nobody.close();
  });

  test("passes on the name and the settings that the URL gives", async () => {
    const url = `${server.url()}?application_name=shop&options=-c%20search_path%3Dshop`;
    server.sql("CREATE SCHEMA shop");
    const store = await connect(url);
    assert.equal(await store.migrate(), true);
    assert.equal(server.sql("SELECT to_regclass('shop.django_session')"), "shop.django_session");
    assert.match(server.sql("SELECT application_name FROM pg_stat_activity"), /^shop$/m);
    await store.close();
  });

  test("takes what the URL leaves out from libpq's environment", async () => {
    const { PGHOST, PGPORT, PGUSER, PGPASSWORD } = process.env;
    const { password, port } = new URL(server.url());
    const mine = { PGHOST: "127.0.0.1", PGPORT: port, PGUSER: "postgres", PGPASSWORD: decodeURIComponent(password) };
    Object.assign(process.env, mine);
    try {
      const store = await connect("postgres:///postgres");
      assert.equal(await store.load("key00000"), null);
      await store.close();
    } finally {
      for (const [name, value] of Object.entries({ PGHOST, PGPORT, PGUSER, PGPASSWORD })) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  });

  for (const [url, message] of Object.entries({
    "postgres://u:s3cret/pass@h/d": /form postgres:\/\/user:password@host:5432\/database.*escape/,
    "postgres://u:s3cret%zz@h/d": /% that begins no escape/,
    "postgres://u:s3cret%2Fpass%3Aword%40%25@h": /form postgres/,
    "postgres://h1,h2/d": /form postgres/,
    "postgres://h:0/d": /port/,
    "postgres://h:65536/d": /port/,
    "postgres://h/d?port=x": /port/,
    "postgres://h/d?sslmod=require": /means nothing here: sslmod; there are sslmode/,
    "postgres://h/d?sslmode=prefer": /sslmode.*disable, require, verify-ca and verify-full/,
    "postgres://h/d?sslrootcert=x.pem": /x\.pem|needs a sslmode/,
    "postgres://h/d?sslmode=verify-full&sslrootcert=/missing.pem": /cannot be read.*missing\.pem/,
  })) {
    test(`refuses ${url} at once`, () => failsSaying(message, () => connect(url), "ERR_CONFIG"));
  }

  test("with sslmode=require to a server without TLS fails, rather than to speak in the clear", async () => {
    const store = await connect(`${server.url()}?sslmode=require`);
    await failsSaying(/does not support SSL/, () => store.load(KEY));
    await store.close();
    const plain = await connect(`${server.url()}?sslmode=disable`);
    assert.equal(await plain.load("key00000"), null);
    await plain.close();
  });

  test("through a pooler that refuses settings at the start, as PgBouncer does", async () => {
    await empty();
    const [pooler, port] = await refusingSettings(server.port);
    const store = await connect(server.url().replace(`:${server.port}`, `:${port}`));
    const created = await Promise.all(
      Array.from({ length: 20 }, (_, n) => store.create(`${n}`.padStart(32, "k"), record)),
    );
    assert.ok(created.every(Boolean));
    await store.close();
    pooler.close();
  });
});

/** A server before the server that knows no setting but the usual. */
async function refusingSettings(port: number): Promise<[Server, number]> {
  const own = await freePort();
  const proxy = createServer((client: Socket) => {
    client.once("data", (startup) => {
      if (startup.includes("lock_timeout")) {
        const text = "SFATAL\0C08P01\0Munsupported startup parameter: lock_timeout\0\0";
        const head = Buffer.alloc(5);
        head.write("E");
        head.writeInt32BE(text.length + 4, 1);
        client.end(Buffer.concat([head, Buffer.from(text)]));
        return;
      }
      const upstream = openSocket({ port, host: "127.0.0.1" });
      upstream.write(startup);
      client.pipe(upstream).pipe(client);
      for (const socket of [client, upstream]) socket.on("error", () => {});
    });
  });
  await new Promise<void>((resolve) => proxy.listen(own, "127.0.0.1", resolve));
  return [proxy, own];
}
