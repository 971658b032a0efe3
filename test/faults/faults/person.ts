import assert from "node:assert/strict";
import type { FaultEffect } from "../fault.ts";
import type { Answer, Application } from "./application.ts";

/** Milliseconds: the budget of a request for its session, and what a busy machine takes on top. */
export const BUDGET_MS = 1500;
export const SLACK_MS = 2000;

/** Somebody with a browser, who knows what the application has acknowledged, and sees to the promises in every answer. */
export interface Person {
  login(): Promise<Outcome>;
  read(): Promise<Outcome>;
  /** @param ballast bytes that are stored too, and cannot be compressed */
  write(ballast?: number): Promise<Outcome>;
  logout(): Promise<Outcome>;
  /** That what was last acknowledged is there now, and can be changed. */
  assertServed(): Promise<void>;
}

/** - `gone`: the session is not there, which the person's last acknowledged request does not explain */
export type Outcome = "served" | "refused" | "gone";

/** What a fault may do to a person: nothing when there is none. */
export type Weather = FaultEffect | "calm";

let people = 0;

export function person(application: Pick<Application, "ask">, weather: () => Weather): Person {
  const name = `person${people++}`;
  let cookie: string | undefined;
  let writes = 0;
  /** What the session may hold: what was acknowledged last, and what has failed since. `null`: nothing. */
  let possible: (string | null)[] = [null];

  function outcome(answer: Answer, kind: "read" | "write"): Outcome {
    const { status, setCookie, retryAfter, body, ms } = answer;
    const told = `${name}, ${kind}, ${weather()}: ${status} ${setCookie} ${body}`;
    assert.ok(ms <= BUDGET_MS + SLACK_MS, `${told} after ${ms} ms`);
    if (status === 200) {
      if (kind === "read") {
        assert.deepEqual(setCookie, [], told);
        // A replica that takes over may have an earlier one of the same person.
        const isEarlier = weather() === "data-loss" && body.startsWith(`${name}.`);
        assert.ok(isEarlier || possible.includes(body), `${told}, and not ${possible.join(" or ")}`);
        if (isEarlier) possible = [body];
      }
      return "served";
    }
    if (status === 503) {
      assert.deepEqual(setCookie, [], told);
      assert.match(retryAfter ?? "", /^\d+$/, told);
      assert.doesNotMatch(body, /[a-z0-9]{32}/, told);
      const allowed: Weather[] = kind === "read" ? [] : ["writes-fail"];
      assert.ok([...allowed, "unavailable", "data-loss"].includes(weather()), told);
      return "refused";
    }
    assert.ok([400, 401].includes(status), told);
    assert.ok(possible.includes(null) || weather() === "data-loss", told);
    return "gone";
  }

  async function change(path: string, text: string | null, ballast = 0): Promise<Outcome> {
    const answer = await application.ask(`${path}?text=${text}&ballast=${ballast}`, cookie);
    const result = outcome(answer, "write");
    if (result === "refused") possible.push(text);
    if (result === "served") {
      // A logout whose answer was lost may still come.
      possible = possible.includes(null) && path === "/write" ? [text, null] : [text];
      const [, value] = /^sessionid=([^;]*)/.exec(answer.setCookie[0] ?? "") ?? [];
      if (path === "/login") assert.match(value ?? "", /^[a-z0-9]{32}$/);
      if (path === "/login") cookie = `sessionid=${value}`;
    }
    return result;
  }

  return {
    async login() {
      cookie = undefined;
      possible = [null];
      const result = await change("/login", `${name}.${writes++}`);
      // A login that failed left no cookie, and so nothing that could come.
      if (result !== "served") possible = [null];
      return result;
    },
    read: async () => outcome(await application.ask("/read", cookie), "read"),
    write: (ballast) => change("/write", `${name}.${writes++}`, ballast),
    logout: () => change("/logout", null),
    async assertServed() {
      assert.equal(await this.read(), "served");
      assert.equal(await this.write(), "served");
      assert.equal(await this.read(), "served");
    },
  };
}
