import { isDeepStrictEqual } from "node:util";
import type { SessionData } from "../../src/core/contracts.ts";

/*
 * What sessions are, as plain objects: written from the documentation, sharing no code with src. Each command changes
 * the model at once and says what the library must answer.
 */

export type Id = number;
export type Outcome = "done" | "ERR_SESSION_INTERRUPTED" | "ERR_CONFIG";

/** What an application has chosen. */
export interface Terms {
  readonly onInterrupted: "error" | "drop" | "new";
  readonly onConflict: keyof typeof RESOLVERS;
  readonly saveEveryRequest: boolean;
  readonly cookieAge: number;
}

interface Sides {
  readonly base: unknown;
  readonly mine: unknown;
  readonly theirs: unknown;
}

/** What becomes of a path that two requests changed differently. `null`: the later one, mine. */
export const RESOLVERS = {
  none: null,
  theirs: ({ theirs }: Sides) => theirs,
  // Both sides' difference, where there is one.
  sum: ({ base, mine, theirs }: Sides) => {
    const all = [base, mine, theirs];
    return all.every(Number.isInteger) ? Number(mine) + Number(theirs) - Number(base) : mine;
  },
};

/** A request that has asked for its session. */
export interface Handle {
  /** What its cookie said. */
  readonly presented: Id | null;
  id: Id | null;
  data: SessionData;
  /** As it was when the store was last asked. */
  base: SessionData;
  /** Whether a verb changed it since then; what is changed in place shows by itself. */
  touched: boolean;
  /** Whether a verb ever changed it, stored or not. */
  modified: boolean;
  wrote: boolean;
  /** Its session was gone, and all that it does is lost. */
  dropped: boolean;
}

interface Stored {
  data: SessionData;
  endsAt: number;
}

export interface Model {
  readonly terms: Terms;
  /** Whether sessions are at the server; else each cookie is a session of its own, for good. */
  readonly kept: boolean;
  /** Milliseconds. */
  now: number;
  readonly records: Map<Id, Stored>;
  /** Where a session went, for as long as a request can last that knows its old key only. */
  readonly moves: Map<Id, { to: Id[]; endsAt: number }>;
  readonly handles: (Handle | null)[];
  jar: Id | null;
  /** Paths that two requests changed differently, since somebody looked. */
  conflicts: string[][];
  ids: number;
}

const MOVES_REMEMBERED_MS = 300_000;
const MAX_MOVES = 10;

export function newModel(terms: Terms, kept: boolean, now: Date, handles: number): Model {
  return {
    ...{ terms, kept, now: now.getTime(), records: new Map(), moves: new Map() },
    ...{ handles: Array(handles).fill(null), jar: null, conflicts: [], ids: 0 },
  };
}

export function find(model: Model, id: Id | null): Stored | null {
  const record = id === null ? undefined : model.records.get(id);
  return record && record.endsAt > model.now ? record : null;
}

export function begin(model: Model, id: Id | null): Handle {
  const record = find(model, id);
  const data = structuredClone(record?.data ?? {});
  return {
    ...{ presented: id, id: record ? id : null, data, base: structuredClone(data) },
    ...{ touched: false, modified: false, wrote: false, dropped: false },
  };
}

export function isUnsaved({ touched, data, base }: Handle): boolean {
  return touched || !isDeepStrictEqual(data, base);
}

/** Stores the session, and as another one if it `moves`. */
export function write(model: Model, handle: Handle, moves: boolean): Outcome {
  if (handle.dropped) return "done";
  const isOnlyMine = handle.id === null || !model.kept;
  const record = isOnlyMine ? null : find(model, handle.id);
  if (!isOnlyMine && !record) return writeGone(model, handle, moves);
  if (record) handle.data = merged(model, handle.base, handle.data, record.data) as SessionData;
  const old = handle.id;
  if (isOnlyMine || moves) handle.id = model.ids++;
  if (old !== null && model.kept && moves) {
    model.records.delete(old);
    move(model, old, handle.id!);
  }
  return store(model, handle);
}

/** The session was ended, or has expired, while the request ran. */
function writeGone(model: Model, handle: Handle, moves: boolean): Outcome {
  const { onInterrupted } = model.terms;
  // Towards a key that nobody will ever see; it is remembered for longer all the same.
  if (moves) move(model, handle.id!, -1);
  handle.touched = true;
  if (onInterrupted === "error") return "ERR_SESSION_INTERRUPTED";
  const own = changes(handle.base, handle.data);
  if (onInterrupted === "new" && Object.keys(own).length > 0) {
    Object.assign(handle, { id: model.ids++, data: own });
    return store(model, handle);
  }
  Object.assign(handle, { id: null, data: {}, base: {}, touched: false, dropped: true });
  return "done";
}

