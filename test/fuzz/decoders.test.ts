import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { readCacheEntry } from "../../src/cli/cache-entry.ts";
import { presented, whyNoKey, whyNoSignedCookie } from "../../src/cli/check/token.ts";
import { readPayload } from "../../src/cli/payload.ts";
import { encryptedCodec } from "../../src/codecs/encrypted.ts";
import { jsonCodec } from "../../src/codecs/json.ts";
import { structuredCodec } from "../../src/codecs/structured.ts";
import type { CacheEntries } from "../../src/core/cache-entries.ts";
import type { SessionCodec } from "../../src/core/contracts.ts";
import { cookieValues } from "../../src/core/cookie.ts";
import { SessionError } from "../../src/core/errors.ts";
import { EXPIRY_KEY, expiresAtBrowserClose, expiryAge, expiryDate, STARTED_KEY } from "../../src/core/expiry.ts";
import { DEFAULT_SETTINGS } from "../../src/core/settings.ts";
import { presentedTokens, tokenCookies } from "../../src/core/token-cookies.ts";
import { djangoCacheCodec } from "../../src/django/cache-codec.ts";
import { djangoCacheEntries } from "../../src/django/cache-entries.ts";
import { djangoCodec, djangoCookieCodec, legacyDjangoCodec } from "../../src/django/codec.ts";
import { djangoExpiry } from "../../src/django/expiry.ts";
import { pickleSerializer } from "../../src/django/pickle-serializer.ts";
import { parse, stringify } from "../../src/django/python-json.ts";
import { dumps, legacyDumps, legacySigner, signer } from "../../src/django/signing.ts";
import { cookieEngine } from "../../src/engines/cookie-engine.ts";
import { ownEntries } from "../../src/stores/cached/own-entries.ts";
import { replyReader } from "../../src/stores/memcached/replies.ts";
import { CPYTHON } from "../django/pickle/cpython.ts";
import { assertHarmless, fuzz, type Outcome, planned, type Target, type Verdict } from "./fuzz.ts";
import { DATA, djangoPayloads, formerKey, HIDDEN, keys, NOW, payloads, secretKey } from "./samples.ts";

/*
 * Every decoder, over changed tokens, Cookie headers and records: a million at least. A seed and a number lead to a
 * mutant again; see `fuzz.ts`.
 */

const outcomes: [name: string, outcome: Outcome][] = [];

/** @param allowed as `fuzz` */
function decoder<Input extends string | Buffer>(
  name: string,
  rule: string,
  target: Target<Input>,
  allowed?: readonly Verdict[],
): void {
  const { seed, runs } = planned(target);
  test(`${name}: of ${runs} mutants (seed ${seed}) ${rule}`, { timeout: 120_000 }, () => {
    outcomes.push([name, fuzz(target, allowed)]);
  });
}

const ANYTHING: readonly Verdict[] = ["refused", "respelt", "accepted"];
const RESPELT: readonly Verdict[] = ["refused", "respelt"];

const bytes = (payload: string | Uint8Array) => Buffer.from(payload);
const isNull = (value: unknown): Verdict => (value === null ? "refused" : "accepted");

/** For formats that prove nothing: what is read must do no harm. */
const harmless = (codec: SessionCodec) => (input: string | Buffer) => {
  const decoded = codec.decode(input);
  if (decoded === null) return "refused";
  assert.equal(Object.getPrototypeOf(decoded.data), null);
  assertHarmless(decoded.data);
  return "accepted";
};

