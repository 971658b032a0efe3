import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CookieJar } from "tough-cookie";
import { fetchSessions } from "../../src/adapters/fetch.ts";
import { encryptedCodec } from "../../src/codecs/encrypted.ts";
import type { SessionCodec, SessionEngine } from "../../src/core/contracts.ts";
import { setCookie } from "../../src/core/cookie.ts";
import type { SessionError } from "../../src/core/errors.ts";
import { createSessions } from "../../src/core/sessions.ts";
import type { SessionSettings } from "../../src/core/settings.ts";
import { djangoCodec, djangoCookieCodec } from "../../src/django/codec.ts";
import { cookieEngine } from "../../src/engines/cookie-engine.ts";
import { storeEngine } from "../../src/engines/store-engine.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { quietly } from "../../src/testing/adapter-case.ts";
import { identity, type Origin, parseSetCookie, type ReceivedCookie, receive } from "./headers-user-agent.ts";

/* The cookie's attributes, size and number, in all that leaves the server: OWASP ASVS 5.0 V3.3, RFC 6265bis section 5. */

const secretKey = "a secret key for tests, 32 characters at least";
const HTTPS: Origin = { secure: true, host: "app.example.com", path: "/app/page" };
const HTTP: Origin = { ...HTTPS, secure: false };
const URL_OF = ({ secure, host, path }: Origin) => `http${secure ? "s" : ""}://${host}${path}`;

function application(engine: SessionEngine, settings: Partial<SessionSettings> = {}) {
  const sessions = createSessions<Record<string, any>>(engine, settings);
  const handle = fetchSessions(sessions, async (request) => {
    const session = await sessions.get(request);
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/set") session.set("text", searchParams.get("text") ?? "");
    if (pathname === "/move") await session.cycleKey();
    if (pathname === "/end") await session.flush();
    if (pathname === "/fail") {
      await session.cycleKey();
      return new Response("sorry", { status: 500 });
    }
    return new Response("ok", { headers: { "Set-Cookie": "theme=dark; Path=/" } });
  });
  return async (path: string, headers: Record<string, string> = {}) => {
    const response = await handle(new Request(`http://localhost${path}`, { headers }));
    const cookies = response.headers.getSetCookie().filter((cookie) => !cookie.startsWith("theme="));
    return { status: response.status, headers: response.headers, cookies };
  };
}

/** The `Cookie` header after these `Set-Cookie` headers. */
const cookieOf = (cookies: readonly string[]) => cookies.map((cookie) => cookie.split(";")[0]).join("; ");

const engines: Record<string, () => SessionEngine> = {
  "a store": () => storeEngine(memoryStore(), djangoCodec({ secretKey })),
  "signed cookies": () => cookieEngine(djangoCookieCodec({ secretKey })),
  "encrypted cookies, up to three": () => cookieEngine(encryptedCodec({ secretKey }), { chunks: 3 }),
};

