import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestSession } from "../../src/core/request-session.ts";
import type { Session } from "../../src/core/session.ts";
import type { SessionAnswer, Step } from "../support/django/peer.ts";
import { forAll } from "./for-all.ts";
import type { Pair, Project } from "./pair.ts";
import { dict, type Entry } from "./python-values.ts";
import {
  changed,
  changes,
  type Expiry,
  NEST,
  original,
  REPLACED,
  type SessionCase,
  sessionCase,
  targets,
  textEntry,
} from "./session-case.ts";

/*
 * A session goes from one side to the other and back, over generated data: made by one, read and changed by the other,
 * read by the first. What was not touched must be the same to Python: types, digits, order.
 */

type Data = Record<string, unknown>;

/** @param cases how many, in each direction */
export function roundTrips(pair: () => Pair, { version, format, settings }: Project, cases = 500): void {
  const useTz = settings.USE_TZ ?? true;
  const engine = settings.SESSION_ENGINE ?? "";
  const isCookie = engine.endsWith(".signed_cookies");
  const look: Step[] = [
    ["items"],
    [format === "json" ? "plain" : "shape"],
    ["expiryAge"],
    ["expiresAtBrowserClose"],
    ["expiryDate"],
  ];
  // django-redis-sessions hands Redis what Redis refuses: fractions of a second, and negative ages.
  const isRedisSessions = engine.startsWith("redis_sessions");
  // From JSON, Django before 4.1 cannot read an instant (#29708).
  const seconds = isRedisSessions ? "whole seconds" : "seconds";
  const expiries = version === "3.2" && format === "json" ? seconds : "all";
  const of = { format, size: isCookie ? "small" : "large", expiries } as const;
  // For Django no cookie ends before its time (#19201).
  const nodeEnds = isCookie ? (["cycle", "flush"] as const) : (["cycle", "flush", "expire"] as const);
  const djangoEnds = isRedisSessions ? (["cycle", "flush"] as const) : nodeEnds;

  test(`Django writes, Node reads and changes, Django reads: ${cases} sessions`, () =>
    forAll(sessionCase({ ...of, made: "any", added: "writable", ends: nodeEnds }), cases, djangoFirst));
  test(`Node writes, Django reads and changes, Node reads: ${cases} sessions`, () =>
    forAll(sessionCase({ ...of, made: "writable", added: "any", ends: djangoEnds }), cases, nodeFirst));

  async function djangoFirst(batch: readonly SessionCase[]): Promise<void> {
    const { django, sessions } = pair();
    const created = await django.batch(
      batch.map((one) => ({
        key: null,
        steps: [["update", python(original(one))], ...djangoExpiry(one.expiry, useTz), ["save"], ...look],
      })),
    );
    const additions = await imagine(
      batch.map(({ additions, nest }) => [...additions, ...(nest ? [textEntry(NEST, nest.addition)] : [])]),
    );
    const keys: (string | null)[] = [];
    for (const [at, one] of batch.entries()) {
      const before = looked(created[at]!);
      const { key } = created[at]!;
      const request = sessions.open(`sessionid=${key}`);
      const session = await request.session();
      assert.equal(session.key, key);
      assert.equal(text(session.toJSON()), text(before.seen));
      assertExpiry(one.expiry, expiryInNode(session));
      const { removed, replaced } = targets(one);
      if (removed !== undefined) session.delete(removed);
      if (replaced !== undefined) session.set(replaced, REPLACED);
      const { [NEST]: item, ...values } = additions[at]!.shape;
      session.update(values);
      if (one.nest) {
        const nest = session.data[NEST] as { items: unknown[]; added?: unknown };
        nest.added = item;
        nest.items.push(item);
      }
      setExpiryInNode(session, one.newExpiry);
      keys.push(await finishInNode(one.end, session, request));
    }
    const read = await django.batch(keys.map((key) => ({ key, steps: look })));
    const former = await django.batch(created.map(({ key }) => ({ key, steps: [["items"]] })));
    const wanted = await imagine(batch.map(changed));
    for (const [at, one] of batch.entries()) {
      const [before, after] = [looked(created[at]!), looked(read[at]!)];
      assertMoved(one, created[at]!.key, keys[at]!);
      if (keys[at] !== created[at]!.key && !isCookie) assert.deepEqual(values(former[at]!), [[]]);
      if (isEnded(one)) {
        assert.deepEqual(after.items, []);
      } else {
        assertItems(after.items, wanted[at]!.items, before.items);
        assertUntouchedExpiry(one, before.items, after.items);
        assertExpiry(expiryAfter(one), after);
      }
    }
  }

  async function nodeFirst(batch: readonly SessionCase[]): Promise<void> {
    const { django, sessions } = pair();
    const written = await imagine(batch.map(original));
    const keys: (string | null)[] = [];
    for (const [at, { expiry }] of batch.entries()) {
      const request = sessions.open(undefined);
      const session = await request.session();
      session.update(written[at]!.shape);
      setExpiryInNode(session, expiry);
      // With nothing in it there is nothing to save.
      keys.push(await finishInNode(session.isEmpty ? "cycle" : "save", session, request));
    }
    const turned = await django.batch(
      batch.map((one, at) => {
        const { removed } = targets(one);
        const steps: Step[] = [...look];
        if (removed !== undefined) steps.push(["delete", removed]);
        steps.push(["update", python(changes(one))], ...djangoExpiry(one.newExpiry, useTz), ...ENDS[one.end], ...look);
        return { key: keys[at]!, steps };
      }),
    );
    for (const [at, one] of batch.entries()) {
      const [before, after] = [looked(turned[at]!, 0), looked(turned[at]!, -look.length)];
      assertItems(before.items, written[at]!.items, []);
      assertExpiry(one.expiry, before);
      const { key } = turned[at]!;
      assertMoved(one, keys[at]!, key);
      if (key !== keys[at] && !isCookie) assert.equal(await sessions.exists(keys[at]!), false);
      const session = await sessions.open(`sessionid=${key ?? ""}`).session();
      if (isEnded(one)) {
        assert.equal(session.key, null);
      } else {
        assert.equal(session.key, key);
        assert.equal(text(session.toJSON()), text(after.seen));
        assertExpiry(expiryAfter(one), expiryInNode(session));
      }
    }
  }

  /** What Python makes of these entries, without a session: its texts, and how Node is to say them. */
  async function imagine(all: readonly (readonly Entry[])[]): Promise<{ items: Items; shape: Data }[]> {
    const steps: Step[] = [["items"], [format === "json" ? "plain" : "written"]];
    const answers = await pair().django.batch(
      all.map((entries) => ({ key: null, steps: [["update", python(entries)], ...steps] })),
    );
    return answers.map((answer) => {
      const [, items, shape] = values(answer) as [unknown, Items, Data];
      return { items, shape };
    });
  }

  function assertMoved({ end }: SessionCase, from: string | null, to: string | null): void {
    if (end === "flush") assert.ok(!to);
    else if (end === "cycle") assert.ok(isCookie || (to && to !== from));
    else if (!isCookie) assert.equal(to, from);
  }
}