describe("signed and encrypted: nothing is accepted but what was written, to the character", () => {
  const django = djangoCodec(keys);
  const former = djangoCodec({ secretKey: formerKey });
  const samples = [...djangoPayloads(django), ...djangoPayloads(former)];
  decoder("session_data", "none is read", {
    ...{ seed: 1, runs: 110_000, samples },
    read: (text: string) => isNull(django.decode(text)),
  });
  decoder("session_data as bytes", "none is read", {
    ...{ seed: 2, runs: 60_000, samples: samples.map(bytes) },
    read: (payload: Buffer) => isNull(django.decode(payload)),
  });

  const cookie = djangoCookieCodec(keys);
  decoder("a cookie of signed_cookies", "none is read, nor is any payload of a table", {
    ...{ seed: 3, runs: 100_000, samples: [...djangoPayloads(cookie), ...samples] },
    read: (text: string) => {
      for (const payload of samples) if (payload === text) return "accepted";
      return isNull(cookie.decode(text));
    },
  });

  const pickles = djangoCodec({ ...keys, serializer: pickleSerializer() });
  decoder("session_data of PickleSerializer", "none is read", {
    ...{ seed: 4, runs: 50_000, samples: djangoPayloads(pickles) },
    read: (text: string) => isNull(pickles.decode(text)),
  });

  const encrypted = encryptedCodec(keys);
  const sealed = [...payloads(encrypted), ...payloads(encryptedCodec({ secretKey: formerKey }))] as string[];
  decoder("an encrypted session", "none is read, in no other spelling of base64 either", {
    ...{ seed: 5, runs: 110_000, samples: sealed },
    read: (text: string) => isNull(encrypted.decode(text)),
  });
  decoder("an encrypted session as bytes", "none is read", {
    ...{ seed: 6, runs: 40_000, samples: sealed.map(bytes) },
    read: (payload: Buffer) => isNull(encrypted.decode(payload)),
  });
  decoder("bytes of an encrypted session, encoded anew", "none is read", {
    ...{ seed: 7, runs: 50_000, samples: sealed.map((text) => Buffer.from(text, "base64url")) },
    read: (payload: Buffer) => isNull(encrypted.decode(payload.toString("base64url"))),
  });
});

/*
 * Before Django 3.1 the signature was inside of the base64, and Python's b64decode passes over what is not of the alphabet
 * and over the last bits, as Node's does: one session has many spellings there and here. None says anything else.
 */
describe("the format before Django 3.1: other spellings of its base64 are read, as by Django, and say the same", () => {
  const old = [secretKey, formerKey].flatMap((key) =>
    DATA.map((data) => legacyDumps(stringify(data), legacySigner(key, "django.contrib.sessionsSessionStore"))),
  );
  const meanings = new Map(
    old.map((text) => [Buffer.from(text, "base64").toString("latin1"), Buffer.from(text, "base64").subarray(41)]),
  );
  const sameAsSigned = (codec: SessionCodec) => (input: string | Buffer) => {
    const decoded = codec.decode(input);
    if (decoded === null) return "refused";
    const signed = meanings.get(Buffer.from(input.toString("latin1"), "base64").toString("latin1"));
    if (signed === undefined) return "accepted";
    assert.equal(stringify(decoded.data, decoded.origin), signed.toString("latin1"));
    return "respelt";
  };
  const legacy = legacyDjangoCodec(keys);
  decoder(
    "the old format",
    "none says anything but what was signed",
    { seed: 10, runs: 60_000, samples: old, read: sameAsSigned(legacy) },
    RESPELT,
  );
  decoder(
    "the old format as bytes",
    "none says anything but what was signed",
    { seed: 11, runs: 30_000, samples: old.map(bytes), read: sameAsSigned(legacy) },
    RESPELT,
  );

  const both = djangoCodec({ ...keys, readLegacy: true });
  const sha1 = signer(secretKey, "django.contrib.sessions.SessionStore", "sha1");
  const newer = DATA.map((data) => dumps(stringify(data), NOW, sha1, true));
  decoder(
    "both formats, of Django 3.1 and 3.2",
    "none says anything but what was signed, and of today's format none is read",
    {
      ...{ seed: 12, runs: 50_000, samples: [...old, ...newer, ...djangoPayloads(both)] },
      read: (text: string) => (text.includes(":") ? isNull(both.decode(text)) : sameAsSigned(both)(text)),
    },
    RESPELT,
  );
});

