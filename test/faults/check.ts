import type { FaultEffect } from "./fault.ts";
import { type Exchange, needsStore, type Span } from "./history.ts";

/** What a history tells. Each figure counts what the promises forbid, but for those that say otherwise. */
export interface Figures {
  /** Not forbidden: how much there was. */
  readonly requests: number;
  readonly answered2xx: number;
  readonly answered503: number;
  /** "Log in first" and "interrupted". */
  readonly answered4xx: number;
  readonly acknowledged: number;
  /** Writes of which nobody was told whether they took place, and how many did. */
  readonly unknown: number;
  readonly unknownApplied: number;
  readonly forgedTried: number;
  readonly deadTried: number;

  /** Acknowledged writes that a later reader did not find. */
  readonly lost: number;
  /** Answers about another session than the cookie's. */
  readonly wrongUser: number;
  /** Answers that were older than what had been acknowledged; a later reader was told. */
  readonly stale: number;
  /** Cookies that worked although their session had ended, by a logout or under this key. */
  readonly resurrected: number;
  readonly forgedAccepted: number;
  readonly doubleApplied: number;
  /** Writes that were answered "interrupted" or "log in first" and took place. */
  readonly misreported: number;
  /** Good cookies that an answer deleted or replaced. */
  readonly cookiesDropped: number;
  /** Sessions that nobody ended, and that are gone. */
  readonly loggedOut: number;
  /** Sessions that one request did not find, and a later one did. */
  readonly overlooked: number;
  readonly setCookieOn503: number;
  readonly withoutRetryAfter: number;
  /** Pages that do without the session, and were disturbed. */
  readonly untouchedFailed: number;
  /** 503 where the fault allows none. */
  readonly refused: number;
  /** No answer, or one that no page gives. */
  readonly unexpected: number;

  /** Milliseconds. */
  readonly slowest: number;
  /** Of pages that do without the session: how slow the machine was. */
  readonly slowestUntouched: number;
  readonly p99: number;
  /** Until the last request had failed that began after the fault's end. */
  readonly recovery: number;

  /** What the server itself lost, by its own durability. */
  /** Stale answers of a cache that failed, while it did and until it could be cleaned (decision 0010). Not forbidden. */
  readonly behind: number;
  readonly own: { readonly lost: number; readonly loggedOut: number; readonly resurrected: number };
}

interface Cookie {
  readonly issued: Exchange;
  readonly life: number;
  readonly exchanges: Exchange[];
}

/**
 * @param history complete, with an audit at its end: every cookie was tried once more when all was quiet
 * @param lag milliseconds after the fault in which a reader may still be told what is old; none without a cache
 */
