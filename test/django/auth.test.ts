import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import type { Session } from "../../src/core/session.ts";
import { createSessions } from "../../src/core/sessions.ts";
import { saltedHmac } from "../../src/django/signing.ts";
import { type DjangoAuthOptions, type DjangoUser, djangoAuth, djangoCodec } from "../../src/django.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { vectors } from "../support/vectors.ts";

const secretKey = "a secret key for tests, 32 characters at least";
const formerKey = "the secret key before, 32 characters at least";
const SALT = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash";
const BACKEND = "django.contrib.auth.backends.ModelBackend";
const OTHER_BACKEND = "mysite.backends.LdapBackend";

const ann = { id: 1, password: "pbkdf2_sha256$260000$salt$of-ann=" };
const bob = { id: 2, password: "pbkdf2_sha256$260000$salt$of-bob=" };
const hashOf = ({ password }: { password: string }, key = secretKey) =>
  saltedHmac(SALT, key, "sha256")(password, "hex");
const loggedIn = { _auth_user_id: "1", _auth_user_backend: BACKEND, _auth_user_hash: hashOf(ann) };

interface Cart {
  cart: string[];
}

/** An application with these users, and a browser at it that has a session with `data`. */
async function application({ data = {}, ...options }: Partial<DjangoAuthOptions> & { data?: object } = {}) {
  const store = memoryStore();
  let isDown = false;
  const failing = (): never => {
    throw new Error("down");
  };
  const sessions = createSessions<Cart>(
    storeEngine(
      {
        ...store,
        create: (...given) => (isDown ? failing() : store.create(...given)),
        delete: (...given) => (isDown ? failing() : store.delete(...given)),
      },
      djangoCodec({ secretKey }),
    ),
  );
  let cookie = "";

  async function request<T>(handler: (session: Session<Cart>) => T, status = 200): Promise<Awaited<T>> {
    const open = sessions.open(cookie);
    const answer = await handler(await open.session());
    for (const line of (await open.commit(status)).setCookie) cookie = line.split(";")[0]!;
    return answer;
  }
  await request((session) => session.update(data));
  return {
    auth: djangoAuth({ secretKey, ...options }),
    request,
    sessions,
    key: () => cookie.split("=")[1]!,
    held: () => request((session) => ({ ...session.data }) as Record<string, unknown>),
    goDown: () => {
      isDown = true;
    },
    comeBack: () => {
      isDown = false;
    },
  };
}

const findAnn = (id: string) => (id === "1" ? ann : null);

describe("the hash of a login", () => {
  for (const [index, { secret, password, hash }] of vectors("5.2").auth_hash.entries()) {
    test(`is Django's, vector ${index}`, async () => {
      // Some vectors have keys that are too short for us.
      assert.equal(saltedHmac(SALT, secret, "sha256")(password, "hex"), hash);
      if (secret.length < 32) return;
      const { auth, request, held } = await application({ secretKey: secret });
      await request((session) => auth.login(session, { id: 1, password }));
      assert.equal((await held())._auth_user_hash, hash);
    });
  }

  test("of Python's None is of the text that str() makes of it", async () => {
    const { auth, request, held } = await application();
    await request((session) => auth.login(session, { id: 1, password: null }));
    assert.equal((await held())._auth_user_hash, hashOf({ password: "None" }));
    assert.deepEqual(await request((session) => auth.user(session, () => ({ password: null }))), { password: null });
  });
});