describe("Cookie headers", () => {
  const token = (n: number) => "abcdefghijklmnopqrstuvwxyz01234".repeat(2).slice(n, n + 32);
  const headers = [
    `sessionid=${token(0)}`,
    `csrftoken=x; sessionid=${token(1)}; a=b`,
    `sessionid=${token(2)};sessionid=${token(3)}`,
    `__Host-sessionid=${token(4)}; sessionid="${token(5)}"`,
    `a="b\\073 sessionid=${token(6)}"; sessionid=${token(7)}; =nameless; valueless; ;`,
    `sessionid.1=one; sessionid=2~0123456789ab~two; sessionid.1=0123456789ab~three`,
  ];
  decoder(
    "values of a name",
    "each gives what a plain reading of RFC 6265 gives, and the names of no other cookie",
    {
      ...{ seed: 20, runs: 120_000, samples: headers },
      read(header: string) {
        const values = cookieValues(header, "sessionid");
        const pairs = header
          .split(";")
          .map((pair) => pair.split(/=(.*)/s).map((part) => part.replace(/^[ \t]+|[ \t]+$/g, "")));
        const plain = pairs.filter(([name, value]) => name === "sessionid" && value !== undefined);
        assert.equal(values.length, plain.length);
        for (const [index, [, value]] of plain.entries())
          if (!value!.startsWith('"')) assert.equal(values[index], value);
        for (const value of presentedTokens(header, "sessionid")) assert.equal(typeof value, "string");
        return values.length > 0 ? "accepted" : "refused";
      },
    },
    ANYTHING,
  );

  /** Sessions that are whole in a header, by what is in it. */
  function whole(header: string, cookies: ReadonlyMap<string, readonly string[]>): Set<string> {
    const plain = header.replace(/\\([0-3][0-7][0-7]|.)/gs, (_, code: string) =>
      code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8)) : code,
    );
    const has = (value: string) => header.includes(value) || plain.includes(value);
    return new Set([...cookies.keys()].filter((token) => cookies.get(token)!.every(has)));
  }
  for (const [index, { name, codec, chunks, texts }] of [
    { name: "signed_cookies", codec: djangoCookieCodec(keys), chunks: 1, texts: [10, 300] },
    { name: "an encrypted cookie in pieces", codec: encryptedCodec(keys), chunks: 3, texts: [10, 3500, 7000] },
  ].entries()) {
    const engine = cookieEngine(codec, { chunks });
    // Of random letters, which no compression makes fit one cookie.
    const tokens = texts.map((length) =>
      codec.encode(
        {
          text: Buffer.from(DATA.map((data) => JSON.stringify(data)).join(""))
            .toString("base64url")
            .repeat(9)
            .slice(0, length),
        },
        NOW,
      ),
    ) as string[];
    // Without what stands before a piece, which proves nothing: it only says what to join.
    const pieces = (token: string) =>
      tokenCookies("sessionid", token, chunks).map(([, value]) => value.replace(/^(?:\d~)?[0-9a-f]{12}~/, ""));
    const cookies = new Map(tokens.map((token) => [token, pieces(token)]));
    const samples = tokens.map((token, n) => {
      const pairs = tokenCookies("sessionid", token, chunks).map((pair) => pair.join("="));
      return [`csrftoken=${n}`, ...(n % 2 === 0 ? pairs : pairs.reverse()), "theme=dark"].join("; ");
    });
    decoder(
      `headers with ${name}`,
      "none leads to a session whose cookies are not whole in it",
      {
        ...{ seed: 21 + index, runs: 50_000 - 20_000 * index, samples },
        read(header: string) {
          const sessions = presentedTokens(header, "sessionid").filter(
            (value) => engine.isToken(value) && codec.decode(value) !== null,
          );
          if (sessions.length === 0) return "refused";
          const there = whole(header, cookies);
          return sessions.every((value) => there.has(value)) ? "respelt" : "accepted";
        },
      },
      RESPELT,
    );
  }
});

