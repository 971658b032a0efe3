import assert from "node:assert/strict";
import fc, { type AsyncCommand } from "fast-check";
import type { SessionData } from "../../src/core/contracts.ts";
import { SessionError } from "../../src/core/errors.ts";
import type { Expiry } from "../../src/core/expiry.ts";
import type { RequestSession } from "../../src/core/request-session.ts";
import type { Session } from "../../src/core/session.ts";
import type { Sessions } from "../../src/core/sessions.ts";
import * as model from "./session-model.ts";

/* What requests, the clock and the operator do, each to the model and to the library, which must then agree. */

/** The library, and what a browser and a log would know. */
export interface Real {
  /** As a process has them that has just begun. */
  start(): Sessions<SessionData>;
  advance(now: Date): Promise<void>;
  sessions: Sessions<SessionData>;
  readonly requests: (RealRequest | null)[];
  readonly tokens: Map<model.Id, string>;
  jar: string | null;
  /** Paths that were reported as changed by two requests, since somebody looked. */
  readonly conflicts: string[][];
}

interface RealRequest {
  readonly request: RequestSession<SessionData>;
  readonly session: Session<SessionData>;
}

export type SessionCommand = AsyncCommand<model.Model, Real>;

const HANDLES = 3;
const handle = fc.nat({ max: HANDLES - 1 });
const key = fc.constantFrom("a", "b", "c");
const number = fc.integer({ min: 0, max: 9 });
const value: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: number },
  { weight: 1, arbitrary: fc.constantFrom("", "Zoë", true, null) },
  { weight: 1, arbitrary: fc.array(number, { maxLength: 2 }) },
  { weight: 3, arbitrary: fc.dictionary(fc.constantFrom("x", "y"), number, { maxKeys: 2, noNullPrototype: true }) },
);
const data = fc.dictionary(key, value, { maxKeys: 3, noNullPrototype: true });
/** Seconds; as a `Date`, from the time when it is set; `null`: the global age. */
const expiry = fc.constantFrom<(now: number) => Expiry>(
  () => 60,
  () => 3600,
  () => 0,
  () => null,
  () => -5,
  (now) => new Date(now + 100_000),
  () => ({ minutes: 5 }),
);

/** A verb on the data of one request's session, the same for the model. */
function verb<T>(
  name: string,
  args: fc.Arbitrary<T>,
  onModel: (its: model.Handle, arg: T, now: number) => unknown,
  onSession: (session: Session<SessionData>, arg: T, now: number) => unknown,
): fc.Arbitrary<SessionCommand> {
  return fc.tuple(handle, args).map(([n, arg]) => ({
    check: (m) => m.handles[n] !== null,
    async run(m, real) {
      const { session } = real.requests[n]!;
      // Each its own: the session keeps what it is given.
      const own = () => (typeof arg === "function" ? arg : structuredClone(arg));
      const wanted = onModel(m.handles[n]!, own(), m.now);
      const answer = onSession(session, own(), m.now);
      assert.deepEqual(plain(answer), plain(wanted), `${name} answers`);
      agree(m, real, n);
    },
    toString: () => `${n}.${name}(${typeof arg === "function" ? JSON.stringify(arg(0)) : JSON.stringify(arg)})`,
  }));
}

/** What reaches the store, by one request's session. */
function operation(
  name: string,
  onModel: (m: model.Model, its: model.Handle) => model.Outcome,
  onSession: (session: Session<SessionData>, real: Real) => Promise<unknown>,
  isOpen: (m: model.Model, its: model.Handle) => boolean = () => true,
): fc.Arbitrary<SessionCommand> {
  return handle.map((n) => ({
    check: (m) => m.handles[n] !== null && isOpen(m, m.handles[n]!),
    async run(m, real) {
      const wanted = onModel(m, m.handles[n]!);
      assert.equal(await outcomeOf(onSession(real.requests[n]!.session, real)), wanted, `${n}.${name}()`);
      agree(m, real, n);
    },
    toString: () => `${n}.${name}()`,
  }));
}

/** What is done without a request. */
function act<T>(
  name: string,
  args: fc.Arbitrary<T>,
  run: (m: model.Model, real: Real, arg: T) => Promise<void>,
): fc.Arbitrary<SessionCommand> {
  return args.map((arg) => ({
    check: () => true,
    run: (m, real) => run(m, real, arg),
    toString: () => `${name}(${arg ?? ""})`,
  }));
}

/** Any key that there ever was: the n-th last one. */
const anyKey = fc.nat({ max: 4 });
const nth = (real: Real, n: number): model.Id | null => [...real.tokens.keys()].at(-1 - n) ?? null;
const increment = (its: SessionData) => {
  its.count = Number(its.count ?? 0) + 1;
};
const incrementSession = (session: Session<SessionData>) => session.set("count", Number(session.get("count", 0)) + 1);

