import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import { type EncryptedCodecOptions, encryptedCodec } from "../../src/codecs/encrypted.ts";
import { jsonCodec } from "../../src/codecs/json.ts";
import { structuredCodec } from "../../src/codecs/structured.ts";
import type { Payload, SessionCodec, SessionData } from "../../src/core/contracts.ts";
import type { SessionEvents } from "../../src/core/events.ts";
import { fingerprint } from "../../src/core/key.ts";
import { createSessions } from "../../src/core/sessions.ts";
import type { SessionSettings } from "../../src/core/settings.ts";
import { djangoCodec, djangoCookieCodec, legacyDjangoCodec } from "../../src/django/codec.ts";
import { parse } from "../../src/django/python-json.ts";
import { loads, signer } from "../../src/django/signing.ts";
import { type CookieEngineOptions, cookieEngine } from "../../src/engines/cookie-engine.ts";

const secretKey = "a secret key for tests, 32 characters at least";
const CODECS: Record<string, (options: EncryptedCodecOptions) => SessionCodec> = {
  "signed as Django does": djangoCookieCodec,
  encrypted: encryptedCodec,
};
const DAY = 86_400;

type Options = Partial<SessionSettings> & CookieEngineOptions & { codec?: SessionCodec };

/** An application and a clock that stands still. */
function application({ codec = encryptedCodec({ secretKey }), chunks, ...settings }: Options = {}) {
  const clock = { time: Date.parse("2026-11-20T12:00:00Z") };
  const now = () => new Date(clock.time);
  const sessions = createSessions<Record<string, any>>(cookieEngine(codec, { chunks }), { now, ...settings });
  return {
    clock,
    sessions,
    pass: (seconds: number) => {
      clock.time += seconds * 1000;
    },
    /** A request; resolves to its session, and the `Set-Cookie` headers of its response. */
    async request(cookie: string | undefined, handler: (session: any) => unknown = (session) => session.get("uid")) {
      const request = sessions.open(cookie);
      const session = await request.session();
      const result = await handler(session);
      return { session, result, setCookie: (await request.commit(200)).setCookie };
    },
  };
}

/** The `Cookie` header of a browser that had `before`. */
function jar(setCookie: readonly string[], before = ""): string {
  const cookies = new Map(before.split("; ").map((pair) => pair.split(/=(.*)/s) as [string, string]));
  for (const header of setCookie) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(header)!;
    if (header.includes("Max-Age=0;")) cookies.delete(name!);
    else cookies.set(name!, value!);
  }
  cookies.delete("");
  return [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
}

async function login(app: ReturnType<typeof application>, data: object = { uid: "alice" }, before?: string) {
  const { setCookie } = await app.request(before, (session) => session.update(data));
  return jar(setCookie, before);
}

async function events<T>(run: () => Promise<T>): Promise<SessionEvents["sojourn:corrupted"][]> {
  const seen: SessionEvents["sojourn:corrupted"][] = [];
  const listener = (event: unknown) => seen.push(event as SessionEvents["sojourn:corrupted"]);
  subscribe("sojourn:corrupted", listener);
  try {
    await run();
    return seen;
  } finally {
    unsubscribe("sojourn:corrupted", listener);
  }
}