describe("unsigned formats: plain data within the limits, or null", () => {
  const json = jsonCodec();
  decoder(
    "JSON",
    "none does harm",
    { seed: 30, runs: 60_000, samples: payloads(json) as string[], read: harmless(json) },
    ANYTHING,
  );
  decoder(
    "JSON as bytes",
    "none does harm",
    { seed: 31, runs: 30_000, samples: payloads(json).map(bytes), read: harmless(json) },
    ANYTHING,
  );

  const structured = structuredCodec();
  const rich = {
    ...{
      date: NOW,
      map: new Map<unknown, unknown>([
        ["a", 1],
        [{}, []],
      ]),
      set: new Set([1, "b"]),
      none: undefined,
    },
    ...{ big: 2n ** 80n, pattern: /a+/gi, bytes: new Uint8Array(9), floats: new Float64Array(3), holes: new Array(3) },
  };
  decoder(
    "structured clones",
    "none does harm",
    {
      ...{ seed: 32, runs: 50_000, samples: [...payloads(structured), structured.encode(rich, NOW)].map(bytes) },
      read: harmless(structured),
    },
    ANYTHING,
  );

  const python = DATA.map((data) => stringify(data));
  decoder(
    "Python's JSON",
    "each is a SyntaxError, or comes back from what is written of it",
    {
      ...{
        seed: 33,
        runs: 60_000,
        samples: [...python, '{"a":NaN,"b":-Infinity,"c":1.0,"10":12345678901234567890,"9":-0.0}'],
      },
      read(text: string) {
        let read: { value: unknown; origin?: unknown };
        try {
          read = parse(text);
        } catch (error) {
          assert.ok(error instanceof SyntaxError, `${error}`);
          return "refused";
        }
        assertHarmless(read.value);
        const written = stringify(read.value, read.origin);
        const again = parse(written);
        assert.equal(stringify(again.value, again.origin), written);
        return "accepted";
      },
    },
    ANYTHING,
  );

  const compressors = ["identity", "zlib", "gzip"] as const;
  for (const [index, compressor] of compressors.entries()) {
    for (const [offset, serializer] of (["pickle", "json"] as const).entries()) {
      const codec = djangoCacheCodec({ serializer, compressor });
      const pickles = Object.values(CPYTHON.plain).flatMap((all) => Object.values(all));
      const foreign = compressor === "identity" && serializer === "pickle" ? pickles : [];
      const samples = foreign.filter((text) => !text.startsWith("sha256:") && text.length < 1000);
      const runs = compressor === "identity" ? 40_000 : 6_000;
      decoder(
        `an entry of Django's cache: ${serializer}, ${compressor}`,
        "none does harm",
        {
          ...{ seed: 40 + 2 * index + offset, runs },
          samples: [...payloads(codec).map(bytes), ...samples.map((text) => Buffer.from(text, "base64"))],
          read: harmless(codec),
        },
        ANYTHING,
      );
    }
  }
});

