import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";
import { fuzz, type Verdict } from "./fuzz.ts";
import { MUTATIONS, mutator } from "./mutator.ts";

/* Whether the mutants find anything: decoders that are broken on purpose, each in one place, as real ones were. */

const RUNS = 20_000;

const mac = (text: string) => createHmac("sha256", "key").update(text).digest("base64url");
const sign = (body: string, time: string) => `${body}:${time}:${mac(`${body}:${time}`)}`;
const encode = (json: string) => Buffer.from(json).toString("base64url");

const samples = ['{"uid":"1"}', '{"uid":"12"}', '{"uid":"123","cart":[1,2,3]}', "{}"]
  .flatMap((json) => [encode(json), `.${encode(json)}`])
  .flatMap((body) => [sign(body, "1vMSoA"), sign(body, "0"), sign(body, "1vMSoB")]);

/** The sound one: what stands before the last colon is what the signature is of, character by character. */
const sound = (text: string) => {
  const end = text.lastIndexOf(":");
  return end !== -1 && mac(text.slice(0, end)) === text.slice(end + 1);
};

/** Decoders that accept something that nobody signed, by what is wrong with them. */
const LENIENT: Readonly<Record<string, (text: string) => boolean>> = {
  "does not look at one character of the signature": (text) => {
    const [left, right] = [mac(text.slice(0, text.lastIndexOf(":"))), text.slice(text.lastIndexOf(":") + 1)];
    return left.length === right.length && [...left].every((char, n) => n === 17 || char === right[n]);
  },
  "looks only at as much of the signature as came, from ten characters on": (text) => {
    const given = text.slice(text.lastIndexOf(":") + 1);
    return given.length >= 10 && mac(text.slice(0, text.lastIndexOf(":"))).startsWith(given);
  },
  "looks only at the first 43 characters of it": (text) => {
    const end = text.lastIndexOf(":");
    return end !== -1 && mac(text.slice(0, end)) === text.slice(end + 1, end + 44);
  },
  "compares signatures without their case": (text) => {
    const end = text.lastIndexOf(":");
    return mac(text.slice(0, end)).toLowerCase() === text.slice(end + 1).toLowerCase();
  },
  "compares the bytes of signatures, not their text": (text) => {
    const end = text.lastIndexOf(":");
    return mac(text.slice(0, end)) === Buffer.from(text.slice(end + 1), "base64").toString("base64url");
  },
  "accepts an empty signature": (text) => text.endsWith(":") || sound(text),
  "accepts what has no signature at all": (text) => !text.includes(":") || sound(text),
  "does not sign the time": (text) => {
    const [body = "", , signature] = text.split(":");
    return samples.some((sample) => sample.startsWith(`${body}:`) && sample.endsWith(`:${signature}`));
  },
  "does not sign the separators": (text) => {
    const end = text.lastIndexOf(":");
    const plain = text.slice(0, end).replaceAll(":", "");
    return samples.some(
      (sample) =>
        sample.slice(0, sample.lastIndexOf(":")).replaceAll(":", "") === plain && sample.endsWith(text.slice(end)),
    );
  },
  "takes the signature of one for another": (text) => {
    const end = text.lastIndexOf(":");
    const signatures = samples.map((sample) => sample.slice(sample.lastIndexOf(":")));
    return samples.some((sample) => sample.startsWith(text.slice(0, end + 1))) && signatures.includes(text.slice(end));
  },
  "does not sign the mark of compression": (text) => sound(text) || sound(text.replace(/^\./, "")) || sound(`.${text}`),
  "trims blanks": (text) => sound(text.trim()),
  "trims only line breaks": (text) => sound(text.replace(/[\r\n]+$/, "")),
  "takes off padding": (text) => sound(text.replace(/=+$/, "")),
  "reads the standard alphabet of base64": (text) => sound(text.replaceAll("+", "-").replaceAll("/", "_")),
  "passes over what is not of the alphabet": (text) => sound(text.replace(/[^\w.:-]/g, "")),
  "reads the bytes of base64, not its text": (text) => {
    const [body = "", time, signature] = text.split(":");
    const bytes = Buffer.from(body.replace(/^\./, ""), "base64").toString("base64url");
    return sound(`${body.startsWith(".") ? "." : ""}${bytes}:${time}:${signature}`);
  },
  "reads numbers, not their digits": (text) => {
    const [body, time = "", signature] = text.split(":");
    return sound(`${body}:${time.replace(/^0+(?=.)/, "")}:${signature}`);
  },
  "undoes percent signs": (text) => {
    try {
      return sound(decodeURIComponent(text));
    } catch {
      return false;
    }
  },
  "normalizes Unicode": (text) => sound(text.normalize("NFKC")),
  "looks only at the lower byte of characters": (text) => sound(Buffer.from(text, "latin1").toString("latin1")),
  "ends at a NUL": (text) => sound(text.split("\0")[0]!),
  "takes the first of several": (text) => sound(text.split(/[;,]/)[0]!),
};