/** Python's texts of keys and values. */
type Items = readonly (readonly [key: string, value: string])[];

interface ExpiryFacts {
  readonly age: unknown;
  readonly endsWithBrowser: unknown;
  readonly date: unknown;
}

interface Look extends ExpiryFacts {
  readonly items: Items;
  /** The data as Node is to read them. */
  readonly seen: unknown;
}

function values({ results }: SessionAnswer): unknown[] {
  return results.map(({ value, error }) => {
    assert.equal(error, undefined);
    return value;
  });
}

/** @param from where in the answer the five steps begin; at its end by default */
function looked(answer: SessionAnswer, from = -5): Look {
  const [items, seen, age, endsWithBrowser, date] = values(answer).slice(from);
  return { items: items as Items, seen, age, endsWithBrowser, date };
}

const EXPIRY_KEY = "'_session_expiry'";

/** The same entries, and those that had been there before in the same order. */
function assertItems(actual: Items, wanted: Items, before: Items): void {
  const own = actual.filter(([key]) => key !== EXPIRY_KEY);
  assert.deepEqual(own.toSorted(byKey), wanted.toSorted(byKey));
  const old = new Set(before.map(([key]) => key));
  const order = (items: Items) => items.map(([key]) => key).filter((key) => old.has(key));
  assert.deepEqual(order(own), order(wanted));
}