describe("records", () => {
  const key = "abcdefghijklmnopqrstuvwxyz012345";
  const django = djangoCodec(keys);
  const stored = djangoPayloads(django);

  /** @param written entries and their payloads */
  const same =
    (entries: CacheEntries, written: ReadonlyMap<string, string | Uint8Array>) => (entry: string | Buffer) => {
      const read = entries.read(key, entry);
      if (typeof read === "string") return "refused";
      const isSame = [...written.values()].some((payload) => bytes(payload).equals(bytes(read.payload)));
      return isSame ? "respelt" : "accepted";
    };

  const ours = new Map(stored.map((payload) => [ownEntries.write(key, payload) as string, payload]));
  const clones = payloads(structuredCodec()) as Uint8Array[];
  const binary = new Map(clones.map((payload) => [bytes(ownEntries.write(key, payload)!).toString("latin1"), payload]));
  decoder("entries of a cache of our own", "none is read", {
    ...{ seed: 50, runs: 60_000, samples: [...ours.keys()] },
    read: same(ownEntries, ours),
  });
  decoder("entries of a cache of our own, as bytes", "none is read", {
    ...{
      seed: 51,
      runs: 40_000,
      samples: [...ours.keys(), ...binary.keys()].map((text) => Buffer.from(text, "latin1")),
    },
    read: same(ownEntries, new Map<string, string | Uint8Array>([...ours, ...binary])),
  });
  decoder("entries of another session", "none is read", {
    ...{ seed: 52, runs: 10_000, samples: stored.map((payload) => ownEntries.write(`${key}6`, payload) as string) },
    read: same(ownEntries, ours),
  });

  for (const [index, format] of (
    [
      { serializer: "pickle" },
      { serializer: "json" },
      { serializer: "pickle", compressor: "zlib" },
      { serializer: "json", compressor: "gzip" },
    ] as const
  ).entries()) {
    const entries = djangoCacheEntries({ codec: django, format });
    const written = new Map(stored.map((payload) => [payload, entries.write(key, payload)]));
    const samples = [...written.values()].filter((entry) => entry !== null).map(bytes);
    const isCompressed = "compressor" in format;
    decoder(
      `entries of cached_db: ${Object.values(format).join(", ")}`,
      isCompressed
        ? "none gives another payload, though the frame of a compressor has several spellings"
        : "none is read",
      {
        ...{ seed: 53 + index, runs: isCompressed ? 6_000 : 30_000, samples },
        read: same(entries, new Map([...written.keys()].map((payload) => [payload, payload]))),
      },
      isCompressed ? RESPELT : undefined,
    );
  }

  const flags = ["0", "1", "8", "9", "16", "4294967295", "-8", "NaN"];
  decoder(
    "what a memcached sends",
    "each is cut into replies, or refused, in bounded memory",
    {
      ...{ seed: 60, runs: 30_000 },
      samples: flags.map((flag) => `VA 5 f${flag} c17\r\nhello\r\nHD\r\nEN\r\nVA 0 f0 c1\r\n\r\nNS\r\n`),
      read(text: string) {
        const chunk = Buffer.from(text, "latin1");
        const read = (sizes: number) => {
          const replies: string[] = [];
          let cut = 0;
          const reader = replyReader(
            (line, value) => {
              assert.ok(line.length <= 2048 && (value === undefined || value.length <= 1024));
              cut += line.length + 2 + (value ? value.length + 2 : 0);
              replies.push(`${line}|${value?.toString("latin1")}`);
            },
            () => 1024,
          );
          try {
            for (let at = 0; at < chunk.length; at += sizes) reader(chunk.subarray(at, at + sizes));
          } catch (error) {
            assert.match(
              (error as Error).message,
              /^a (?:line without end|bare line feed|value that is too long|value that goes on after its end)$/,
            );
            replies.push("refused");
          }
          assert.ok(cut <= chunk.length);
          return replies;
        };
        const replies = read(chunk.length || 1);
        // However it arrives.
        assert.deepEqual(read(1), replies);
        return replies.at(-1) === "refused" ? "refused" : "accepted";
      },
    },
    ANYTHING,
  );

  const expiryOf = djangoExpiry(DEFAULT_SETTINGS, { readLegacy: true });
  decoder(
    "when a record expires, by what it says itself",
    "each is a date, or nothing",
    {
      ...{ seed: 61, runs: 60_000, samples: stored },
      read(text: string) {
        const expiry = expiryOf(text, NOW);
        assert.ok(expiry === null || !Number.isNaN(expiry.getTime()));
        return isNull(expiry);
      },
    },
    ANYTHING,
  );

  const policies = [
    [DEFAULT_SETTINGS, EXPIRY_KEY],
    [{ ...DEFAULT_SETTINGS, absoluteAge: 86_400 }, STARTED_KEY],
  ] as const;
  decoder(
    "when a session expires, by its data",
    "each is a date, or ERR_SESSION_VALUE",
    {
      ...{ seed: 62, runs: 40_000 },
      samples: [
        ...["3600", "0", "-1", "1.5", "true", "null", "1e15", "12345678901234567890", '"2026-12-01T00:00:00+00:00"'],
        ...[
          '"2026-12-01T00:00:00.123456"',
          '"20261201T000000Z"',
          '"2026-W49-2"',
          '{"$datetime":"2026-12-01T00:00:00"}',
        ],
        '{"$datetime":"2026-10-25T02:30:00[Europe/Berlin][fold=1]"}',
        '{"$datetime":"2026-10-25T02:30:00+01:00[tzname=CET]"}',
      ],
      read(text: string) {
        let value: unknown;
        try {
          ({ value } = parse(text));
        } catch {
          value = text;
        }
        let verdict: Verdict = "refused";
        for (const [policy, name] of policies) {
          const data = { [name]: value };
          try {
            const [age, date] = [expiryAge(data, NOW, policy), expiryDate(data, NOW, policy)];
            assert.ok(Number.isFinite(age) && !Number.isNaN(date.getTime()), `${age}, ${date}`);
            assert.equal(typeof expiresAtBrowserClose(data, policy), "boolean");
            verdict = "accepted";
          } catch (error) {
            assert.ok(error instanceof SessionError && error.code === "ERR_SESSION_VALUE", `${error}`);
          }
        }
        return verdict;
      },
    },
    ANYTHING,
  );
});