describe("a browser and the session cookie, for every setting of its attributes", () => {
  const PREFIXES = ["", "__Secure-", "__Host-", "__secure-", "__HOST-"];
  const settings = PREFIXES.flatMap((prefix) =>
    [null, "example.com", ".example.com"].flatMap((cookieDomain) =>
      ["/", "/app"].flatMap((cookiePath) =>
        [true, false].flatMap((cookieSecure) =>
          [true, false].flatMap((cookieHttpOnly) =>
            (["Lax", "Strict", "None", false] as const).flatMap((cookieSameSite) =>
              [true, false].map((expireAtBrowserClose) => ({
                ...{ cookieName: `${prefix}id`, cookieDomain, cookiePath, cookieSecure, cookieHttpOnly },
                ...{ cookieSameSite, expireAtBrowserClose },
              })),
            ),
          ),
        ),
      ),
    ),
  );

  /** As if nobody looked at the settings. */
  const written = (s: (typeof settings)[number]) =>
    setCookie(s.cookieName, "abcdefgh", 60, new Date(), {
      domain: s.cookieDomain,
      path: s.cookiePath,
      secure: s.cookieSecure,
      httpOnly: s.cookieHttpOnly,
      sameSite: s.cookieSameSite,
    });

  const constructed = settings.filter((each) => {
    try {
      createSessions(engines["a store"]!(), each);
      return true;
    } catch (error) {
      assert.equal((error as SessionError).code, "ERR_CONFIG");
      return false;
    }
  });

  test("construction fails for exactly those that the browser would refuse", () => {
    assert.equal(settings.length, 960);
    const accepted = settings.filter((each) => receive(written(each), HTTPS) !== null);
    assert.deepEqual(constructed, accepted);
    assert.ok(accepted.length > 100 && accepted.length < settings.length);
  });

  for (const [name, makeEngine] of Object.entries(engines)) {
    test(`all others are stored with what was meant, renewed in place, and deleted again: ${name}`, async () => {
      for (const each of constructed) {
        const ask = application(makeEngine(), each);
        const set = await ask("/set?text=a");
        const cookie = cookieOf(set.cookies);
        const renewed = await ask("/set?text=b", { cookie });
        const ended = await ask("/end", { cookie: cookieOf(renewed.cookies) });
        // Without Secure, HTTP must do as well.
        for (const origin of each.cookieSecure ? [HTTPS] : [HTTPS, HTTP]) {
          const received = [set, renewed, ended].map(({ cookies }) => {
            assert.equal(cookies.length, 1);
            return receive(cookies[0]!, origin) as ReceivedCookie;
          });
          for (const [index, one] of received.entries()) {
            assert.ok(one, JSON.stringify(each));
            assert.equal(identity(one), identity(received[0]!), JSON.stringify(each));
            assert.equal(one.expired, index === 2);
            assert.equal(one.sameSite, (each.cookieSameSite || "default").toLowerCase());
          }
          const [first] = received as [ReceivedCookie];
          assert.deepEqual(
            [first.secure, first.httpOnly, first.path, first.hostOnly],
            [each.cookieSecure, each.cookieHttpOnly, each.cookiePath, each.cookieDomain === null],
          );
        }
      }
    });
  }

  test("another browser, tough-cookie, takes and deletes them too", async () => {
    for (const each of constructed) {
      const ask = application(engines["a store"]!(), each);
      const jar = new CookieJar(undefined, { prefixSecurity: "strict" });
      const url = URL_OF(HTTPS);
      const set = await ask("/set?text=a");
      await jar.setCookie(set.cookies[0]!, url);
      const sent = await jar.getCookieString(url);
      assert.equal(sent, cookieOf(set.cookies), JSON.stringify(each));
      await jar.setCookie((await ask("/end", { cookie: sent })).cookies[0]!, url);
      assert.equal(await jar.getCookieString(url), "", JSON.stringify(each));
    }
  });

  test("every attribute stands there once, in whatever sets, renews, moves or deletes the cookie", async () => {
    for (const makeEngine of Object.values(engines)) {
      for (const each of constructed) {
        const ask = application(makeEngine(), each);
        const cookies: string[] = [];
        let cookie = "";
        for (const path of ["/set?text=a", "/set?text=b", "/move", "/fail", "/end"]) {
          const answer = await ask(path, { cookie });
          cookies.push(...answer.cookies);
          // Signed again in the same second, the same data are the same cookie.
          if (answer.cookies.length > 0) cookie = cookieOf(answer.cookies);
        }
        for (const header of cookies) {
          const names = parseSetCookie(header)!.attributes.map(([name]) => name);
          assert.equal(new Set(names).size, names.length, header);
          assert.equal(names.includes("samesite"), each.cookieSameSite !== false, header);
          assert.ok(names.includes("path"), header);
        }
      }
    }
  });

  for (const [name, makeEngine] of Object.entries(engines)) {
    test(`a response sets one cookie of a name, however often the session is saved and moved: ${name}`, async () => {
      const sessions = createSessions<Record<string, any>>(makeEngine());
      const handle = fetchSessions(sessions, async (request) => {
        const session = await sessions.get(request);
        session.set("a", 1);
        await session.save();
        await session.cycleKey();
        await session.flush();
        session.set("a", 2);
        await session.save();
        await session.cycleKey();
        return new Response("ok");
      });
      const response = await handle(new Request("http://localhost/"));
      assert.deepEqual(
        response.headers.getSetCookie().map((cookie) => cookie.split("=")[0]),
        ["sessionid"],
      );
    });
  }
});