function byKey([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1;
}

function isEnded({ end }: SessionCase): boolean {
  return end === "flush" || end === "expire";
}

function assertUntouchedExpiry({ newExpiry }: SessionCase, before: Items, after: Items): void {
  const [was, is] = [before, after].map((items) => items.find(([key]) => key === EXPIRY_KEY));
  if (newExpiry === "unset") assert.deepEqual(is, was);
}

function expiryAfter({ expiry, newExpiry }: SessionCase): Expiry {
  return newExpiry === "unset" ? expiry : newExpiry;
}

function assertExpiry(expiry: Expiry, { age, endsWithBrowser, date }: ExpiryFacts): void {
  assert.equal(endsWithBrowser, expiry === "browser");
  if (typeof expiry === "number") assert.equal(age, expiry);
  else if (/^\d/.test(expiry)) assert.equal(date, Date.parse(expiry));
  else assert.equal(age, 1_209_600);
}

function expiryInNode(session: Session): ExpiryFacts {
  return {
    age: session.expiryAge(),
    endsWithBrowser: session.expiresAtBrowserClose(),
    date: session.expiryDate().getTime(),
  };
}

function setExpiryInNode(session: Session, expiry: Expiry): void {
  if (typeof expiry === "number") session.setExpiry(expiry);
  else if (expiry === "browser") session.setExpiry(0);
  else if (expiry === "policy") session.setExpiry(null);
  else if (expiry !== "unset") session.setExpiry(new Date(expiry));
}

function djangoExpiry(expiry: Expiry, useTz: boolean): Step[] {
  if (expiry === "unset") return [];
  if (typeof expiry === "number") return [["setExpiry", expiry]];
  if (expiry === "browser") return [["setExpiry", 0]];
  if (expiry === "policy") return [["setExpiry", null]];
  return [["setExpiry", { $datetime: useTz ? expiry : expiry.slice(0, -6) }]];
}

const ENDS: Record<SessionCase["end"], readonly Step[]> = {
  save: [["save"]],
  cycle: [["cycleKey"], ["save"]],
  flush: [["flush"]],
  expire: [["setExpiry", -1], ["save"]],
};

/** @returns the browser's cookie afterwards */
async function finishInNode(
  end: SessionCase["end"],
  session: Session,
  request: RequestSession,
): Promise<string | null> {
  if (end === "cycle") await session.cycleKey();
  if (end === "flush") await session.flush();
  if (end === "expire") session.setExpiry(-1);
  const former = session.key;
  const { setCookie } = await request.commit(200);
  if (setCookie.length === 0) return former;
  const [, key] = /^sessionid=([^;]*)/.exec(setCookie[0]!)!;
  return key === '""' ? null : key!;
}

function python(entries: readonly Entry[]): unknown {
  return { $python: dict(entries) };
}

/** Of a value: what makes it one for JavaScript. The elements of a set have no order. */
function text(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (Array.isArray(value)) return `[${value.map(text)}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, item]) => {
    const isSet = (key === "$set" || key === "$frozenset") && Array.isArray(item);
    return `${JSON.stringify(key)}:${isSet ? `{${item.map(text).sort()}}` : text(item)}`;
  });
  return `{${entries}}`;
}