for (const [name, makeCodec] of Object.entries(CODECS)) {
  describe(`a session in the cookie, ${name}`, () => {
    const codec = makeCodec({ secretKey });

    test("is there in the next request, and changes with it", async () => {
      const app = application({ codec });
      const cookie = await login(app);
      assert.equal((await app.request(cookie)).result, "alice");
      const changed = jar((await app.request(cookie, (session) => session.set("n", 1))).setCookie, cookie);
      assert.deepEqual((await app.request(changed, (session) => [...session])).result, [
        ["uid", "alice"],
        ["n", 1],
      ]);
    });

    test("costs no header where it is only read", async () => {
      const app = application({ codec });
      assert.deepEqual((await app.request(await login(app))).setCookie, []);
    });

    test("notices changes inside values", async () => {
      const app = application({ codec });
      const cookie = await login(app, { cart: [] });
      const { setCookie } = await app.request(cookie, (session) => session.get("cart").push("book"));
      assert.deepEqual((await app.request(jar(setCookie), (session) => session.get("cart"))).result, ["book"]);
    });

    test("is deleted by flush", async () => {
      const app = application({ codec });
      const { setCookie } = await app.request(await login(app), (session) => session.flush());
      assert.match(setCookie.join(), /^sessionid=""; expires=Thu, 01 Jan 1970/);
    });

    test("is another token after cycleKey, also on an error page", async () => {
      const app = application({ codec });
      const cookie = await login(app);
      app.pass(1);
      const request = app.sessions.open(cookie);
      await (await request.session()).cycleKey();
      const { setCookie } = await request.commit(500);
      assert.notEqual(jar(setCookie), cookie);
      assert.equal((await app.request(jar(setCookie))).result, "alice");
    });

    test("ends after the cookie's age, counted from its last save, however long the browser keeps it", async () => {
      const app = application({ codec, cookieAge: 60 });
      const cookie = await login(app);
      app.pass(59);
      assert.equal((await app.request(cookie)).result, "alice");
      const renewed = await login(app, { uid: "alice" }, cookie);
      app.pass(1);
      const { result, setCookie } = await app.request(cookie);
      assert.equal(result, undefined);
      assert.match(setCookie.join(), /^sessionid=""/);
      assert.equal((await app.request(renewed)).result, "alice");
    });

    test("a replayed cookie ends by setExpiry too, whichever way it was said", async () => {
      const app = application({ codec });
      for (const expiry of [60, new Date(app.clock.time + 60_000), { minutes: 1 }]) {
        const cookie = jar((await app.request(undefined, (session) => session.setExpiry(expiry))).setCookie);
        const read = () => app.request(cookie, (session) => session.has("_session_expiry"));
        app.pass(59);
        assert.equal((await read()).result, true, inspect(expiry));
        app.pass(1);
        assert.equal((await read()).result, false, inspect(expiry));
        app.clock.time -= 60_000;
      }
    });

    test("lives longer than the cookie's age if setExpiry said so, and for the age if it ends with the browser", async () => {
      const app = application({ codec, cookieAge: 14 * DAY });
      const long = await login(app, { uid: "alice", _session_expiry: 30 * DAY });
      const browser = await login(app, { uid: "bob", _session_expiry: 0 });
      app.pass(14 * DAY - 1);
      assert.equal((await app.request(browser)).result, "bob");
      app.pass(1);
      assert.equal((await app.request(browser)).result, undefined);
      app.pass(16 * DAY - 1);
      assert.equal((await app.request(long)).result, "alice");
      app.pass(1);
      assert.equal((await app.request(long)).result, undefined);
    });

    test("written by a clock that is a minute ahead is a session; more, and none: reported, and the cookie kept", async () => {
      const app = application({ codec });
      const cookie = await login(app);
      app.pass(-60);
      assert.equal((await app.request(cookie)).result, "alice");
      app.pass(-1);
      const seen = await events(async () => {
        const { result, setCookie } = await app.request(cookie);
        assert.equal(result, undefined);
        assert.deepEqual(setCookie, []);
      });
      assert.deepEqual(seen, [{ session: fingerprint(cookie.slice("sessionid=".length)) }]);
    });

    test("that does not verify is no session: reported by fingerprint, and the cookie kept", async () => {
      const app = application({ codec });
      const cookie = await login(application({ codec: makeCodec({ secretKey: secretKey.toUpperCase() }) }));
      const seen = await events(async () => {
        const { result, setCookie } = await app.request(cookie);
        assert.equal(result, undefined);
        assert.deepEqual(setCookie, []);
      });
      assert.deepEqual(seen, [{ session: fingerprint(cookie.slice("sessionid=".length)) }]);
      // Whoever logs in anew replaces it, and whoever logs out deletes it.
      assert.equal((await app.request(await login(app, { uid: "bob" }, cookie))).result, "bob");
      const { setCookie } = await app.request(cookie, (session) => session.flush());
      assert.match(setCookie.join(), /^sessionid=""/);
    });

    test("survives a change of the secret key while the former one is a fallback", async () => {
      const former = "the former secret key, long enough for all";
      const cookie = await login(application({ codec: makeCodec({ secretKey: former }) }));
      const rotated = application({ codec: makeCodec({ secretKey, secretKeyFallbacks: [former] }) });
      assert.equal((await rotated.request(cookie)).result, "alice");
      const renewed = await login(rotated, { n: 1 }, cookie);
      assert.equal((await application({ codec }).request(renewed)).result, "alice");
    });

    test("a session key left over from a store is junk, and deleted when the session is asked for", async () => {
      const { setCookie } = await application({ codec }).request("sessionid=abcdefghijklmnopqrstuvwxyz012345");
      assert.match(setCookie.join(), /^sessionid=""/);
    });

    test("two different ones are none: a neighbouring subdomain may have planted one", async () => {
      const app = application({ codec });
      const [alice, mallory] = [await login(app), await login(app, { uid: "mallory" })];
      for (const cookie of [`${alice}; ${mallory}`, `${mallory}; ${alice}`]) {
        const { result, setCookie } = await app.request(cookie);
        assert.equal(result, undefined);
        assert.deepEqual(setCookie, []);
      }
      assert.equal((await app.request(`${alice}; ${alice}`)).result, "alice");
    });

    test("junk beside it does not hide it", async () => {
      const app = application({ codec });
      const cookie = await login(app);
      const broken = `${cookie.slice(0, -1)}${cookie.endsWith("A") ? "B" : "A"}`;
      assert.equal((await app.request(`sessionid=junk; ${broken}; ${cookie}; sessionid=`)).result, "alice");
    });

    test("an expiry that nobody could read is refused when the session is saved", async () => {
      const app = application({ codec });
      await assert.rejects(login(app, { _session_expiry: "soon" }), { code: "ERR_SESSION_VALUE" });
    });

    test("an expiry that somebody else wrote unreadably is no session, and no exception", async () => {
      const token = codec.encode({ uid: "alice", _session_expiry: "soon" }, new Date("2026-11-20T12:00:00Z"));
      assert.equal((await application({ codec }).request(`sessionid=${token}`)).result, undefined);
    });

    test("save every request renews it; nothing is created for an unknown one", async () => {
      const app = application({ codec, saveEveryRequest: true });
      const cookie = await login(app);
      app.pass(10);
      const { setCookie } = await app.sessions.open(cookie).commit(200);
      assert.notEqual(jar(setCookie), cookie);
      assert.deepEqual((await app.sessions.open(`${cookie}x`).commit(200)).setCookie, []);
    });
  });
}

