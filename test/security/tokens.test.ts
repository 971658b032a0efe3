import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encryptedCodec } from "../../src/codecs/encrypted.ts";
import { jsonCodec } from "../../src/codecs/json.ts";
import { structuredCodec } from "../../src/codecs/structured.ts";
import type { Payload, SessionCodec, SessionEngine } from "../../src/core/contracts.ts";
import { createSessions } from "../../src/core/sessions.ts";
import { djangoCacheCodec } from "../../src/django/cache-codec.ts";
import { djangoCodec, djangoCookieCodec, legacyDjangoCodec } from "../../src/django/codec.ts";
import { pickleSerializer } from "../../src/django/pickle-serializer.ts";
import { legacySigner, saltedHmac, signer } from "../../src/django/signing.ts";
import { cookieEngine } from "../../src/engines/cookie-engine.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { memoryStore } from "../../src/stores/memory.ts";

/* Tokens and payloads that carry their own proof: OWASP ASVS 5.0 V9 and V11. */

const secretKey = "a secret key for tests, 32 characters at least";
const now = new Date("2026-11-20T12:00:00Z");
const DATA = { uid: "alice", admin: true, text: "é ".repeat(100) };

/** Every format under one secret key. */
const FORMATS: Record<string, SessionCodec> = {
  "Django's table": djangoCodec({ secretKey }),
  "Django's table, pickled": djangoCodec({ secretKey, serializer: pickleSerializer() }),
  "another store class's table": djangoCodec({ secretKey, salt: "shop.sessions.SessionStore" }),
  "Django's cookie": djangoCookieCodec({ secretKey }),
  "Django's cookie, pickled": djangoCookieCodec({ secretKey, serializer: pickleSerializer() }),
  "Django's table before 3.1": legacyDjangoCodec({ secretKey }),
  "encrypted, for sessionid": encryptedCodec({ secretKey }),
  "encrypted, for adminsessionid": encryptedCodec({ secretKey, cookieName: "adminsessionid" }),
};

/** Formats without proof, which must not be a way around one. */
const UNSIGNED: Record<string, SessionCodec> = {
  JSON: jsonCodec(),
  "structured clone": structuredCodec(),
  "a cache's pickle": djangoCacheCodec({ serializer: "pickle" }),
  "a cache's JSON": djangoCacheCodec({ serializer: "json" }),
};

const written = (codec: SessionCodec): Payload => codec.encode(DATA, now);

describe("under one secret key, what was written for one purpose is accepted for no other", () => {
  for (const [reader, codec] of Object.entries(FORMATS)) {
    test(`${reader} reads its own only`, () => {
      for (const [writer, other] of [...Object.entries(FORMATS), ...Object.entries(UNSIGNED)]) {
        const decoded = codec.decode(written(other));
        if (writer === reader) assert.deepEqual({ ...decoded?.data }, DATA);
        else assert.equal(decoded, null, `from ${writer}`);
      }
    });
  }

  test("nor is any of it accepted where the old format is read too, but that and today's", () => {
    const reader = djangoCodec({ secretKey, readLegacy: true });
    const accepted = Object.keys(FORMATS).filter((name) => reader.decode(written(FORMATS[name]!)) !== null);
    assert.deepEqual(accepted, ["Django's table", "Django's table before 3.1"]);
  });

  test("nor what Django signs with the same key for passwords, messages, CSRF or anything else", () => {
    const value = Buffer.from(JSON.stringify(DATA)).toString("base64url");
    const stamped = `${value}:1vM9aU`;
    for (const salt of [
      "django.core.signing",
      "django.core.signing.Signer",
      "django.core.signing.TimestampSigner",
      "django.core.signing.get_cookie_signer",
      "django.contrib.messages",
      "django.contrib.sessions",
      "django.contrib.sessions.",
      "",
    ]) {
      const signed = `${stamped}:${signer(secretKey, salt).signature(stamped)}`;
      const hashed = `${stamped}:${saltedHmac(salt, secretKey, "sha256")(stamped, "base64url")}`;
      const old = `${stamped}:${legacySigner(secretKey, salt).signature(stamped)}`;
      for (const [name, codec] of Object.entries(FORMATS)) {
        for (const text of [signed, hashed, old]) assert.equal(codec.decode(text), null, `${salt} as ${name}`);
      }
    }
  });
});