/** With what the browser has; or with an old cookie, of another tab or a thief. */
const request: fc.Arbitrary<SessionCommand> = fc.tuple(handle, fc.option(anyKey, { freq: 5 })).map(([n, old]) => ({
  check: () => true,
  async run(m, real) {
    const id = old === null ? m.jar : nth(real, old);
    const holder = {};
    const token = old === null ? real.jar : id === null ? null : real.tokens.get(id)!;
    const request = real.sessions.open(token === null ? null : `sessionid=${token}`, holder);
    m.handles[n] = model.begin(m, id);
    real.requests[n] = { request, session: await request.session() };
    HOLDERS.set(real.requests[n].session, holder);
    agree(m, real, n);
  },
  toString: () => `${n} = request(${old === null ? "" : `old cookie ${old}`})`,
}));

const response: fc.Arbitrary<SessionCommand> = fc
  .tuple(handle, fc.constantFrom(200, 200, 404, 500))
  .map(([n, status]) => ({
    check: (m) => m.handles[n] !== null,
    async run(m, real) {
      const { request, session } = real.requests[n]!;
      const its = m.handles[n]!;
      const presented = its.presented === null ? undefined : real.tokens.get(its.presented);
      const answer = await Promise.resolve(request.commit(status)).catch((error: unknown) => codeOf(error));
      const { outcome, emitted } = model.commit(m, its, status, (id) => known(m, real, id, session) === presented);
      if (typeof answer === "string") {
        assert.equal(answer, outcome, "commit");
      } else {
        assert.equal(outcome, "done", "commit");
        const value = /^sessionid=([^;]*)/.exec(answer.setCookie[0] ?? "")?.[1];
        const wanted = typeof emitted === "object" ? known(m, real, emitted.id, session) : emitted;
        assert.equal(value === undefined ? "nothing" : value === '""' || value === "" ? "deletion" : value, wanted);
        if (value !== undefined) real.jar = emitted === "deletion" ? null : value;
      }
      agree(m, real, n);
      m.handles[n] = null;
      real.requests[n] = null;
    },
    toString: () => `${n}.respond(${status})`,
  }));

export const COMMANDS: fc.Arbitrary<SessionCommand>[] = [
  verb(
    "set",
    fc.tuple(key, value),
    (its, [k, v]) => touch(its, () => (its.data[k] = v)) && null,
    (s, [k, v]) => s.set(k, v) && null,
  ),
  verb("setNested", fc.tuple(key, fc.constantFrom("x", "y"), number), setNested, (s, args) =>
    setNested({ data: s.data }, args),
  ),
  verb(
    "delete",
    key,
    (its, k) => remove(its, k),
    (s, k) => s.delete(k),
  ),
  verb(
    "pop",
    key,
    (its, k) => (remove(its, k, "keep") as { value: unknown }).value,
    (s, k) => s.pop(k),
  ),
  verb(
    "get",
    key,
    (its, k) => its.data[k],
    (s, k) => s.get(k),
  ),
  verb(
    "update",
    data,
    (its, values) => void touch(its, () => Object.assign(its.data, values)),
    (s, values) => s.update(values),
  ),
  verb(
    "clear",
    fc.constant(null),
    (its) => void touch(its, () => (its.data = {})),
    (s) => s.clear(),
  ),
  verb("setExpiry", expiry, setExpiry, (s, when, now) => s.setExpiry(when(now))),
  operation(
    "save",
    (m, its) => model.write(m, its, false),
    (session) => session.save(),
  ),
  operation(
    "cycleKey",
    (m, its) => model.write(m, its, true),
    (session) => session.cycleKey(),
    // Left open: a copy that is over at once is not there any more when it has to take in what others changed.
    (m, its) => !model.isOver(m, its),
  ),
  operation("flush", model.flush, (session) => session.flush()),
  operation(
    "transact",
    (m, its) => model.transact(m, its, increment),
    (session, real) => real.sessions.transact(holderOf(session), incrementSession),
  ),
  // As often as a handful of verbs, so that most of these have a request.
  ...Array(4).fill(request),
  ...Array(2).fill(response),
  act("advance", fc.constantFrom(1, 59, 61, 299, 3601, 1_209_599), async (m, real, seconds) => {
    m.now += seconds * 1000;
    await real.advance(new Date(m.now));
  }),
  act("clearExpired", fc.constant(null), async (_, real) => {
    assert.ok((await real.sessions.clearExpired()) >= 0);
  }),
  act("restart", fc.constant(null), async (m, real) => {
    real.sessions = real.start();
    m.handles.fill(null);
    real.requests.fill(null);
  }),
  act("logOutElsewhere", anyKey, async (m, real, n) => {
    const id = nth(real, n);
    if (id === null) return;
    model.end(m, id);
    assert.equal(await outcomeOf(real.sessions.delete(real.tokens.get(id)!)), m.kept ? "done" : "ERR_CONFIG");
  }),
  act("transactByKey", anyKey, async (m, real, n) => {
    const id = nth(real, n);
    if (id === null) return;
    const answer = await outcomeOf(real.sessions.transact(real.tokens.get(id)!, incrementSession));
    const its = model.begin(m, id);
    if (!m.kept) assert.equal(answer, "ERR_CONFIG");
    else assert.equal(answer, its.id === null ? "ERR_SESSION_INTERRUPTED" : model.transact(m, its, increment));
  }),
  act("exists", anyKey, async (m, real, n) => {
    const id = nth(real, n);
    if (id !== null) assert.equal(await real.sessions.exists(real.tokens.get(id)!), model.find(m, id) !== null);
  }),
];

