import { describe, test } from "node:test";
import {
  blindWriter,
  creator,
  forgetting,
  inTurn,
  logout,
  play,
  reader,
  type Scene,
  second,
  unluckyReader,
  writer,
  writerOver,
} from "./cached-plays.ts";

const SCENES: Record<string, Scene> = {
  "two cold reads and a logout": { from: "cold", programs: { r: reader, q: reader, out: logout } },
  "two cold reads and a write": { from: "cold", programs: { r: reader, q: reader, a: writer } },
  "two writes and a read": { from: "warm", programs: { a: writer, b: writer, r: reader } },
  "two writes and a logout": { from: "warm", programs: { a: writer, b: writer, out: logout } },
  "two writes, a cold read and a logout": {
    from: "cold",
    programs: { a: writerOver("1"), b: writerOver("2a"), r: reader, out: logout },
  },
  "two writes, a warm read and a logout": {
    from: "warm",
    programs: { a: writerOver("1"), b: writerOver("2a"), r: reader, out: logout },
  },
  "two writes of which one is refused, a cold read and a logout": {
    from: "cold",
    programs: { a: writerOver("1"), b: writerOver("1"), r: reader, out: logout },
  },
  "a write that expects nothing, a write after it, and two reads": {
    from: "warm",
    programs: { a: blindWriter, b: writerOver("50a"), r: reader, q: reader },
  },
  "two writes that expect nothing, and two reads": {
    from: "cold",
    programs: { a: blindWriter, b: blindWriter, r: reader, q: reader },
  },
  "a login, a read and a write that guesses": {
    from: "nothing",
    programs: { c: creator, r: reader, a: writerOver("90c") },
  },
  "a login, a read and a logout that guesses": { from: "nothing", programs: { c: creator, r: reader, out: logout } },
  "a logout, a new session under its key, and a read": {
    from: "warm",
    programs: { out: inTurn(logout, creator), r: reader, q: reader },
  },
  "a cache that forgets twice, a read and a logout": {
    from: "cold",
    programs: { f: inTurn(forgetting, forgetting), r: reader, q: reader, out: logout },
  },
  "a cache that forgets, two writes and a read": {
    from: "warm",
    programs: { f: forgetting, a: writerOver("1"), b: writerOver("2a"), r: reader },
  },
  "a fill that arrives at any time, a write and a logout": {
    from: "cold",
    programs: { r: reader, f: forgetting, a: writer, out: logout },
    late: "update",
  },
  "a lease that arrives at any time, a read and a logout": {
    from: "cold",
    programs: { r: reader, q: reader, out: logout },
    late: "create",
  },
  "a login whose fill arrives at any time, a write and a logout": {
    from: "nothing",
    programs: { c: creator, a: writerOver("90c"), out: logout },
    late: "update",
  },
};

/** What the first process could not remove, the others may read until it could; itself never. */
const OUTAGES: Record<string, Scene> = {
  "an entry's update that arrives at any time": {
    from: "warm",
    programs: { a: inTurn(writerOver("1"), reader), r: unluckyReader, time: second },
    late: "update",
  },
  "an entry's update that arrives at any time, and a logout": {
    from: "warm",
    programs: { a: inTurn(writerOver("1"), reader), out: logout, r: unluckyReader },
    late: "update",
  },
  "a logout's removal that arrives at any time": {
    from: "cold",
    programs: { out: inTurn(logout, reader), r: unluckyReader, q: unluckyReader, time: second },
    late: "delete",
  },
  "a refused write's removal that arrives at any time": {
    from: "warm",
    programs: { a: inTurn(writerOver("0"), reader, writer), b: writerOver("1"), time: second },
    late: "delete",
  },
};

describe("in every order of the steps, a fresh process reads what was acknowledged, or what is later:", () => {
  for (const [name, scene] of Object.entries(SCENES)) {
    test(name, (t) => {
      t.mock.timers.enable({ apis: ["setTimeout"] });
      return play(scene, "always", () => {});
    });
  }
});

describe("in every order of the steps, a fresh process reads so after a second, and the failing one always:", () => {
  for (const [name, scene] of Object.entries(OUTAGES)) {
    test(name, (t) => {
      t.mock.timers.enable({ apis: ["setTimeout"] });
      return play(scene, "in the end", () => t.mock.timers.tick(1000));
    });
  }
});
