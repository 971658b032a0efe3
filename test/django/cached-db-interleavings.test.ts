import { describe, test } from "node:test";
import type { Payload, SessionCodec } from "../../src/core/contracts.ts";
import { djangoCacheCodec } from "../../src/django/cache-codec.ts";
import { djangoCacheEntries } from "../../src/django/cache-entries.ts";
import {
  acknowledge,
  assertCurrent,
  creator,
  expiresAt,
  forgetting,
  KEY,
  logout,
  nextState,
  type Program,
  play,
  reader,
  type Scene,
  type Ways,
  type World,
  writer,
  writerOver,
} from "../stores/cached-plays.ts";

/*
 * Django as the third at the table, doing what its cached_db does (3.2 to 6.1 alike): it fills the cache and writes to it
 * without looking. What it writes of one state is the same bytes every time, as pickles of the same dict are.
 */

const pickles = djangoCacheCodec({ serializer: "pickle" });
const pickled = (state: string) => pickles.encode({ state }, new Date(0));

/** Payloads that say nothing but the state. */
const codec: SessionCodec = {
  ...pickles,
  decode: (payload) => ({ data: { state: String(payload) } }),
};
const entries = djangoCacheEntries({ codec, format: { serializer: "pickle" } });

/** What `cache.get` gives: `null` for a miss and for a pickled None. */
function djangoValue(entry: Payload | undefined): string | null {
  const read = entry === undefined ? "leased" : entries.read(KEY, entry);
  if (typeof read === "object") return String(read.payload);
  return read === "foreign" ? String(pickles.decode(entry!)!.data.state) : null;
}

async function djangoLoad(its: Ways): Promise<string | null> {
  const cached = djangoValue((await its.cache.load(KEY))?.payload);
  if (cached !== null) return cached;
  const row = await its.database.load(KEY);
  if (!row) return null;
  await its.set(pickled(String(row.payload)));
  return String(row.payload);
}

/** Its answer may be old: that is its own affair. */
const djangoReader: Program = async (_world, _store, _name, its) => {
  await djangoLoad(its);
};

const djangoWriter: Program = async (world, _store, name, its) => {
  const seen = await djangoLoad(its);
  if (seen === null) return;
  const payload = nextState(seen, name);
  if (!(await its.database.update(KEY, { payload, expiresAt }))) return;
  await its.set(pickled(payload));
  acknowledge(world, payload);
};

const djangoLogout: Program = async (world, _store, _name, { cache, database }) => {
  await database.delete(KEY);
  await cache.delete(KEY);
  acknowledge(world, null);
};

const fromDjango = { cached: pickled("1") };

/** Where Django's own races are not in play. */
async function djangoIsRight(world: World): Promise<void> {
  const cached = djangoValue((await world.cache.load(KEY))?.payload);
  if (cached !== null) assertCurrent(world, world.acknowledged, cached, "afterwards, Django");
}

const SCENES: Record<string, Omit<Scene, "entries">> = {
  "two reads of what Django left, and a logout": {
    from: fromDjango,
    programs: { r: reader, q: reader, out: logout },
    always: djangoIsRight,
  },
  "two reads of what Django left, and a write": {
    from: fromDjango,
    programs: { r: reader, q: reader, a: writer },
    always: djangoIsRight,
  },
  "two reads of what Django left, and Django's logout": {
    from: fromDjango,
    programs: { r: reader, q: reader, out: djangoLogout },
    always: djangoIsRight,
  },
  "two reads of what Django left, and Django's write": {
    from: fromDjango,
    programs: { r: reader, q: reader, d: djangoWriter },
    always: djangoIsRight,
  },
  "a warm read, a write, and Django's logout": {
    from: "warm",
    programs: { r: reader, a: writer, out: djangoLogout },
    always: djangoIsRight,
  },
  "a cold read and a write while Django fills twice": {
    from: "cold",
    programs: { r: reader, a: writerOver("1"), d: djangoReader, e: djangoReader },
  },
  "a cold read and a logout while Django fills twice": {
    from: "cold",
    programs: { r: reader, out: logout, d: djangoReader, e: djangoReader },
  },
  "two reads and a logout while Django fills after the cache forgot": {
    from: fromDjango,
    programs: { r: reader, out: logout, f: forgetting, d: djangoReader },
  },
  "a cold read, Django's logout, and Django's fill": {
    from: "cold",
    programs: { r: reader, q: reader, out: djangoLogout, d: djangoReader },
  },
  "a read, a write and Django's write": { from: "warm", programs: { r: reader, a: writerOver("1"), d: djangoWriter } },
  "a read, a write and Django's write over what Django left": {
    from: fromDjango,
    programs: { r: reader, a: writerOver("1"), d: djangoWriter },
  },
  "two of Django's writes and a read": { from: fromDjango, programs: { r: reader, d: djangoWriter, e: djangoWriter } },
  "a logout, a read and Django's write": { from: "warm", programs: { r: reader, out: logout, d: djangoWriter } },
  "a login, a read and Django's fill": { from: "nothing", programs: { c: creator, r: reader, d: djangoReader } },
  "a login, Django's write and a logout that guesses": {
    from: "nothing",
    programs: { c: creator, d: djangoWriter, out: logout },
  },
  "a lease over what Django left that arrives at any time, Django's fill and a logout": {
    from: fromDjango,
    programs: { r: reader, q: reader, d: djangoReader, out: logout },
    late: "update",
  },
};

describe("beside Django, in every order of the steps, a fresh process reads what was acknowledged, or what is later:", () => {
  for (const [name, scene] of Object.entries(SCENES)) {
    test(name, (t) => {
      t.mock.timers.enable({ apis: ["setTimeout"] });
      return play({ ...scene, entries }, "always", () => {});
    });
  }
});