describe("defaults and presets of the cookie", () => {
  test("are HttpOnly, SameSite=Lax, the whole host and no other; Secure is to be turned on", async () => {
    const { cookies } = await application(engines["a store"]!())("/set");
    const { httpOnly, sameSite, hostOnly, path, secure } = receive(cookies[0]!, HTTP)!;
    assert.deepEqual(
      { httpOnly, sameSite, hostOnly, path, secure },
      { httpOnly: true, sameSite: "lax", hostOnly: true, path: "/", secure: false },
    );
  });
});

describe("what a client or a proxy says", () => {
  // The headers by which frameworks are told of the outside, and by which clients have lied to them.
  const FORGED: Record<string, string>[] = [
    { "X-Forwarded-Proto": "https" },
    { "X-Forwarded-Proto": "http" },
    { "X-Forwarded-Ssl": "on", "X-Forwarded-Scheme": "https", "Front-End-Https": "on", "X-Url-Scheme": "https" },
    { Forwarded: "for=1.2.3.4;proto=https;host=evil.example" },
    { "X-Forwarded-Host": "evil.example", Host: "evil.example", "X-Original-Host": "evil.example" },
    {
      "X-Forwarded-For": "127.0.0.1",
      "X-Real-Ip": "127.0.0.1",
      "X-Forwarded-Prefix": "/evil",
      "X-Original-Url": "/evil",
    },
    { Origin: "https://evil.example", Referer: "https://evil.example/", "Sec-Fetch-Site": "cross-site" },
  ];

  for (const [name, makeEngine] of Object.entries(engines)) {
    test(`changes no attribute, no prefix and no other header: ${name}`, async () => {
      for (const settings of [{}, { cookieName: "__Host-id", cookieSecure: true }]) {
        const now = () => new Date("2026-11-20T12:00:00Z");
        const ask = application(makeEngine(), { ...settings, now });
        const shape = async (headers: Record<string, string>) => {
          const { cookies, headers: answered, status } = await ask("/set", headers);
          // All but the token, which is another each time.
          return [
            status,
            cookies.map((cookie) => cookie.replace(/=[^;]*/, "")),
            answered.get("Vary"),
            answered.get("Cache-Control"),
          ];
        };
        const expected = await shape({});
        for (const headers of FORGED) assert.deepEqual(await shape(headers), expected, JSON.stringify(headers));
      }
    });
  }
});