describe("login", () => {
  test("writes what Django writes, and nothing else", async () => {
    const { auth, request, held } = await application();
    await request((session) => auth.login(session, ann));
    assert.deepEqual(await held(), loggedIn);
  });

  for (const [id, text] of [
    [7, "7"],
    [9_223_372_036_854_775_807n, "9223372036854775807"],
    ["ann@example.com", "ann@example.com"],
    ["12345678-1234-5678-9234-567812345678", "12345678-1234-5678-9234-567812345678"],
  ] as const) {
    test(`keeps the id ${id} (${typeof id}) as text`, async () => {
      const { auth, request } = await application();
      await request((session) => auth.login(session, { ...ann, id }));
      assert.equal(await request((session) => auth.userId(session)), text);
    });
  }

  test("keeps what a visitor has gathered, under a new key; the old one is dead", async () => {
    const { auth, request, held, key, sessions } = await application({ data: { cart: ["tea"] } });
    const before = key();
    await request((session) => auth.login(session, ann));
    assert.deepEqual(await held(), { cart: ["tea"], ...loggedIn });
    assert.notEqual(key(), before);
    assert.equal(await sessions.exists(before), false);
  });

  test("gives the same user a new key as well, and keeps the data", async () => {
    const { auth, request, held, key, sessions } = await application({ data: { cart: ["tea"], ...loggedIn } });
    const before = key();
    await request((session) => auth.login(session, ann));
    assert.deepEqual(await held(), { cart: ["tea"], ...loggedIn });
    assert.equal(await sessions.exists(before), false);
  });

  for (const [name, data] of [
    ["another user", { _auth_user_id: "2", _auth_user_backend: BACKEND, _auth_user_hash: hashOf(bob) }],
    ["the same user with the former password", { ...loggedIn, _auth_user_hash: hashOf(bob) }],
    ["the same user without a hash", { _auth_user_id: "1" }],
    ["the same user by an unknown key", { ...loggedIn, _auth_user_hash: hashOf(ann, formerKey) }],
    ["somebody who is no user", { _auth_user_id: ["1"] }],
  ] as const) {
    test(`leaves nothing of ${name}`, async () => {
      const { auth, request, held, key, sessions } = await application({
        data: { cart: ["tea"], ...data },
      });
      const before = key();
      await request((session) => auth.login(session, ann));
      assert.deepEqual(await held(), loggedIn);
      assert.notEqual(key(), before);
      assert.equal(await sessions.exists(before), false);
    });
  }

  test("knows the same user by a former secret key", async () => {
    const data = { cart: ["tea"], ...loggedIn, _auth_user_hash: hashOf(ann, formerKey) };
    const { auth, request, held } = await application({ data, secretKeyFallbacks: [formerKey] });
    await request((session) => auth.login(session, ann));
    assert.deepEqual(await held(), { cart: ["tea"], ...loggedIn });
  });

  test("ends the CSRF token of CSRF_USE_SESSIONS, as Django's rotate_token", async () => {
    const { auth, request, held } = await application({ data: { _csrftoken: "t".repeat(32) } });
    await request((session) => auth.login(session, ann));
    assert.deepEqual(await held(), loggedIn);
  });

  test("names the backend that Django is to ask: the first, or the one given", async () => {
    const { auth, request, held } = await application({ backends: [OTHER_BACKEND, BACKEND] });
    await request((session) => auth.login(session, ann));
    assert.equal((await held())._auth_user_backend, OTHER_BACKEND);
    await request((session) => auth.login(session, ann, BACKEND));
    assert.equal((await held())._auth_user_backend, BACKEND);
  });

  test("that could not move the session logs nobody in under the old key, though the handler goes on", async () => {
    const { auth, request, held, goDown, comeBack, key } = await application({ data: { cart: ["tea"] } });
    const before = key();
    await request(async (session) => {
      goDown();
      await assert.rejects(auth.login(session, ann), { code: "ERR_SESSION_UNAVAILABLE" });
      comeBack();
      session.get("cart")!.push("milk");
    });
    assert.equal(key(), before);
    assert.deepEqual(await held(), { cart: ["tea", "milk"] });
  });

  test("that could not end another user's session leaves it as it was", async () => {
    const { auth, request, held, goDown, comeBack } = await application({ data: loggedIn });
    await request(async (session) => {
      goDown();
      await assert.rejects(auth.login(session, bob), { code: "ERR_SESSION_UNAVAILABLE" });
      comeBack();
    }, 503);
    assert.deepEqual(await held(), loggedIn);
  });
});

describe("logout", () => {
  test("deletes the session and the cookie", async () => {
    const { auth, request, held, key, sessions } = await application({ data: { cart: ["tea"], ...loggedIn } });
    const before = key();
    await request((session) => auth.logout(session));
    assert.equal(key(), '""');
    assert.equal(await sessions.exists(before), false);
    assert.deepEqual(await held(), {});
  });
});