describe("a session in Django's cookie", () => {
  test("keeps what JavaScript cannot say, 1.0 and the order of keys, when it is changed and moved", async () => {
    const codec = djangoCookieCodec({ secretKey });
    const json = '{"price":1.0,"b":1,"10":2}';
    const { value, origin } = parse(json) as { value: SessionData; origin: unknown };
    const app = application({ codec });
    const cookie = `sessionid=${codec.encode(value, new Date(app.clock.time), origin)}`;
    const written = async (handler: (session: any) => unknown) => {
      const token = jar((await app.request(cookie, handler)).setCookie).slice("sessionid=".length);
      return loads(token, [signer(secretKey, "django.contrib.sessions.backends.signed_cookies")]);
    };
    assert.equal(await written((session) => session.set("new", 1)), '{"price":1.0,"b":1,"10":2,"new":1}');
    assert.equal(await written((session) => session.cycleKey()), json);
  });
});

describe("what cannot be done without a response", () => {
  test("transact, with a request, stores with the response", async () => {
    const app = application();
    const cookie = await login(app, { n: 1 });
    const request = {};
    const open = app.sessions.open(cookie, request);
    await app.sessions.transact(request, (session) => session.set("n", session.get("n") + 1));
    const { setCookie } = await open.commit(200);
    assert.equal((await app.request(jar(setCookie), (session) => session.get("n"))).result, 2);
  });

  test("transact and delete by key are errors, rather than lies", async () => {
    const app = application();
    const token = (await login(app)).slice("sessionid=".length);
    const config = { code: "ERR_CONFIG", message: /give the request/ };
    await assert.rejects(
      app.sessions.transact(token, () => assert.fail("the body ran")),
      config,
    );
    await assert.rejects(app.sessions.delete(token), config);
  });

  test("exists tells whether a token is good", async () => {
    const app = application();
    const token = (await login(app)).slice("sessionid=".length);
    assert.equal(await app.sessions.exists(token), true);
    assert.equal(await app.sessions.exists(`${token.slice(0, -2)}AA`), false);
    app.pass(14 * DAY);
    assert.equal(await app.sessions.exists(token), false);
    assert.equal(await app.sessions.clearExpired(), 0);
  });
});