describe("the size of a cookie", () => {
  const CODECS: Record<string, SessionCodec> = {
    signed: djangoCookieCodec({ secretKey }),
    encrypted: encryptedCodec({ secretKey }),
  };

  /** Text that nothing compresses, every third character of three bytes. */
  let noise = "";
  for (let seed = 1; noise.length < 15_000; seed = (seed * 48_271) % 2_147_483_647) {
    noise += noise.length % 3 === 0 ? String.fromCharCode(0x4e00 + (seed % 20_000)) : (seed % 36).toString(36);
  }

  for (const [name, codec] of Object.entries(CODECS)) {
    for (const chunks of [1, 2, 3]) {
      test(`never exceeds 4096 bytes with its name, where it would the answer is an error and the old cookie good: ${name}, up to ${chunks}`, () =>
        quietly(async () => {
          const ask = application(cookieEngine(codec, { chunks }));
          const old = await ask("/set?text=old");
          const headers = { cookie: cookieOf(old.cookies) };
          let [largest, total, refused] = [0, 0, 0];
          // In steps of a character where it becomes tight.
          for (let length = 100; refused <= 20; length += total < 4096 * chunks - 100 ? 25 : 1) {
            const { status, cookies } = await ask(`/set?text=${encodeURIComponent(noise.slice(0, length))}`, headers);
            if (status === 500) {
              refused++;
              assert.deepEqual(cookies, []);
              assert.deepEqual((await ask("/", headers)).cookies, []);
              continue;
            }
            assert.equal(status, 200);
            const sizes = cookies.map((cookie) => Buffer.byteLength(cookie.split(";")[0]!) - 1);
            for (const cookie of cookies) assert.ok(receive(cookie, HTTPS));
            largest = Math.max(largest, ...sizes);
            total = sizes.reduce((sum, size) => sum + size, 0);
          }
          assert.ok(largest > 4085 && largest <= 4096, `the largest had ${largest} bytes`);
        }));
    }
  }

  test("is not reached by attributes: a path or domain over 1024 bytes, which browsers ignore, is refused", () => {
    const long = `/${"a".repeat(1024)}`;
    for (const settings of [{ cookiePath: long }, { cookieDomain: `${long.slice(1)}a` }]) {
      assert.throws(() => createSessions(engines["a store"]!(), settings), { code: "ERR_CONFIG" });
    }
  });

  test("is nothing that a store's session has: its cookie is as long for a megabyte of data", async () => {
    const sessions = createSessions<Record<string, any>>(engines["a store"]!());
    const request = sessions.open(undefined);
    (await request.session()).set("text", "x".repeat(1_000_000));
    const { setCookie: cookies } = await request.commit(200);
    assert.equal(cookies.length, 1);
    assert.match(cookies[0]!, /^sessionid=[a-z0-9]{32};/);
  });
});

describe("control characters", () => {
  const HOSTILE = ["\r\nSet-Cookie: a=b", "\n", "\r", "\x1b[31m", "\0", "\u2028", "\x7f", "\u0085", ";", ",", '"'];

  test("in a cookie's name, path or domain are refused at construction", () => {
    for (const text of HOSTILE.filter((each) => each !== "," && each !== '"')) {
      for (const settings of [{ cookieName: `a${text}` }, { cookiePath: `/${text}` }, { cookieDomain: `a${text}` }]) {
        assert.throws(
          () => createSessions(engines["a store"]!(), settings),
          { code: "ERR_CONFIG" },
          JSON.stringify(settings),
        );
      }
    }
  });

  for (const [name, makeEngine] of Object.entries(engines)) {
    test(`in the data of a session reach no header: ${name}`, async () => {
      const sessions = createSessions<Record<string, any>>(makeEngine());
      for (const text of HOSTILE) {
        const request = sessions.open(undefined);
        const session = await request.session();
        session.set(`key${text}`, { [text]: [text] });
        const { setCookie: cookies } = await request.commit(200);
        for (const cookie of cookies)
          assert.match(cookie, /^[\w.-]+=[\w.:~-]+(?:; [A-Za-z-]+(?:=[\x20-\x3a\x3c-\x7e]+)?)*$/);
        const again = await sessions.open(cookieOf(cookies)).session();
        assert.deepEqual(again.get(`key${text}`), { [text]: [text] });
      }
    });
  }

  test("in a codec's token cannot add an attribute or a header", async () => {
    const hostile: SessionCodec = {
      ...djangoCodec({ secretKey }),
      encode: () => "token\r\nSet-Cookie: a=b; Domain=evil.example",
    };
    assert.throws(() => cookieEngine(hostile), { code: "ERR_CONFIG" });
  });

  test("in the Cookie header are in no header of the answer", async () => {
    for (const [, makeEngine] of Object.entries(engines)) {
      const ask = createSessions<Record<string, any>>(makeEngine());
      for (const text of HOSTILE) {
        const request = ask.open(`sessionid=abc${text}def; sessionid${text}=x; sessionid=${text}`);
        (await request.session()).get("a");
        const { setCookie: cookies } = await request.commit(200);
        for (const cookie of cookies)
          assert.match(
            cookie,
            /^sessionid(?:\.\d)?=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=\/; SameSite=Lax$/,
          );
      }
    }
  });
});
