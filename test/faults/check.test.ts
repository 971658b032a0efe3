import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { check, type Figures } from "./check.ts";
import type { FaultEffect } from "./fault.ts";
import type { Exchange, Operation, Seen } from "./history.ts";

/* A checker that finds nothing is worth nothing: each fault is put into a history, and found. */

const SPAN = { begin: 1000, end: 2000 };

/** The user's session after a login that took its nonce for the life's number. */
const SEEN: Seen = { user: 1, nonce: 1, life: 1, keyIsCookie: true, writes: [], increments: [] };

/** One exchange at a time, of 10 ms. */
function at(start: number, operation: Operation, rest: Partial<Exchange> = {}): Exchange {
  const sent = { user: 1, cookie: 0, mark: null, setCookie: null, retryAfter: rest.status === 503 };
  const seen = (rest.status ?? 200) === 200 && operation !== "untouched" ? SEEN : null;
  return { operation, start, end: start + 10, status: 200, seen, ...sent, ...rest };
}

const login = at(100, "login", { cookie: null, mark: 1, setCookie: 0 });
const loginAgain = at(300, "login", { mark: 2, setCookie: 1, seen: { ...SEEN, nonce: 2 } });
const gone = { status: 401, setCookie: "deleted", seen: null } as const;
const write = (start: number, mark: number, rest: Partial<Exchange> = {}) => at(start, "write", { mark, ...rest });
const increment = (start: number, mark: number, rest: Partial<Exchange> = {}) =>
  at(start, "increment", { mark, ...rest });
const read = (start: number, seen: Partial<Seen> = {}, rest: Partial<Exchange> = {}) =>
  at(start, "read", { seen: { ...SEEN, ...seen }, ...rest });

function figures(history: readonly Exchange[], effect: FaultEffect = "unavailable", lag = 0): Figures {
  return check(history, effect, SPAN, lag);
}

/** Finds exactly this. */
function finds(expected: Partial<Figures>, history: readonly Exchange[], effect?: FaultEffect, lag?: number): void {
  const found = figures(history, effect, lag);
  const forbidden = ["lost", "wrongUser", "resurrected", "forgedAccepted", "doubleApplied", "misreported"] as const;
  const others = ["cookiesDropped", "loggedOut", "overlooked", "setCookieOn503", "withoutRetryAfter"] as const;
  const rest = ["untouchedFailed", "refused", "unexpected", "recovery", "stale"] as const;
  const clean = Object.fromEntries([...forbidden, ...others, ...rest].map((name) => [name, 0]));
  const all = Object.fromEntries(Object.keys(clean).map((name) => [name, found[name as "lost"]]));
  const { own, behind = 0, ...wanted } = expected;
  assert.equal(found.behind, behind);
  assert.deepEqual(all, { ...clean, ...wanted });
  assert.deepEqual(found.own, own ?? { lost: 0, loggedOut: 0, resurrected: 0 });
}

