import assert from "node:assert/strict";
import { SessionError } from "../core/errors.ts";
import { DATA, dataOf, type EngineCases, loaded, notNeeded } from "./engine-case.ts";
import { atOnce, CROWD } from "./store-case.ts";

/** Cookie values that come only from an attack or from elsewhere. */
const JUNK = [
  "",
  " ",
  "a",
  "null",
  "../../etc/passwd",
  "' OR ''='",
  "key with blanks and so on and on",
  "key;Path=/;Domain=evil.example",
  'key"key"key"key"key"key"key"key"',
  "key\r\nSet-Cookie: a=b key key key",
  "key\0key\0key\0key\0key\0key\0key\0key\0",
  "kéy".repeat(20),
  "\u{1f600}".repeat(20),
  '{"uid":"alice"}'.repeat(8),
  "x".repeat(100_000),
];

/** The contract as far as it is the same wherever sessions are kept. */
export const engineCases: EngineCases = {
  "what is created is loaded, by its token": async ({ engine, saving }) => {
    const { token } = await engine.create({ ...DATA }, saving());
    const session = await loaded(engine, token);
    assert.equal(session.token, token);
    assert.deepEqual(await dataOf(engine, token), DATA);
  },

  "an empty session is a session": async ({ engine, saving }) => {
    const { token } = await engine.create({}, saving());
    assert.deepEqual(await dataOf(engine, token), {});
  },

  "what the engine issued is a token, and junk is none": async ({ engine, saving }) => {
    const created = await engine.create({ ...DATA }, saving());
    const cycled = await engine.cycle(created, { ...DATA }, saving(), notNeeded);
    for (const { token } of [created, cycled]) assert.equal(engine.isToken(token), true);
    for (const junk of JUNK) assert.equal(engine.isToken(junk), false, JSON.stringify(junk));
  },

  "a token needs no quotes in a cookie": async ({ engine, saving }) => {
    const { token } = await engine.create({ text: 'é "quoted"; with, commas' }, saving());
    assert.match(token, /^[\w!#$%&'*+\-.^`|:]+$/);
  },

  "no changed token leads to a session": async ({ engine, saving }) => {
    const { token } = await engine.create({ ...DATA }, saving());
    for (let index = 0; index < token.length; index++) {
      const other = token[index] === "a" ? "b" : "a";
      const changes = [
        token.slice(0, index) + other + token.slice(index + 1),
        token.slice(0, index) + token.slice(index + 1),
        token.slice(0, index) + other + token.slice(index),
        token.slice(0, index),
      ];
      for (const changed of changes) {
        if (changed === token || !engine.isToken(changed)) continue;
        assert.equal(typeof (await engine.load(changed)), "string", `${changed} for ${token}`);
      }
    }
  },

  "parallel creates are as many sessions": async ({ engine, saving }) => {
    const created = await atOnce(CROWD, (n) => engine.create({ n }, saving()));
    assert.equal(new Set(created.map(({ token }) => token)).size, CROWD);
    for (const [n, { token }] of created.entries()) assert.deepEqual(await dataOf(engine, token), { n });
  },

  "update replaces the data, and can be repeated": async ({ engine, saving }) => {
    let stored = await engine.create({ ...DATA }, saving());
    for (let n = 0; n < 3; n++) stored = await engine.update(stored, { n }, saving(), notNeeded);
    assert.deepEqual(await dataOf(engine, stored.token), { n: 2 });
  },

  "what was loaded can be updated, also to what it was": async ({ engine, saving }) => {
    const { token } = await engine.create({ ...DATA }, saving());
    const session = await loaded(engine, token);
    const same = await engine.update(session, session.data, saving(), notNeeded);
    assert.deepEqual(await dataOf(engine, same.token), DATA);
    const changed = await engine.update(same, { ...session.data, uid: "bob" }, saving(), notNeeded);
    assert.deepEqual(await dataOf(engine, changed.token), { ...DATA, uid: "bob" });
  },

  "the data stay the caller's": async ({ engine, saving }) => {
    const data = { list: [1] };
    const created = await engine.create(data, saving());
    data.list.push(2);
    assert.deepEqual(await dataOf(engine, created.token), { list: [1] });
    const session = await loaded(engine, created.token);
    (session.data.list as number[]).push(3);
    assert.deepEqual(await dataOf(engine, created.token), { list: [1] });
    const updated = await engine.update(session, session.data, saving(), notNeeded);
    (session.data.list as number[]).push(4);
    assert.deepEqual(await dataOf(engine, updated.token), { list: [1, 3] });
  },

  "cycle keeps the data, and can be followed by an update": async ({ engine, clock, saving }) => {
    const created = await engine.create({ ...DATA }, saving());
    await clock.advance(1000);
    const cycled = await engine.cycle(created, { ...DATA, admin: true }, saving(), notNeeded);
    assert.notEqual(cycled.token, created.token);
    assert.deepEqual(await dataOf(engine, cycled.token), { ...DATA, admin: true });
    const updated = await engine.update(cycled, { n: 1 }, saving(), notNeeded);
    assert.deepEqual(await dataOf(engine, updated.token), { n: 1 });
  },

  "deleting twice is no fault, and leaves other sessions alone": async ({ engine, saving }) => {
    const [one, other] = await atOnce(2, (n) => engine.create({ n }, saving()));
    await engine.delete(one!.token);
    await engine.delete(one!.token);
    assert.deepEqual(await dataOf(engine, other!.token), { n: 1 });
  },

  "what cannot be stored is refused with its path, and changes nothing": async ({ engine, saving }) => {
    const refused = (error: unknown) => {
      assert.ok(error instanceof SessionError, String(error));
      assert.equal(error.code, "ERR_SESSION_VALUE");
      assert.match(error.message, /cart/);
      return true;
    };
    const wrong = { cart: [() => {}] };
    assert.throws(() => engine.assertValue(wrong.cart, "cart"), refused);
    engine.assertValue(DATA.cart, "cart");
    const stored = await engine.create({ ...DATA }, saving());
    await assert.rejects(engine.create(wrong, saving()), refused);
    await assert.rejects(engine.update(stored, wrong, saving(), notNeeded), refused);
    await assert.rejects(engine.cycle(stored, wrong, saving(), notNeeded), refused);
    assert.deepEqual(await dataOf(engine, stored.token), DATA);
  },

  "too much is refused with ERR_SESSION_TOO_LARGE, and changes nothing": async ({ engine, saving }) => {
    const large = { text: "x".repeat(16 * 1024 * 1024) };
    const stored = await engine.create({ ...DATA }, saving());
    await assert.rejects(engine.create(large, saving()), { code: "ERR_SESSION_TOO_LARGE" });
    await assert.rejects(engine.update(stored, large, saving(), notNeeded), { code: "ERR_SESSION_TOO_LARGE" });
    assert.deepEqual(await dataOf(engine, stored.token), DATA);
  },

  "clean-up leaves live sessions alone": async ({ engine, saving }) => {
    const { token } = await engine.create({ ...DATA }, saving());
    assert.equal(await engine.deleteExpired(), 0);
    assert.deepEqual(await dataOf(engine, token), DATA);
  },
};