describe("the cookie engine refuses", () => {
  /** A codec that does all it should, but for what it writes. */
  function around(change: (token: string) => Payload): SessionCodec {
    const codec = encryptedCodec({ secretKey });
    return {
      ...codec,
      encode: (data, now) => change(codec.encode(data, now) as string),
      decode: (payload) => codec.decode(Buffer.from(payload).toString().trim()),
    };
  }

  const CONFIG = { code: "ERR_CONFIG", message: /needs a codec that signs or encrypts/ };
  for (const [name, codec] of Object.entries({
    "plain JSON": jsonCodec(),
    "structured clones": structuredCodec(),
    "Django's format before 3.1, which does not tell when it was written": legacyDjangoCodec({ secretKey }),
    "a codec that tells no time": { ...encryptedCodec({ secretKey }), decode: () => ({ data: {} }) },
    "text that would need quotes": around((token) => `${token} `),
    bytes: around((token) => Buffer.from(token)),
  })) {
    test(name, () => assert.throws(() => cookieEngine(codec), CONFIG));
  }

  for (const chunks of [0, 4, 1.5, Number.NaN, "2" as unknown as number]) {
    test(`${inspect(chunks)} chunks`, () => {
      const config = { code: "ERR_CONFIG", message: /chunks must be a whole number from 1 to 3/ };
      assert.throws(() => cookieEngine(encryptedCodec({ secretKey }), { chunks }), config);
    });
  }

  test("to take what Django keeps in a table or file for a cookie", async () => {
    const payload = djangoCodec({ secretKey }).encode({ uid: "alice" }, new Date("2026-11-20T12:00:00Z"));
    const app = application({ codec: djangoCookieCodec({ secretKey }) });
    assert.equal((await app.request(`sessionid=${payload}`)).result, undefined);
  });
});

describe("a session over 4096 bytes with the cookie's name", () => {
  const TOO_LARGE = { code: "ERR_SESSION_TOO_LARGE" };

  /** As many characters as fit `cookies` cookies, found by trying. */
  async function most(app: ReturnType<typeof application>, from: number): Promise<number> {
    for (let length = from; ; length++) {
      const fits = await login(app, { text: "x".repeat(length) }).then(
        () => true,
        () => false,
      );
      if (!fits) return length - 1;
    }
  }

  for (const cookieName of ["sessionid", `__Host-${"n".repeat(100)}`]) {
    test(`is refused to the byte, for a name of ${cookieName.length} characters`, async () => {
      const app = application({ cookieName, cookieSecure: true });
      const length = await most(app, 2800);
      const { setCookie } = await app.request(undefined, (session) => session.set("text", "x".repeat(length)));
      const [pair] = setCookie[0]!.split(";");
      // Base64 says three bytes in four characters.
      assert.ok(pair!.length - 1 <= 4096 && pair!.length - 1 > 4096 - 4, `${pair!.length - 1}`);
    });
  }

  test("is refused by save, where the handler can see it, with sizes and what to do, but no data", async () => {
    const app = application();
    const session = await app.sessions.open(undefined).session();
    session.set("secret", "hunter2 ".repeat(1000));
    await assert.rejects(session.save(), (error: Error & { code: string }) => {
      assert.equal(error.code, "ERR_SESSION_TOO_LARGE");
      assert.match(error.message, /takes \d{5} bytes .* keep 4096 .* in a store/);
      assert.ok(!inspect(error, { depth: 10 }).includes("hunter2"));
      return true;
    });
    assert.equal(session.key, null);
    session.set("secret", "short");
    await session.save();
    assert.notEqual(session.key, null);
  });

  test("fails the commit, with no cookie; the one that the browser has stays good", async () => {
    const app = application();
    const cookie = await login(app);
    await assert.rejects(login(app, { text: "x".repeat(5000) }, cookie), TOO_LARGE);
    assert.equal((await app.request(cookie)).result, "alice");
  });

  test("fails cycleKey as well", async () => {
    const session = await application().sessions.open(undefined).session();
    session.set("text", "x".repeat(5000));
    await assert.rejects(session.cycleKey(), TOO_LARGE);
    assert.equal(session.key, null);
  });
});