/** Decoders that throw. */
const THROWING: Readonly<Record<string, (text: string) => unknown>> = {
  "for a lone surrogate": (text) => encodeURIComponent(text),
  "for a percent sign that begins no escape": (text) => decodeURIComponent(text),
  "for two colons in a row": (text) => text.includes("::") && JSON.parse(""),
  "for an empty text": (text) => text === "" && JSON.parse(""),
  "for a text without a separator": (text) => text.split(":")[1]!.length,
  "for a time that is out of range": (text) =>
    new Date(Number.parseInt(text.split(":")[1] ?? "0", 36) * 1e6).toISOString(),
  "for a text of more than a thousand characters": (text) => text.length > 1000 && JSON.parse(""),
};

const verdict = (accepted: unknown): Verdict => (accepted ? "accepted" : "refused");

describe("the mutants", () => {
  test(`find nothing in a sound decoder: ${RUNS}`, () => {
    const outcome = fuzz({ seed: 1, runs: RUNS, samples, read: (text) => verdict(sound(text)) });
    assert.deepEqual([outcome.mutants >= RUNS, outcome.accepted], [true, 0]);
    for (const sample of samples) assert.ok(sound(sample));
  });

  for (const [fault, accepts] of Object.entries(LENIENT)) {
    test(`find a decoder that ${fault}`, () => {
      for (const sample of samples) assert.ok(accepts(sample), "it does not even read what is valid");
      assert.throws(() => fuzz({ seed: 2, runs: RUNS, samples, read: (text) => verdict(accepts(text)) }), {
        message: /^accepted: mutant \d+ of seed \d+, /,
      });
    });
  }

  for (const [fault, read] of Object.entries(THROWING)) {
    test(`find a decoder that throws ${fault}`, () => {
      const target = { seed: 3, runs: RUNS, samples, read: (text: string) => verdict(read(text) === Symbol()) };
      assert.throws(() => fuzz(target), { message: /Error.*: mutant \d+ of seed \d+, /s });
    });
  }

  test("find a decoder that changes Object.prototype", () => {
    const read = (text: string) => {
      if (text.length > 100) Object.assign(Object.prototype, { polluted: true });
      return "refused" as const;
    };
    try {
      assert.throws(() => fuzz({ seed: 4, runs: RUNS, samples, read }), { message: /Object\.prototype was changed/ });
    } finally {
      delete (Object.prototype as { polluted?: boolean }).polluted;
    }
  });

  test("find a decoder that is slow for one input", () => {
    const read = (text: string) => {
      if (text.startsWith("..")) for (const end = performance.now() + 300; performance.now() < end; );
      return "refused" as const;
    };
    assert.throws(() => fuzz({ seed: 5, runs: RUNS, samples, read }), { message: /^took \d+ ms: mutant / });
  });

  test("are the same for the same seed, and others for another", () => {
    const first = (seed: number) => {
      const next = mutator(samples, seed);
      return Array.from({ length: 1000 }, next);
    };
    assert.deepEqual(first(6), first(6));
    assert.notDeepEqual(first(6), first(7));
  });

  for (const [name, kind] of Object.entries(MUTATIONS)) {
    test(`by this kind alone: ${name}`, () => {
      const next = mutator([...samples, 'a=1; b="2"', '{"a":[1,2]}'], 8, [kind]);
      const mutants = Array.from({ length: 1000 }, next);
      const changed = mutants.filter((text) => !samples.includes(text));
      assert.ok(changed.length > 300, `${changed.length} of 1000 are changed at all`);
      assert.ok(new Set(changed).size > 30, `${new Set(changed).size} different ones`);
    });
  }
});
