import { newBudget } from "./budget.ts";
import type { LoadedSession, SessionEngine } from "./contracts.ts";
import { deleteCookie, setCookie } from "./cookie.ts";
import { SessionError } from "./errors.ts";
import { report } from "./events.ts";
import { fingerprint } from "./key.ts";
import { loadSession } from "./load-session.ts";
import type { ResponseHeaders } from "./response-headers.ts";
import { Session } from "./session.ts";
import type { SessionSettings } from "./settings.ts";
import { leftoverPieces, presentedTokens, tokenCookies } from "./token-cookies.ts";

/** Cookies of our name that are tried at most. More come only from an attack. */
const MAX_CANDIDATES = 4;

/** Django's shortest key: a shorter cookie is junk, and deleted even where nobody asks for the session. */
const MIN_TOKEN_LENGTH = 8;

/** RFC 6265bis section 5.5: browsers cap a cookie's life at 400 days. */
const MAX_COOKIE_AGE = 400 * 86_400;

const UNTOUCHED: ResponseHeaders = { setCookie: [], varyByCookie: false };
const VARY: ResponseHeaders = { setCookie: [], varyByCookie: true };

/**
 * One request's session, from `Cookie` header to `Set-Cookie` header. Knows no framework: an adapter makes it before the
 * handler and commits it when the response is about to begin.
 */
export class RequestSession<Data extends object = Record<string, unknown>> {
  readonly #engine: SessionEngine;
  readonly #settings: SessionSettings;
  /** The `Cookie` header, or the tokens themselves. */
  readonly #source: string | null | undefined | readonly string[];
  #presented: readonly string[] | undefined;
  /**
   * Whether the handler asked for the session: then the response varies by cookie. Django waits until the data are read;
   * but whether there is a session, and its key, tell something too (CVE-2026-27205).
   */
  #asked = false;
  #promise: Promise<Session<Data>> | undefined;
  #session: Session<Data> | undefined;
  /** Whether a cookie must stay as it is although it led to no session: we do not know that it is dead. */
  #keepCookie = false;
  #committed = false;

  constructor(engine: SessionEngine, settings: SessionSettings, source: string | null | undefined | readonly string[]) {
    this.#engine = engine;
    this.#settings = settings;
    this.#source = source;
  }

  /** The session: loads once, and only if a cookie came that could be ours. */
  session(): Promise<Session<Data>> {
    this.#asked = true;
    return this.#loaded();
  }