describe("a token chooses neither its algorithm nor its key", () => {
  const token = written(FORMATS["Django's cookie"]!) as string;
  const [body, time, signature] = token.split(":") as [string, string, string];
  const other = djangoCookieCodec({ secretKey }).encode({ uid: "bob" }, new Date(now.getTime() + 1000)) as string;
  const [otherBody, otherTime, otherSignature] = other.split(":") as [string, string, string];
  const jwt = (header: object) =>
    [header, DATA].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");

  const FORGED: Record<string, string> = {
    "without a signature": `${body}:${time}`,
    "with an empty one": `${body}:${time}:`,
    "with another's": `${body}:${time}:${otherSignature}`,
    "with another's time": `${body}:${otherTime}:${signature}`,
    "with another's data": `${otherBody}:${time}:${signature}`,
    "with the parts of two in the wrong order": `${time}:${body}:${signature}`,
    "with the signature twice": `${body}:${time}:${signature}:${signature}`,
    "with its signature as data": `${signature}:${time}:${signature}`,
    "taken for compressed": `.${body}:${time}:${signature}`,
    "taken for not compressed": `${body.slice(1)}:${time}:${signature}`,
    "signed with nothing": `${body}:${time}:none`,
    "signed with an empty key": `${body}:${time}:${signer("", "django.contrib.sessions.backends.signed_cookies").signature(`${body}:${time}`)}`,
    "signed with SHA-1": `${body}:${time}:${signer(secretKey, "django.contrib.sessions.backends.signed_cookies", "sha1").signature(`${body}:${time}`)}`,
    "a JWT with alg none": `${jwt({ alg: "none" })}.`,
    "a JWT with a key of its own": `${jwt({ alg: "HS256", jwk: { kty: "oct", k: "AAAA" } })}.AAAA`,
    "in upper case": token.toUpperCase(),
    nothing: "",
  };

  for (const [what, forged] of Object.entries(FORGED)) {
    test(`${what} it is no session`, () => {
      for (const [name, codec] of Object.entries(FORMATS)) assert.equal(codec.decode(forged), null, name);
      assert.ok(FORMATS["Django's cookie"]!.decode(token));
    });
  }

  test("an encrypted one with another version in front is none: there is no older format to fall back to", () => {
    const bytes = Buffer.from(written(FORMATS["encrypted, for sessionid"]!) as string, "base64url");
    for (let version = 0; version < 256; version++) {
      bytes[0] = version;
      const decoded = FORMATS["encrypted, for sessionid"]!.decode(bytes.toString("base64url"));
      assert.equal(decoded === null, version !== 1, `version ${version}`);
    }
  });

  test("the key that writes is the first, whatever the order and number of the former ones (CVE-2025-47278)", () => {
    const former = ["one former secret key, long enough for all", "another former secret key, long enough too"];
    for (const make of [djangoCodec, djangoCookieCodec, legacyDjangoCodec, encryptedCodec]) {
      for (const secretKeyFallbacks of [[], former, former.toReversed()]) {
        const payload = make({ secretKey, secretKeyFallbacks }).encode(DATA, now);
        assert.ok(make({ secretKey }).decode(payload), make.name);
        for (const key of former) assert.equal(make({ secretKey: key }).decode(payload), null, make.name);
      }
      // And each former one reads, until it is taken from the list.
      for (const key of former) {
        const old = make({ secretKey: key }).encode(DATA, now);
        assert.ok(make({ secretKey, secretKeyFallbacks: former }).decode(old), make.name);
        assert.equal(make({ secretKey }).decode(old), null, make.name);
      }
    }
  });
});

describe("a signature of any length and characters", () => {
  test("is refused without an exception", () => {
    const token = written(FORMATS["Django's cookie"]!) as string;
    const signed = token.slice(0, token.lastIndexOf(":") + 1);
    const own = token.slice(signed.length);
    for (let length = 0; length <= 100; length++) {
      for (const text of [
        "A".repeat(length),
        "é".repeat(length),
        "\0".repeat(length),
        own.padEnd(length, "A").slice(0, length),
      ]) {
        if (text === own) continue;
        for (const codec of Object.values(FORMATS)) assert.equal(codec.decode(signed + text), null);
      }
    }
  });
});

describe("a cookie that was not issued", () => {
  const engines: Record<string, { engine: SessionEngine; token: string }> = Object.fromEntries(
    ["Django's cookie", "encrypted, for sessionid"].map((name) => {
      const codec = FORMATS[name]!;
      return [name, { engine: cookieEngine(codec), token: codec.encode(DATA, now) as string }];
    }),
  );

  for (const [name, { engine, token }] of Object.entries(engines)) {
    test(`is answered the same whatever is wrong with it: ${name}`, async () => {
      const sessions = createSessions<Record<string, any>>(engine, { now: () => now });
      const answer = async (value: string) => {
        const request = sessions.open(`sessionid=${value}`);
        const session = await request.session();
        const seen = [session.get("uid"), session.key, session.isEmpty, session.size];
        return { seen, headers: await request.commit(200) };
      };
      const swap = (index: number) =>
        token.slice(0, index) + (token[index] === "A" ? "B" : "A") + token.slice(index + 1);
      const wrong = [
        ...Array.from({ length: token.length }, (_, index) => swap(index)),
        token.slice(0, -1),
        token.slice(0, 40),
        `${token}A`,
        "A".repeat(200),
        FORMATS["Django's table"]!.encode(DATA, now) as string,
        ...["Django's cookie", "encrypted, for sessionid"].map((format) => {
          const make = format === "Django's cookie" ? djangoCookieCodec : encryptedCodec;
          return make({ secretKey: "a stranger's secret key, of enough characters" }).encode(DATA, now) as string;
        }),
      ];
      const first = await answer(wrong[0]!);
      assert.deepEqual(first, { seen: [undefined, null, true, 0], headers: { setCookie: [], varyByCookie: true } });
      for (const value of wrong) assert.deepEqual(await answer(value), first, value);
      assert.equal((await answer(token)).seen[0], "alice");
    });
  }
});

describe("what Django's format does not say", () => {
  test("is the cookie's name: two cookies of one secret key read each other, so give each application its own key", () => {
    const [shop, admin] = [djangoCookieCodec({ secretKey }), djangoCookieCodec({ secretKey })];
    assert.ok(admin.decode(written(shop)));
  });

  test("is the session's key: who may write to the store can put one session's record in another's place", async () => {
    const store = memoryStore();
    const sessions = createSessions<Record<string, any>>(storeEngine(store, FORMATS["Django's table"]!));
    const [alices, bobs] = ["a".repeat(32), "b".repeat(32)] as const;
    const expiresAt = new Date(Date.now() + 60_000);
    await store.create(alices, { payload: written(FORMATS["Django's table"]!), expiresAt });
    await store.create(bobs, { payload: (await store.load(alices))!.payload, expiresAt });
    assert.equal((await sessions.open(`sessionid=${bobs}`).session()).get("uid"), "alice");
  });
});