export function check(history: readonly Exchange[], effect: FaultEffect, span: Span, lag = 0): Figures {
  const cookies = issuedCookies(history);
  const writes = history.filter(({ operation }) => operation === "write" || operation === "increment");
  const byMark = new Map(writes.map((write) => [write.mark, write]));
  const lifeOf = ({ cookie }: Exchange) => (cookie === null ? undefined : cookies.get(cookie)?.life);
  const groups = lives(history, lifeOf);
  const during = ({ start, end }: Exchange) => end >= span.begin && start <= span.end;

  const lost = new Set<Exchange>();
  const doubled = new Set<number>();
  const misreported = new Set<number>();
  const unknownApplied = new Set<number>();
  const loggedOut = new Set<number>();
  const resurrectedCookies = new Set<number>();
  let [wrongUser, forgedAccepted, cookiesDropped, overlooked, stale, behind] = [0, 0, 0, 0, 0, 0];
  /** Whether a cache may not have been told yet of what was acknowledged then: only during its faults, and shortly after. */
  const mayBeOld = ({ start }: Exchange, acknowledged: number) =>
    start - acknowledged < lag || (lag > 0 && acknowledged > span.begin - lag && start < span.end + lag);

  for (const exchange of history) {
    const { operation, cookie: number, seen, status, setCookie } = exchange;
    if (operation === "forged") {
      if (status === 200) forgedAccepted++;
      continue;
    }
    const cookie = number === null ? undefined : cookies.get(number);
    if (cookie === undefined || number === null) continue;
    const life = groups.get(cookie.life)!;
    const isGood = ![...life.logouts, ...cookie.exchanges.filter(({ operation }) => operation === "login")].some(
      (ending) => ending !== exchange && ending.start < exchange.end,
    );
    const found = seen !== null && !(operation === "login" && seen.life !== cookie.life);

    if (found) {
      // A login answers with the session's new nonce, and under a new key.
      const nonce = operation === "login" ? exchange.mark : cookie.issued.mark;
      const marks = [...seen.writes, ...seen.increments].map((mark) => byMark.get(mark));
      if (
        seen.user !== cookie.issued.user ||
        seen.nonce !== nonce ||
        seen.life !== cookie.life ||
        !seen.keyIsCookie ||
        marks.some((write) => write === undefined || lifeOf(write) !== cookie.life)
      )
        wrongUser++;
      const ended = endBefore(exchange, cookie, life);
      if (ended !== undefined) {
        const isDead = cookie.exchanges.some(({ start, status }) => start > exchange.end && status === 401);
        if (mayBeOld(exchange, ended) && isDead) behind++;
        else resurrectedCookies.add(number);
      }
      const missed = life.acknowledged.filter((write) => write.end < exchange.start && !marks.includes(write));
      const later = life.readers.filter(({ start }) => start > exchange.start);
      const isThere = missed.every(({ mark }) => later.some((reader) => holds(reader, mark!)));
      const isBehind = missed.length > 0 && mayBeOld(exchange, missed[0]!.end);
      // Where the session ended with this, nobody can tell.
      if (isBehind && (isThere || (later.length === 0 && life.logouts.length > 0))) behind++;
      else if (!isThere) for (const write of missed) lost.add(write);
      else if (missed.length > 0) stale++;
      for (const [place, mark] of seen.increments.entries()) {
        if (seen.increments.indexOf(mark) !== place) doubled.add(mark);
      }
      for (const write of marks) {
        if (write === undefined || write === exchange || write.status === 200) continue;
        (write.status === 503 || write.status === null ? unknownApplied : misreported).add(write.mark!);
      }
    }

    const foundNothing = (status === 401 || status === 400 || (operation === "login" && status === 200)) && !found;
    if (isGood && foundNothing && operation !== "untouched") {
      const later = [...cookie.exchanges, ...life.logouts].filter(({ start }) => start >= exchange.start);
      // What was ended afterwards can no longer show that it was there.
      const mayBeThere = later.some(({ operation, seen }) => operation === "logout" || seen?.life === cookie.life);
      if (!mayBeThere) {
        loggedOut.add(number);
        for (const write of life.acknowledged) if (write.end < exchange.start) lost.add(write);
      } else {
        overlooked++;
      }
    }
    const replaces = setCookie === "deleted" || (setCookie !== null && setCookie !== number && operation !== "login");
    if (isGood && replaces && operation !== "logout") cookiesDropped++;
  }

  const failed = history.filter((exchange) => needsStore(exchange) && hasFailed(exchange));
  const times = history.map(({ start, end }) => end - start).sort((a, b) => a - b);
  const count = (matches: (exchange: Exchange) => boolean) => history.filter(matches).length;
  const unanswered = writes.filter(hasFailed);
  const isOwn = effect === "data-loss";
  const forgivable = { lost: lost.size, loggedOut: loggedOut.size, resurrected: resurrectedCookies.size };
  const none = { lost: 0, loggedOut: 0, resurrected: 0 };

  return {
    requests: history.length,
    answered2xx: count(({ status }) => status === 200),
    answered503: count(({ status }) => status === 503),
    answered4xx: count(({ status }) => status === 400 || status === 401),
    acknowledged: writes.filter(({ status }) => status === 200).length,
    unknown: unanswered.length,
    unknownApplied: unknownApplied.size,
    forgedTried: count(({ operation }) => operation === "forged"),
    deadTried: count((exchange) => {
      const cookie = exchange.cookie === null ? undefined : cookies.get(exchange.cookie);
      return cookie !== undefined && endBefore(exchange, cookie, groups.get(cookie.life)!) !== undefined;
    }),
    ...(isOwn ? none : forgivable),
    own: isOwn ? forgivable : none,
    wrongUser,
    forgedAccepted,
    doubleApplied: doubled.size,
    misreported: misreported.size,
    cookiesDropped: isOwn ? 0 : cookiesDropped,
    overlooked: isOwn ? 0 : overlooked,
    stale: isOwn ? 0 : stale,
    behind,
    setCookieOn503: count(
      ({ status, setCookie, operation, seen }) =>
        setCookie !== null && (status === 503 || (operation === "visit" && status === 200 && seen === null)),
    ),
    withoutRetryAfter: count(({ status, retryAfter }) => status === 503 && !retryAfter),
    untouchedFailed: count(isDisturbed),
    refused: failed.filter(
      (exchange) =>
        exchange.end < span.begin ||
        (during(exchange) && (effect === "served" || (effect === "writes-fail" && exchange.operation === "read"))),
    ).length,
    unexpected: count(({ status }) => ![200, 400, 401, 503].includes(status ?? 0)),
    slowest: times.at(-1) ?? 0,
    slowestUntouched: Math.max(
      0,
      ...history
        .filter(({ operation }) => operation === "untouched" || operation === "stranger")
        .map(({ start, end }) => end - start),
    ),
    p99: times[Math.floor(times.length * 0.99)] ?? 0,
    recovery: Math.max(0, ...failed.filter(({ start }) => start > span.end).map(({ end }) => end - span.end)),
  };
}