  #loaded(): Promise<Session<Data>> {
    this.#promise ??= this.#load();
    return this.#promise;
  }

  /** The session; nobody's and for reading only while the store cannot be asked. */
  async sessionOrAnonymous(): Promise<Session<Data>> {
    try {
      return await this.session();
    } catch (error) {
      if (!(error instanceof SessionError && error.code === "ERR_SESSION_UNAVAILABLE")) throw error;
      return new Session<Data>(this.#engine, this.#settings, null, [], newBudget()).closeUnavailable(error);
    }
  }

  /**
   * Saves what is to be saved, and says which headers the response needs. Call it once, before the first byte of the
   * response. A promise only where the store has to be asked.
   *
   * Throws `ERR_SESSION_INTERRUPTED` if the session was deleted meanwhile, `ERR_SESSION_UNAVAILABLE` if the store
   * failed: the response must then be that error.
   *
   * @param status the response's HTTP status: with 500 and above nothing is saved (Django's rule)
   */
  commit(status: number): ResponseHeaders | Promise<ResponseHeaders> {
    const wanted = this.#promise !== undefined || (this.#settings.saveEveryRequest && this.#tokens().length > 0);
    if (!wanted) {
      this.#committed = true;
      return this.#isJunk() ? this.#deletion() : UNTOUCHED;
    }
    const session = this.#session;
    if (session && !session.busy && !this.#mustSave(session, status)) return this.#headers(session, status);
    return this.#commit(status);
  }

  async #commit(status: number): Promise<ResponseHeaders> {
    let session: Session<Data>;
    try {
      session = await this.#loaded();
    } catch {
      // The handler has seen this error, and answered in spite of it. Of the cookie we know nothing.
      return VARY;
    }
    await session.finish(() => this.#mustSave(session, status));
    return this.#headers(session, status);
  }

  #mustSave(session: Session<Data>, status: number): boolean {
    if (status >= 500 || session.isEmpty) return false;
    return session.unsaved || (this.#settings.saveEveryRequest && !session.saved);
  }

  #headers(session: Session<Data>, status: number): ResponseHeaders {
    this.#committed = true;
    session.close();
    const [cookie] = this.#cookies();
    if (session.key === null) {
      // Of an error page nobody knows what it knew.
      const isDead = session.modified || (status < 500 && !this.#keepCookie);
      const mustDelete = cookie !== undefined && session.isEmpty && !session.dropped && isDead;
      return mustDelete ? this.#deletion() : this.#asked ? VARY : UNTOUCHED;
    }
    // The cookie follows the store, even on an error page: otherwise cycleKey and a 500 would log the user out.
    const moved = session.saved && !this.#cookies().includes(session.key);
    if (!moved && (status >= 500 || !session.saved)) return this.#asked ? VARY : UNTOUCHED;
    const now = this.#settings.now();
    const age = session.expiresAtBrowserClose() ? null : Math.min(session.expiryAge(), MAX_COOKIE_AGE);
    const attributes = this.#attributes();
    const cookies = tokenCookies(this.#settings.cookieName, session.key, this.#engine.maxCookies);
    return {
      setCookie: [
        ...cookies.map(([name, value]) => setCookie(name, value, age, now, attributes)),
        ...this.#leftovers(cookies.length).map((name) => deleteCookie(name, attributes)),
      ],
      varyByCookie: true,
    };
  }

  #deletion(): ResponseHeaders {
    const names = [this.#settings.cookieName, ...this.#leftovers(0)];
    const attributes = this.#attributes();
    return { setCookie: names.map((name) => deleteCookie(name, attributes)), varyByCookie: true };
  }

  /** Cookies that the request brought and that a token of `count` cookies does not overwrite. */
  #leftovers(count: number): readonly string[] {
    if (this.#engine.maxCookies === undefined || typeof this.#source !== "string") return [];
    return leftoverPieces(this.#source, this.#settings.cookieName, count);
  }

  async #load(): Promise<Session<Data>> {
    const budget = newBudget(this.#settings.requestTimeoutMs);
    const tokens = this.#tokens();
    const found: LoadedSession[] = [];
    for (const token of tokens) {
      const loaded = await loadSession(this.#engine, this.#settings, token, budget);
      if (loaded === "corrupted") {
        this.#keepCookie = true;
        report("sojourn:corrupted", () => ({ session: fingerprint(token) }));
      } else if (loaded !== "missing") {
        found.push(loaded);
      }
    }
    if (found.length > 1) {
      // One of them may be planted by a neighbouring subdomain: rather nobody's session than somebody else's.
      this.#keepCookie = true;
      report("sojourn:ambiguous", () => ({ sessions: found.map(({ token }) => fingerprint(token)) }));
    }
    const loaded = found.length === 1 ? found[0]! : null;
    this.#session = new Session<Data>(this.#engine, this.#settings, loaded, tokens, budget);
    if (this.#committed) this.#session.close();
    return this.#session;
  }

  #cookies(): readonly string[] {
    this.#presented ??= Array.isArray(this.#source)
      ? this.#source
      : presentedTokens(this.#source as string | null | undefined, this.#settings.cookieName);
    return this.#presented;
  }

  #tokens(): readonly string[] {
    return this.#cookies()
      .filter((value) => this.#engine.isToken(value))
      .slice(-MAX_CANDIDATES);
  }

  #isJunk(): boolean {
    const cookies = this.#cookies();
    return cookies.length > 0 && cookies.every((value) => value.length < MIN_TOKEN_LENGTH);
  }

  #attributes() {
    const { cookieDomain, cookiePath, cookieSecure, cookieHttpOnly, cookieSameSite } = this.#settings;
    return {
      domain: cookieDomain,
      path: cookiePath,
      secure: cookieSecure,
      httpOnly: cookieHttpOnly,
      sameSite: cookieSameSite,
    };
  }
}