function store(model: Model, handle: Handle): Outcome {
  const record = { data: structuredClone(handle.data), endsAt: endOf(model, handle.data) };
  model.records.set(handle.id!, record);
  Object.assign(handle, { base: structuredClone(handle.data), touched: false, wrote: true });
  return "done";
}

function move(model: Model, from: Id, to: Id): void {
  const known = model.moves.get(from);
  const earlier = known && known.endsAt > model.now ? known.to : [];
  model.moves.set(from, { to: [...earlier, to], endsAt: model.now + MOVES_REMEMBERED_MS });
}

/** A logout by somebody who knows this key, be it an old one. */
export function end(model: Model, id: Id, depth = 0): void {
  if (!model.kept) return;
  if (find(model, id)) {
    model.records.delete(id);
    return;
  }
  const known = model.moves.get(id);
  if (known && known.endsAt > model.now && depth < MAX_MOVES) for (const to of known.to) end(model, to, depth + 1);
}

export function flush(model: Model, handle: Handle): Outcome {
  const id = handle.id ?? handle.presented;
  if (id !== null) end(model, id);
  // Also after a change that was dropped: what follows, a log-in perhaps, begins a new session.
  Object.assign(handle, { id: null, data: {}, base: {}, touched: true, modified: true, dropped: false });
  return "done";
}

/** Runs `body` on the newest data, or not at all. */
export function transact(model: Model, handle: Handle, body: (data: SessionData) => void): Outcome {
  if (isUnsaved(handle)) {
    const outcome = write(model, handle, false);
    if (outcome !== "done") return outcome;
  }
  const isOnlyMine = handle.id === null || !model.kept;
  const record = isOnlyMine ? null : find(model, handle.id);
  if (!isOnlyMine && !record) return "ERR_SESSION_INTERRUPTED";
  if (record) Object.assign(handle, { data: structuredClone(record.data), base: structuredClone(record.data) });
  body(handle.data);
  handle.touched = true;
  return write(model, handle, false);
}

/** What the response says of the cookie: nothing, that it is deleted, or its new value. */
export type Emitted = "nothing" | "deletion" | { readonly id: Id };

/** @param isPresented whether this is what the request's cookie said, letter for letter */
export function commit(
  model: Model,
  handle: Handle,
  status: number,
  isPresented: (id: Id) => boolean,
): { outcome: Outcome; emitted: Emitted } {
  const isEmpty = () => handle.id === null && Object.keys(handle.data).length === 0;
  const isDue = isUnsaved(handle) || (model.terms.saveEveryRequest && !handle.wrote);
  const outcome = status < 500 && !isEmpty() && isDue ? write(model, handle, false) : "done";
  let emitted: Emitted = "nothing";
  if (outcome !== "done") return { outcome, emitted };
  if (handle.id === null) {
    // An error page may not have been about this session at all.
    const isKnown = status < 500 || handle.modified;
    if (handle.presented !== null && isEmpty() && !handle.dropped && isKnown) emitted = "deletion";
  } else if (handle.wrote && (status < 500 || !isPresented(handle.id))) {
    emitted = { id: handle.id };
  }
  if (emitted !== "nothing") model.jar = emitted === "deletion" ? null : emitted.id;
  return { outcome, emitted };
}

/** Whether the session, saved now, would be gone at once. */
export function isOver(model: Model, { data }: Handle): boolean {
  return endOf(model, data) <= model.now;
}

function endOf({ now, terms }: Model, data: SessionData): number {
  const expiry = data._session_expiry;
  return typeof expiry === "string" ? Date.parse(expiry) : now + (Number(expiry ?? 0) || terms.cookieAge) * 1000;
}

/** Three-way merge by path; absent is `undefined`, which no session holds. */
function merged(model: Model, base: unknown, mine: unknown, theirs: unknown, path: readonly string[] = []): unknown {
  if (isDeepStrictEqual(mine, base)) return theirs;
  if (isDeepStrictEqual(theirs, base) || isDeepStrictEqual(mine, theirs)) return mine;
  if (!isDict(mine) || !isDict(theirs)) {
    model.conflicts.push([...path]);
    const resolve = RESOLVERS[model.terms.onConflict];
    return resolve ? resolve({ base, mine, theirs }) : mine;
  }
  const from = isDict(base) ? base : {};
  const keys = [...new Set([...Object.keys(mine), ...Object.keys(theirs)])];
  const values = keys.map((key) => [key, merged(model, from[key], mine[key], theirs[key], [...path, key])] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

/** What `mine` has and `base` had not. */
function changes(base: SessionData, mine: SessionData): SessionData {
  const changed = Object.entries(mine).filter(([key, value]) => !isDeepStrictEqual(base[key], value));
  return Object.fromEntries(
    changed.map(([key, value]) => {
      const before = base[key];
      return [key, isDict(before) && isDict(value) ? changes(before, value) : value];
    }),
  );
}

function isDict(value: unknown): value is SessionData {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