describe("user", () => {
  test("is who logged in, as find gave them", async () => {
    const { auth, request, key } = await application({ data: loggedIn });
    const before = key();
    assert.equal(await request((session) => auth.user(session, findAnn)), ann);
    assert.equal(await request((session) => auth.user(session, async (id) => findAnn(id))), ann);
    assert.equal(key(), before);
  });

  test("asks for nobody where nobody is logged in", async () => {
    const { auth, request, held } = await application({ data: { cart: ["tea"] } });
    assert.equal(await request((session) => auth.user(session, () => assert.fail("it asked"))), null);
    assert.deepEqual(await held(), { cart: ["tea"] });
  });

  for (const nobody of [null, undefined]) {
    test(`who is not there (${nobody}) is nobody; the session stays, as in Django`, async () => {
      const { auth, request, held } = await application({ data: loggedIn });
      assert.equal(await request((session) => auth.user(session, () => nobody)), null);
      assert.deepEqual(await held(), loggedIn);
    });
  }

  test("of a backend that is not in use is nobody; the session stays, as in Django", async () => {
    const { auth, request, held } = await application({ data: loggedIn, backends: [OTHER_BACKEND] });
    assert.equal(await request((session) => auth.user(session, () => assert.fail("it asked"))), null);
    assert.deepEqual(await held(), loggedIn);
  });

  for (const [name, hash] of [
    ["of another password", hashOf(bob)],
    ["under an unknown secret key", hashOf(ann, formerKey)],
    ["by SHA-1, from before Django 3.1", saltedHmac(SALT, secretKey, "sha1")(ann.password, "hex")],
    ["in capitals", hashOf(ann).toUpperCase()],
    ["cut short", hashOf(ann).slice(0, -1)],
    ["that is missing", undefined],
    ["that is empty", ""],
    ["that is a number", 5],
    ["that is a list", [hashOf(ann)]],
    ["that is null", null],
  ] as const) {
    test(`with a hash ${name} is nobody, and the session is deleted`, async () => {
      const { _auth_user_hash: _, ...rest } = loggedIn;
      const { auth, request, key, sessions } = await application({
        data: { ...rest, ...(hash !== undefined && { _auth_user_hash: hash }) },
      });
      const before = key();
      assert.equal(await request((session) => auth.user(session, findAnn)), null);
      assert.equal(await sessions.exists(before), false);
    });
  }

  const hostile: unknown[] = ["", null, true, 1.5, -0.5, [], ["1"], {}, { $uuid: "1" }, { toString: "1" }];
  for (const value of hostile) {
    test(`with the id ${JSON.stringify(value)} is nobody`, async () => {
      const { auth, request } = await application({ data: { ...loggedIn, _auth_user_id: value } });
      assert.equal(await request((session) => auth.userId(session)), null);
      assert.equal(await request((session) => auth.user(session, () => assert.fail("it asked"))), null);
    });
    test(`with the backend ${JSON.stringify(value)} is nobody`, async () => {
      const { auth, request } = await application({ data: { ...loggedIn, _auth_user_backend: value } });
      assert.equal(await request((session) => auth.user(session, () => assert.fail("it asked"))), null);
    });
  }

  for (const id of [1, "__proto__", "1 OR 1=1"]) {
    test(`with the id ${id} (${typeof id}) is looked up by its text`, async () => {
      const { auth, request } = await application({ data: { ...loggedIn, _auth_user_id: id } });
      const asked: string[] = [];
      await request((session) => auth.user(session, (each) => void asked.push(each)));
      assert.deepEqual(asked, [String(id)]);
    });
  }

  test("by a former secret key is believed, and the session gets today's hash", async () => {
    const data = { cart: ["tea"], ...loggedIn, _auth_user_hash: hashOf(ann, formerKey) };
    const secretKeyFallbacks = [`another ${formerKey}`, formerKey];
    const { auth, request, held } = await application({ data, secretKeyFallbacks });
    assert.equal(await request((session) => auth.user(session, findAnn)), ann);
    assert.deepEqual(await held(), { cart: ["tea"], ...loggedIn });
  });

  test("by a former secret key is believed by requests side by side, and stays logged in", async () => {
    const data = { ...loggedIn, _auth_user_hash: hashOf(ann, formerKey) };
    const { auth, request, held } = await application({ data, secretKeyFallbacks: [formerKey] });
    const sideBySide = Array.from({ length: 6 }, () => request((session) => auth.user(session, findAnn)));
    assert.deepEqual(await Promise.all(sideBySide), Array(6).fill(ann));
    assert.deepEqual(await held(), loggedIn);
  });

  test("from before Django 3.1 is believed where that is asked for, and gets today's hash", async () => {
    const hash = saltedHmac(SALT, formerKey, "sha1")(ann.password, "hex");
    const { auth, request, held } = await application({
      data: { ...loggedIn, _auth_user_hash: hash },
      secretKeyFallbacks: [formerKey],
      readLegacy: true,
    });
    assert.equal(await request((session) => auth.user(session, findAnn)), ann);
    assert.deepEqual(await held(), loggedIn);
  });

  test("whom find cannot look up is a fault, and the session stays", async () => {
    const { auth, request, held } = await application({ data: loggedIn });
    const fault = new Error("the users' database is down");
    await request((session) =>
      assert.rejects(
        auth.user(session, () => Promise.reject(fault)),
        fault,
      ),
    );
    assert.deepEqual(await held(), loggedIn);
  });

  for (const password of [undefined, 5, Buffer.from("bytes")]) {
    test(`whose password field is ${typeof password} is a fault, and the session stays`, async () => {
      const { auth, request, held } = await application({ data: loggedIn });
      const found = { ...ann, password: password as never };
      await request((session) =>
        assert.rejects(
          auth.user(session, () => found),
          { code: "ERR_CONFIG", message: /select that column/ },
        ),
      );
      assert.deepEqual(await held(), loggedIn);
    });
  }
});