describe("a session in several cookies", () => {
  const large = (uid: string, length = 8000) => ({ uid, text: "x".repeat(length) });
  const chunked = (options: Options = {}) => application({ chunks: 3, ...options });
  const names = (header: string) => header.split("; ").map((pair) => pair.split("=")[0]);
  /** The jar without one cookie. */
  const without = (header: string, name: string) =>
    header
      .split("; ")
      .filter((pair) => !pair.startsWith(`${name}=`))
      .join("; ");
  const only = (header: string, name: string) => header.split("; ").find((pair) => pair.startsWith(`${name}=`))!;

  test("is one where it fits one, as Django writes and reads it", async () => {
    const codec = djangoCookieCodec({ secretKey });
    const cookie = await login(chunked({ codec }));
    assert.equal((await application({ codec }).request(cookie)).result, "alice");
  });

  test("comes back whole, from pieces that browsers keep", async () => {
    const app = chunked({ cookieName: "__Host-id", cookieSecure: true });
    const { setCookie } = await app.request(undefined, (session) => session.update(large("alice")));
    assert.deepEqual(names(jar(setCookie)), ["__Host-id", "__Host-id.1", "__Host-id.2"]);
    for (const header of setCookie) {
      assert.ok(header.split(";")[0]!.length - 1 <= 4096);
      assert.match(header, /; HttpOnly; Max-Age=1209600; Path=\/; SameSite=Lax; Secure$/);
    }
    const { result } = await app.request(jar(setCookie), (session) => ({ ...session.data }));
    assert.deepEqual(result, large("alice"));
  });

  test("comes back in any order, among other cookies", async () => {
    const app = chunked();
    const pairs = (await login(app, large("alice"))).split("; ");
    assert.equal((await app.request(["a=1", ...pairs.reverse(), "b=2"].join("; "))).result, "alice");
  });

  test("over the number allowed is refused, with the number", async () => {
    await assert.rejects(login(chunked(), large("alice", 20_000)), {
      code: "ERR_SESSION_TOO_LARGE",
      message: /and it may fill 3 cookies/,
    });
    await assert.rejects(login(chunked({ chunks: 2 }), large("alice")), { code: "ERR_SESSION_TOO_LARGE" });
  });

  test("leaves no piece behind when it shrinks, nor when it is flushed", async () => {
    const app = chunked();
    const cookie = await login(app, large("alice"));
    const two = await login(app, large("alice", 4000), cookie);
    assert.deepEqual(names(two), ["sessionid", "sessionid.1"]);
    assert.equal((await app.request(two)).result, "alice");
    assert.deepEqual(names(await login(app, { text: "" }, cookie)), ["sessionid"]);
    assert.equal(jar((await app.request(cookie, (session) => session.flush())).setCookie, cookie), "");
  });

  test("is not disturbed by pieces left over", async () => {
    const app = chunked();
    const [old, small] = [await login(app, large("alice")), await login(app, { uid: "bob" })];
    const leftovers = without(old, "sessionid");
    assert.equal((await app.request(`${small}; ${leftovers}`)).result, "bob");
    const two = await login(app, large("carol", 4000));
    assert.equal((await app.request(`${two}; ${only(old, "sessionid.2")}`)).result, "carol");
  });

  for (const missing of ["sessionid.1", "sessionid.2"]) {
    test(`without ${missing} is no session: reported, and the cookies kept`, async () => {
      const app = chunked();
      const cookie = without(await login(app, large("alice")), missing);
      const seen = await events(async () => {
        const { result, setCookie } = await app.request(cookie);
        assert.equal(result, undefined);
        assert.deepEqual(setCookie, []);
      });
      assert.equal(seen.length, 1);
    });
  }

  test("whose pieces come from different responses is no session: reported, and the cookies kept", async () => {
    const app = chunked();
    const [one, other] = [await login(app, large("alice")), await login(app, large("alice"))];
    for (const name of ["sessionid", "sessionid.1", "sessionid.2"]) {
      const seen = await events(async () => {
        const { result, setCookie } = await app.request(`${without(one, name)}; ${only(other, name)}`);
        assert.equal(result, undefined);
        assert.deepEqual(setCookie, []);
      });
      assert.equal(seen.length, 1, name);
    }
  });

  test("pieces that claim to belong together are not taken for it: the signature has the last word", async () => {
    const app = chunked();
    const [one, other] = [await login(app, large("alice")), await login(app, large("mallory"))];
    const id = /~([0-9a-f]{12})~/.exec(one)![1]!;
    const forged = only(other, "sessionid.1").replace(/=[0-9a-f]{12}~/, `=${id}~`);
    assert.equal((await app.request(`${without(one, "sessionid.1")}; ${forged}`)).result, undefined);
  });

  test("planted pieces beside the real ones are neither an exception nor adopted", async () => {
    const app = chunked();
    const [alice, mallory] = [await login(app, large("alice")), await login(app, large("mallory"))];
    for (const name of ["sessionid", "sessionid.1", "sessionid.2"]) {
      for (const planted of [only(mallory, name), `${name}=junk`, `${name}=`, `${name}=3~000000000000~`]) {
        for (const cookie of [`${alice}; ${planted}`, `${planted}; ${alice}`]) {
          assert.equal((await app.request(cookie)).result, "alice", planted.slice(0, 40));
        }
      }
    }
    const { result, setCookie } = await app.request(`${mallory}; ${alice}`);
    assert.equal(result, undefined);
    assert.deepEqual(setCookie, []);
  });

  test("the most pieces that a request can hold are read in linear time", async () => {
    const app = chunked();
    const many = Array.from({ length: 50_000 }, (_, n) => `sessionid=3~${n.toString(16).padStart(12, "0")}~x`);
    const pieces = Array.from({ length: 50_000 }, (_, n) => `sessionid.1=${n.toString(16).padStart(12, "0")}~y`);
    assert.equal((await app.request([...many, ...pieces].join("; "))).result, undefined);
  });
});