describe("The checker of histories", () => {
  test("finds nothing where all is well", () => {
    const writes = [write(110, 10), increment(130, 11, { seen: { ...SEEN, writes: [10], increments: [11] } })];
    const outage = [
      read(1500, {}, { status: 503, seen: null, retryAfter: true }),
      at(1500, "untouched"),
      at(1500, "visit", { seen: null }),
      at(1500, "stranger", { cookie: null, status: 401, seen: null }),
    ];
    const seen = { ...SEEN, writes: [10], increments: [11] };
    const after = [read(2500, seen), at(2600, "logout", { seen }), at(2700, "read", gone)];
    finds({}, [login, ...writes, at(200, "forged", gone), ...outage, ...after]);
  });

  test("counts what there was", () => {
    const unknown = write(1500, 12, { status: 503, seen: null });
    const found = figures([login, write(110, 10), unknown, read(2500, { writes: [10, 12] })]);
    assert.deepEqual([found.requests, found.acknowledged, found.unknown, found.unknownApplied], [4, 1, 1, 1]);
    assert.deepEqual([found.answered2xx, found.answered503, found.answered4xx], [3, 1, 0]);
  });

  test("lost: a reader that asks after the acknowledgement does not find the write", () => {
    finds({ lost: 1 }, [login, write(110, 10), read(200)]);
    finds({ lost: 1 }, [login, increment(110, 10), read(200), read(300)]);
  });

  test("not lost: a reader asked before the acknowledgement, and a write that nobody acknowledged", () => {
    finds({}, [
      login,
      write(110, 10),
      read(115),
      write(1200, 11, { status: 503, seen: null }),
      read(2500, { writes: [10] }),
    ]);
  });

  test("stale: a reader does not find the write, and a later one does; a cache that failed may be behind for a while", () => {
    const history = (start: number) => [login, write(810, 10), read(start), read(9000, { writes: [10] })];
    finds({ stale: 1 }, history(1500));
    finds({ behind: 1 }, history(1500), "served", 1000);
    finds({ behind: 1 }, history(2900), "served", 1000);
    finds({ stale: 1 }, history(3100), "served", 1000);
    finds({ behind: 1 }, history(900), "served", 1000);
    finds({ stale: 1 }, [login, write(2010, 10), read(4000), read(9000, { writes: [10] })], "served", 1000);
    finds({ lost: 1 }, history(1500).slice(0, 3), "served", 1000);
    const loggedOut = [login, at(900, "logout"), read(1500)];
    finds({ behind: 1 }, [...loggedOut, at(9000, "read", gone)], "served", 1000);
    finds({ resurrected: 1 }, loggedOut, "served", 1000);
  });

  test("lost by a login: the session under its new key is without the write", () => {
    finds({ lost: 1 }, [
      login,
      write(110, 10),
      loginAgain,
      at(400, "read", { cookie: 1, seen: { ...SEEN, nonce: 2 } }),
    ]);
  });

  test("logged out and lost: the session is gone, and nobody ended it", () => {
    const history = [login, write(110, 10), at(2500, "read", { status: 401, seen: null })];
    finds({ loggedOut: 1, lost: 1 }, history);
    finds({ own: { lost: 1, loggedOut: 1, resurrected: 0 } }, history, "data-loss");
    finds({ loggedOut: 1 }, [login, at(200, "write", { status: 400, seen: null, mark: 10 })]);
  });

  test("logged out: a login finds no session any more where there was one", () => {
    finds({ loggedOut: 1 }, [login, { ...loginAgain, seen: { ...SEEN, nonce: 2, life: 2 } }]);
  });

  test("not logged out: a logout or a login was under way, answered or not", () => {
    const ended = at(500, "read", { status: 401, seen: null });
    finds({}, [login, at(495, "logout"), ended]);
    finds({}, [login, loginAgain, ended]);
    finds(
      {},
      [login, at(495, "logout", { status: 503, seen: null }), { ...ended, start: 2500, end: 2510 }].map(inFault),
    );
  });

  test("overlooked: a request finds no session, and a later one does", () => {
    const history = [login, at(1500, "read", { status: 401, seen: null }), read(2500)];
    finds({ overlooked: 1 }, history);
    const ended = [...history.slice(0, 2), at(1600, "logout", gone), at(2500, "read", gone)];
    finds({ overlooked: 2 }, ended);
  });

  test("a good cookie dropped: an answer deletes it, or puts another one in its place", () => {
    finds({ cookiesDropped: 1, overlooked: 1 }, [login, at(1500, "read", gone), read(2500)]);
    finds({ cookiesDropped: 1 }, [login, read(1500, {}, { setCookie: 7 })]);
    finds({}, [login, write(1500, 10, { setCookie: 0 })]);
  });

  test("wrong user: another's name, nonce, life, key or writes", () => {
    for (const other of [{ user: 2 }, { nonce: 2 }, { life: 2 }, { keyIsCookie: false }, { writes: [99] }]) {
      finds({ wrongUser: 1 }, [login, read(200, other)]);
    }
    finds({ wrongUser: 1 }, [login, at(200, "login", { mark: 2, setCookie: 1 })]);
  });

  test("resurrected: a session answers after its logout, under whichever key", () => {
    finds({ resurrected: 1 }, [login, at(200, "logout"), read(300)]);
    finds({ resurrected: 1 }, [
      login,
      { ...loginAgain, end: 350 },
      at(310, "logout"),
      at(400, "read", { cookie: 1, seen: { ...SEEN, nonce: 2 } }),
    ]);
    finds({ own: { lost: 0, loggedOut: 0, resurrected: 1 } }, [login, at(200, "logout"), read(300)], "data-loss");
  });

  test("resurrected: a key answers after the session was moved away from it", () => {
    finds({ resurrected: 1 }, [login, loginAgain, read(400)]);
  });

  test("not resurrected: the reader asked before the logout was acknowledged, or it never was", () => {
    finds({}, [login, at(200, "logout"), read(205)]);
    finds({}, [login, at(1200, "logout", { status: 503, seen: null }), read(2500)]);
  });

  test("forged: a changed cookie is somebody's", () => {
    finds({ forgedAccepted: 1 }, [login, at(200, "forged")]);
  });

  test("double-applied: one increment, twice in the list", () => {
    finds({ doubleApplied: 1 }, [login, increment(110, 10), read(200, { increments: [10, 10] })]);
    finds({ doubleApplied: 1 }, [
      login,
      increment(1200, 10, { status: 503, seen: null }),
      read(2500, { increments: [10, 10] }),
    ]);
  });

  test("misreported: a write that was answered with a refusal took place", () => {
    const refused = write(310, 10, { status: 400, seen: null });
    finds({ misreported: 1, overlooked: 1 }, [login, refused, read(400, { writes: [10] })]);
  });

  test("a Set-Cookie on a 503, or on a page that does without its session", () => {
    finds({ setCookieOn503: 1 }, [login, at(1500, "write", { mark: 10, status: 503, seen: null, setCookie: 0 })]);
    finds({ setCookieOn503: 1 }, [login, at(1500, "visit", { seen: null, setCookie: 0 })]);
  });

  test("a 503 without Retry-After", () => {
    finds({ withoutRetryAfter: 1 }, [login, at(1500, "read", { status: 503, seen: null, retryAfter: false })]);
  });

  test("a page that does without the session is disturbed", () => {
    for (const operation of ["untouched", "stranger", "visit"] as const) {
      finds({ untouchedFailed: 1 }, [login, at(1500, operation, { status: 503, seen: null })]);
    }
    finds({ untouchedFailed: 1 }, [at(200, "stranger", { cookie: null, status: 401, seen: null, setCookie: 3 })]);
  });

  test("refused: 503 before the fault, or where it allows none", () => {
    const refusal = (start: number, operation: Operation) =>
      at(start, operation, { status: 503, seen: null, mark: 10 });
    finds({ refused: 1 }, [login, refusal(500, "read")]);
    finds({ refused: 2 }, [login, refusal(1500, "read"), refusal(1600, "write")], "served");
    finds({ refused: 1 }, [login, refusal(1500, "read"), refusal(1600, "write")], "writes-fail");
    finds({}, [login, refusal(1500, "read"), refusal(1600, "write")]);
  });

  test("recovery: until the last failure of a request that began after the fault", () => {
    const late = (start: number) => at(start, "read", { status: 503, seen: null });
    finds({ recovery: 310 }, [login, late(1999), late(2100), late(2300)]);
  });

  test("unexpected: no answer, or one that no page gives", () => {
    finds({ unexpected: 2 }, [
      login,
      at(1500, "read", { status: null, seen: null }),
      at(1600, "read", { status: 500, seen: null }),
    ]);
  });

  test("the slowest answer", () => {
    assert.equal(figures([login, { ...read(200), end: 1800 }]).slowest, 1600);
  });
});

/** Its 503 belongs into the fault. */
function inFault(exchange: Exchange): Exchange {
  return exchange.status === 503 ? { ...exchange, start: 1500, end: 1510 } : exchange;
}