/** Under which object a request's session is found. */
const HOLDERS = new WeakMap<object, object>();
const holderOf = (session: object): object => HOLDERS.get(session)!;

/** The token of a session; learnt where the model has just made it. */
function known(m: model.Model, real: Real, id: model.Id, session: Session<SessionData>): string {
  if (!real.tokens.has(id)) {
    assert.ok(session.key !== null, "it was stored, and has no key");
    const isNew = ![...real.tokens.values()].includes(session.key);
    assert.ok(isNew || !m.kept, "a new session has an old key");
    real.tokens.set(id, session.key);
  }
  return real.tokens.get(id)!;
}

function agree(m: model.Model, real: Real, n: number): void {
  const its = m.handles[n]!;
  const { session } = real.requests[n]!;
  assert.deepEqual(plain(session.toJSON()), its.data, "the session holds");
  if (its.id === null) assert.equal(session.key, null, "the session has a key");
  else assert.ok(session.key === known(m, real, its.id, session), "the session has another key");
  assert.deepEqual(sorted(real.conflicts.splice(0)), sorted(m.conflicts.splice(0)), "conflicts are reported");
}

/** A browser that comes back, so that requests meet in a session early. */
export async function haveSession(m: model.Model, real: Real): Promise<void> {
  const data = { a: { x: 0, y: 0 }, b: 1 };
  const request = real.sessions.open(null);
  const [its, session] = [model.begin(m, null), await request.session()];
  touch(its, () => Object.assign(its.data, structuredClone(data)));
  session.update(structuredClone(data));
  await request.commit(200);
  model.commit(m, its, 200, () => false);
  real.jar = known(m, real, its.id!, session);
}

/** In the end: each key that there ever was leads to what it should. */
export async function agreeOnAll(m: model.Model, real: Real): Promise<void> {
  for (const [id, token] of real.tokens) {
    const session = await real.sessions.open(`sessionid=${token}`).session();
    assert.deepEqual(
      session.key === null ? null : plain(session.toJSON()),
      model.find(m, id)?.data ?? null,
      `key ${id}`,
    );
  }
}

function touch(its: model.Handle, change: () => unknown): true {
  change();
  its.touched = true;
  its.modified = true;
  return true;
}

function remove(its: model.Handle, k: string, keep?: "keep"): unknown {
  const isThere = Object.hasOwn(its.data, k);
  const value = its.data[k];
  if (isThere) touch(its, () => delete its.data[k]);
  return keep ? { value } : isThere;
}

/** In place, without any verb: saving has to notice. */
function setNested({ data }: { data: SessionData }, [k, inner, v]: [string, string, number]): void {
  const target = data[k];
  if (typeof target === "object" && target !== null && !Array.isArray(target)) (target as SessionData)[inner] = v;
}

function setExpiry(its: model.Handle, when: (now: number) => Expiry, now: number): void {
  const value = when(now);
  if (value === null) remove(its, "_session_expiry");
  else {
    const iso = (ms: number) => new Date(ms).toISOString().replace(".000Z", "+00:00");
    const stored = typeof value === "number" ? value : iso(value instanceof Date ? value.getTime() : now + 300_000);
    touch(its, () => (its.data._session_expiry = stored));
  }
}

async function outcomeOf(operation: Promise<unknown>): Promise<string> {
  return operation.then(() => "done", codeOf);
}

function codeOf(error: unknown): string {
  if (error instanceof SessionError) return error.code;
  throw error;
}

function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

function sorted(paths: string[][]): string[] {
  return paths.map((path) => path.join(".")).sort();
}