describe("the command line's reading", () => {
  const named = [secretKey, formerKey].map((key, index) => ({ key, name: `key ${index}` }));
  const stored = djangoPayloads(djangoCodec(keys));
  const old = DATA.map((data) =>
    legacyDumps(stringify(data), legacySigner(secretKey, "django.contrib.sessionsSessionStore")),
  );
  const assertTellsNothing = (reason: string) => {
    for (const secret of [HIDDEN, secretKey, formerKey]) assert.ok(!reason.includes(secret));
    assert.match(reason, /^[\x20-\x7e]{5,600}$/);
  };
  for (const [index, readLegacy] of [false, true].entries()) {
    decoder(
      `sojourn decode${readLegacy ? ", with the format before Django 3.1" : ""}`,
      "none is printed, and each has a reason that tells nothing of it",
      {
        ...{ seed: 70 + index, runs: 8_000, samples: [...stored, ...(readLegacy ? [] : old)] },
        read(text: string) {
          const reading = readPayload(text, named, { readLegacy });
          if (reading.verified) return "accepted";
          assertTellsNothing(reading.reason);
          return "refused";
        },
      },
    );
  }

  const codec = djangoCacheCodec({ serializer: "pickle", compressor: "zlib" });
  decoder(
    "sojourn show, of a cache",
    "each is plain data, or has a reason that tells nothing of it",
    {
      ...{ seed: 72, runs: 8_000, samples: payloads(codec).map(bytes) },
      read(payload: Buffer) {
        const reading = readCacheEntry(payload, { serializer: "pickle", compressor: "zlib" });
        if (!reading.verified) assertTellsNothing(reading.reason);
        else assert.match(reading.json, /^[\x20-\x7e]*$/);
        return reading.verified ? "accepted" : "refused";
      },
    },
    ANYTHING,
  );

  decoder(
    "sojourn check",
    "each is a value of the cookie, or has a reason that tells nothing of it",
    {
      ...{ seed: 73, runs: 40_000 },
      samples: [
        "abcdefghijklmnopqrstuvwxyz012345",
        "Cookie: csrftoken=x; sessionid=abcdefghijklmnopqrstuvwxyz012345",
        "sessionid=abcdefghijklmnopqrstuvwxyz012345; a=b",
        'set-cookie: sessionid="abc"; Path=/',
        stored[1]!,
        old[1]!,
        "s%3Aabcdefgh.c2lnbmF0dXJl",
      ],
      read(text: string) {
        let tokens: readonly string[];
        try {
          tokens = presented(text, "sessionid");
        } catch (error) {
          assert.ok("exitCode" in (error as Error), `${error}`);
          return "refused";
        }
        assert.ok(tokens.length > 0);
        for (const token of tokens) {
          for (const why of [whyNoKey(token), whyNoSignedCookie(token)]) if (why !== null) assertTellsNothing(why);
        }
        return "accepted";
      },
    },
    ANYTHING,
  );
});

test("together: a million mutants at least, and of signed and encrypted ones none accepted", () => {
  const mutants = outcomes.reduce((sum, [, outcome]) => sum + outcome.mutants, 0);
  assert.ok(mutants >= 1_000_000, `${mutants}`);
});

after(() => {
  const rows = outcomes.map(([name, { mutants, refused, respelt, accepted, slowest, ms }]) => {
    const cells = [mutants, refused, respelt, accepted, slowest.toFixed(1), Math.round(ms)];
    return `${cells.map((cell) => String(cell).padStart(9)).join("")}  ${name}`;
  });
  console.log(`  mutants  refused  respelt accepted  slowest       ms\n${rows.join("\n")}`);
});