describe("updateHash", () => {
  const changed = { ...ann, password: "pbkdf2_sha256$260000$salt$changed=" };

  test("keeps this session after a change of password, under a new key", async () => {
    const { auth, request, held, key, sessions } = await application({ data: { cart: ["tea"], ...loggedIn } });
    const before = key();
    await request((session) => auth.updateHash(session, changed));
    assert.equal(await sessions.exists(before), false);
    assert.deepEqual(await held(), { cart: ["tea"], ...loggedIn, _auth_user_hash: hashOf(changed) });
    assert.equal(await request((session) => auth.user(session, () => changed)), changed);
  });

  test("leaves the login of who changed another user's password", async () => {
    const { auth, request, held } = await application({ data: loggedIn });
    await request((session) => auth.updateHash(session, bob));
    assert.deepEqual(await held(), loggedIn);
  });

  test("logs nobody in", async () => {
    const { auth, request, held } = await application({ data: { cart: ["tea"] } });
    await request((session) => auth.updateHash(session, ann));
    assert.deepEqual(await held(), { cart: ["tea"] });
  });
});

describe("what is wrong is said, and shows no secret", () => {
  const PASSWORD = "pbkdf2_sha256$260000$salt$very-secret=";
  const silent = (error: unknown) => {
    const text = inspect(error, { depth: 10 });
    for (const secret of [PASSWORD, secretKey, hashOf({ password: PASSWORD })]) assert.ok(!text.includes(secret), text);
    assert.equal((error as { code?: string }).code, "ERR_CONFIG");
    return true;
  };

  for (const user of [
    { id: "", password: PASSWORD },
    { id: 1.5, password: PASSWORD },
    { id: 2 ** 53, password: PASSWORD },
    { id: null, password: PASSWORD },
    { password: PASSWORD },
    { id: 1, password: undefined },
    { id: 1, password: Buffer.from(PASSWORD) },
    { id: 1, password: { text: PASSWORD } },
    null,
    undefined,
    PASSWORD,
  ] as unknown as DjangoUser[]) {
    const name = inspect(user, { breakLength: Infinity }).replaceAll(PASSWORD, "…");
    test(`a login of ${name}`, async () => {
      const { auth, request, held } = await application({ data: { cart: ["tea"] } });
      await request(async (session) => {
        await assert.rejects(auth.login(session, user), silent);
        await assert.rejects(auth.updateHash(session, user), silent);
      });
      assert.deepEqual(await held(), { cart: ["tea"] });
    });
  }

  test("a login by a backend that is not in use", async () => {
    const { auth, request, held } = await application();
    await request((session) =>
      assert.rejects(auth.login(session, { id: 1, password: PASSWORD }, OTHER_BACKEND), silent),
    );
    assert.deepEqual(await held(), {});
  });

  for (const options of [
    { secretKey: "short" },
    { secretKey: undefined },
    { secretKey, secretKeyFallbacks: ["short"] },
    { secretKey, secretKeyFallbacks: formerKey },
    { secretKey, backends: [] },
    { secretKey, backends: BACKEND },
    { secretKey, backends: [5] },
  ]) {
    test(`djangoAuth(${inspect(options, { breakLength: Infinity }).replaceAll(secretKey, "…").replaceAll(formerKey, "…")})`, () => {
      assert.throws(() => djangoAuth(options as never), silent);
    });
  }
});