function hasFailed({ status }: Exchange): boolean {
  return status === 503 || status === null;
}

/** A cookie is the one login's that brought it first. */
function issuedCookies(history: readonly Exchange[]): Map<number, Cookie> {
  const cookies = new Map<number, Cookie>();
  for (const exchange of history) {
    const { operation, setCookie, seen } = exchange;
    if (operation !== "login" || typeof setCookie !== "number" || seen === null || cookies.has(setCookie)) continue;
    cookies.set(setCookie, { issued: exchange, life: seen.life, exchanges: [] });
  }
  for (const exchange of history) {
    if (exchange.cookie !== null && exchange.operation !== "forged")
      cookies.get(exchange.cookie)?.exchanges.push(exchange);
  }
  return cookies;
}

/** What was done to a session under whichever of its keys. */
interface Life {
  readonly acknowledged: Exchange[];
  readonly logouts: Exchange[];
  /** Who was told what it holds. */
  readonly readers: Exchange[];
}

function holds({ seen }: Exchange, mark: number): boolean {
  return seen !== null && (seen.writes.includes(mark) || seen.increments.includes(mark));
}

function lives(history: readonly Exchange[], lifeOf: (exchange: Exchange) => number | undefined): Map<number, Life> {
  const found = new Map<number, Life>();
  for (const exchange of history) {
    const number = lifeOf(exchange) ?? exchange.seen?.life;
    if (number === undefined) continue;
    if (!found.has(number)) found.set(number, { acknowledged: [], logouts: [], readers: [] });
    const life = found.get(number)!;
    const { operation, status, seen } = exchange;
    if (seen?.life === number) life.readers.push(exchange);
    if (operation === "logout") life.logouts.push(exchange);
    if ((operation === "write" || operation === "increment") && status === 200) life.acknowledged.push(exchange);
  }
  return found;
}

/** When the client was told that this session, or this key of it, is no more, if that was before it asked. */
function endBefore({ start }: Exchange, cookie: Cookie, life: Life): number | undefined {
  const logouts = life.logouts.filter(({ status, seen }) => status === 200 && seen !== null);
  const moves = cookie.exchanges.filter(
    ({ operation, status, seen }) => operation === "login" && status === 200 && seen?.life === cookie.life,
  );
  return [...logouts, ...moves].map(({ end }) => end).find((end) => end < start);
}

/** Whether a page that does without the session was disturbed. */
function isDisturbed({ operation, status, setCookie }: Exchange): boolean {
  if (operation === "stranger") return status !== 401 || setCookie !== null;
  if (operation === "untouched") return status !== 200 || setCookie !== null;
  return operation === "visit" && status !== 200 && status !== 401;
}
