import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { connect } from "../../src/connect.ts";
import { localhostCertificate } from "../support/servers/certificate.ts";
import type { DatabaseServer } from "../support/servers/database.ts";
import { startMariadb } from "../support/servers/mariadb.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import { failsSaying, KEY } from "./database-faults.ts";

/** Whether a store with these parameters gets as far as to miss the table. */
async function reaches(server: DatabaseServer, host: string, parameters: Record<string, string>): Promise<void> {
  const store = await open(server, host, parameters);
  await failsSaying(/has no table/, () => store.load(KEY));
  await store.close();
}

async function refuses(server: DatabaseServer, host: string, parameters: Record<string, string>, why: RegExp) {
  const store = await open(server, host, parameters);
  await failsSaying(why, () => store.load(KEY));
  await store.close();
}

function open(server: DatabaseServer, host: string, parameters: Record<string, string>) {
  return connect(`${server.url().replace("127.0.0.1", host)}?${new URLSearchParams(parameters)}`);
}

describe("connect to PostgreSQL with TLS", async () => {
  const { cert: sslrootcert, key } = localhostCertificate("postgres");
  const server = await startPostgres("ssl=on", `ssl_cert_file=${sslrootcert}`, `ssl_key_file=${key}`);
  after(() => server.kill());

  test("encrypts with sslmode=require, whoever the server is", async () => {
    await reaches(server, "127.0.0.1", { sslmode: "require" });
    const store = await open(server, "localhost", { sslmode: "require", application_name: "encrypted" });
    await assert.rejects(store.load(KEY));
    const encrypted =
      "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'encrypted'";
    assert.equal(server.sql(encrypted), "t");
    await store.close();
  });

  test("trusts the authority that the URL names, and no other", async () => {
    await reaches(server, "127.0.0.1", { sslmode: "verify-ca", sslrootcert });
    await reaches(server, "127.0.0.1", { sslmode: "require", sslrootcert });
    for (const sslmode of ["verify-ca", "verify-full"]) {
      await refuses(server, "localhost", { sslmode }, /SELF_SIGNED/);
    }
    const other = localhostCertificate("postgres").cert;
    await refuses(server, "localhost", { sslmode: "verify-ca", sslrootcert: other }, /self-signed|SELF_SIGNED/i);
  });

  test("compares the name with sslmode=verify-full", async () => {
    await reaches(server, "localhost", { sslmode: "verify-full", sslrootcert });
    await refuses(server, "127.0.0.1", { sslmode: "verify-full", sslrootcert }, /ERR_TLS_CERT_ALTNAME_INVALID/);
  });
});

describe("connect to MySQL with TLS", async () => {
  const { cert, key } = localhostCertificate("mysql");
  const server = await startMariadb(`--ssl-cert=${cert}`, `--ssl-key=${key}`);
  after(() => server.kill());
  const withCa = { "ssl-ca": cert };

  test("encrypts with ssl-mode=REQUIRED, whoever the server is", async () => {
    server.sql("CREATE USER secure@'127.0.0.1' IDENTIFIED BY 'pw' REQUIRE SSL; GRANT ALL ON *.* TO secure@'127.0.0.1'");
    const url = server.url().replace(/\/\/.*@/, "//secure:pw@");
    const [plain, encrypted] = [await connect(url), await connect(`${url}?ssl-mode=REQUIRED`)];
    await failsSaying(/refuses the user/, () => plain.load(KEY));
    await failsSaying(/has no table/, () => encrypted.load(KEY));
    await Promise.all([plain.close(), encrypted.close()]);
  });

  test("trusts the authority that the URL names, and no other", async () => {
    await reaches(server, "127.0.0.1", { "ssl-mode": "VERIFY_CA", ...withCa });
    await refuses(server, "localhost", { "ssl-mode": "VERIFY_CA" }, /self-signed|SELF_SIGNED/i);
    await refuses(server, "localhost", { "ssl-mode": "VERIFY_IDENTITY" }, /self-signed|SELF_SIGNED/i);
  });

  test("compares the name with ssl-mode=VERIFY_IDENTITY, and takes no address for one", async () => {
    await reaches(server, "localhost", { "ssl-mode": "VERIFY_IDENTITY", ...withCa });
    const address = { "ssl-mode": "VERIFY_IDENTITY", ...withCa };
    await failsSaying(/needs the server's name/, () => open(server, "127.0.0.1", address), "ERR_CONFIG");
  });
});
