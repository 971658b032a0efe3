import { setTimeout as sleep } from "node:timers/promises";
import express, { type Request, Router } from "express";
import type { Session, Sessions } from "sojourn";
import { parsePythonJson } from "sojourn/django";
import { badRequest } from "./bad-request.ts";
import { readExpiry } from "./expiry.ts";
import { answer, isoFormat, readValue } from "./json.ts";

/**
 * The plain endpoints, the same as a Django project would have. Writes answer with the data as it will be saved:
 * `{"data": {…}}`.
 */
export function endpoints(sessions: Sessions<Record<string, unknown>>): Router {
  const router = Router();

  router
    .route("/set_session/")
    .get(async (req, res) => {
      const session = await sessions.get(req);
      setAll(session, queryValues(req));
      answer(res, { data: session.toJSON() });
    })
    .post(express.text({ type: () => true, limit: "1mb" }), async (req, res) => {
      const values = req.body ? bodyValues(req.body) : queryValues(req);
      const session = await sessions.get(req);
      setAll(session, values);
      answer(res, { data: session.toJSON() });
    });

  router.get("/get_session/", async (req, res) => {
    const session = await sessions.get(req);
    const key = parameters(req).get("key");
    if (key === null) answer(res, { data: session.toJSON() });
    else answer(res, { value: session.get(key, null), present: session.has(key) });
  });

  router.get("/clear_session/", async (req, res) => {
    const session = await sessions.get(req);
    session.clear();
    answer(res, { data: session.toJSON() });
  });

  router.get("/flush/", async (req, res) => {
    const session = await sessions.get(req);
    await session.flush();
    answer(res, { data: session.toJSON() });
  });

  router.get("/cycle/", async (req, res) => {
    const session = await sessions.get(req);
    await session.cycleKey();
    answer(res, { data: session.toJSON() });
  });

  router.get("/delete/", async (req, res) => {
    const session = await sessions.get(req);
    session.delete(required(req, "key"));
    answer(res, { data: session.toJSON() });
  });

  router.get("/dump/", async (req, res) => {
    res.set("Cache-Control", "no-store");
    answer(res, dump(await sessions.get(req)));
  });

  router.get("/incr/", async (req, res) => {
    const query = parameters(req);
    const [key, by] = [query.get("key") ?? "n", readValue(query.get("by") ?? "1")];
    const increment = (session: Session) => {
      const value = add(session.get(key, 0), by);
      session.set(key, value);
      return value;
    };
    const isExact = query.get("exact") === "1";
    const value = isExact ? await sessions.transact(req, increment) : increment(await sessions.get(req));
    answer(res, { value, present: true });
  });

  router.get("/expiry/", async (req, res) => {
    const expiry = readExpiry(readValue(required(req, "v")));
    const session = await sessions.get(req);
    session.setExpiry(expiry);
    res.set("Cache-Control", "no-store");
    answer(res, dump(session));
  });

  router.get("/nested/", async (req, res) => {
    const session = await sessions.get(req);
    if (!isCounter(session.get("nested"))) session.set("nested", { count: 0 });
    // No flag and no set: saving notices.
    (session.data.nested as { count: number }).count++;
    answer(res, { data: session.toJSON() });
  });

  router.get("/noop/", (_req, res) => answer(res, { ok: true }));

  router.get("/status/", async (req, res) => {
    const code = Number(required(req, "code"));
    if (!Number.isInteger(code) || code < 200 || code > 599) throw badRequest("code is a status from 200 to 599.");
    const session = await sessions.get(req);
    setAll(session, queryValues(req, "code"));
    answer(res, { data: session.toJSON() }, code);
  });

  router.get("/error/", async (req) => {
    const session = await sessions.get(req);
    setAll(session, queryValues(req));
    throw badRequest("This endpoint fails on purpose, after a write that must not be saved.", 500);
  });

  router.get("/slow/", async (req, res) => {
    const seconds = Number(parameters(req).get("s") ?? 0.5);
    if (!(seconds >= 0 && seconds <= 30)) throw badRequest("s is a number of seconds from 0 to 30.");
    const session = await sessions.get(req);
    await sleep(seconds * 1000);
    setAll(session, queryValues(req, "s"));
    answer(res, { data: session.toJSON() });
  });

  router.get("/interrupted/", async (req, res) => {
    const session = await sessions.get(req);
    if (session.key === null) await session.save();
    await sessions.delete(session.key!);
    session.set("interrupted", true);
    answer(res, { data: session.toJSON() });
  });

  router.get("/testcookie/", async (req, res) => {
    const session = await sessions.get(req);
    if (parameters(req).get("check") === "1") {
      const worked = session.testCookieWorked();
      if (worked) session.deleteTestCookie();
      answer(res, { worked });
    } else {
      session.setTestCookie();
      answer(res, { data: session.toJSON() });
    }
  });

  router.get("/vary/", async (req, res) => {
    const query = parameters(req);
    const vary = query.get("v") ?? "";
    if (!/^[\x20-\x7e]*$/.test(vary)) throw badRequest("v is the value of a Vary header.");
    if (vary) res.set("Vary", vary);
    if (query.get("touch") === "1") (await sessions.get(req)).has("uid");
    answer(res, { ok: true });
  });

  return router;
}

function parameters(req: Request): URLSearchParams {
  return new URL(req.originalUrl, "http://localhost").searchParams;
}

function required(req: Request, name: string): string {
  const value = parameters(req).get(name);
  if (value === null) throw badRequest(`${name} is missing: ${req.path}?${name}=…`);
  return value;
}

/** Pairs rather than an object, in which a key such as `__proto__` would not be one like any other. */
type Values = [string, unknown][];

/** The keys and values to set; `uid` if the query has none but the endpoint's own parameters. */
function queryValues(req: Request, ...own: string[]): Values {
  const values = [...parameters(req)].filter(([key]) => !own.includes(key));
  return values.length > 0 ? values.map(([key, text]) => [key, readValue(text)]) : [["uid", "123"]];
}

function bodyValues(body: string): Values {
  try {
    const { value } = parsePythonJson(body);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return Object.entries(value);
  } catch {
    // The same answer as for JSON that is no object.
  }
  throw badRequest("The body must be a JSON object.");
}

function setAll(session: Session, values: Values): void {
  for (const [key, value] of values) session.set(key, value);
}

function dump(session: Session): Record<string, unknown> {
  return {
    data: session.toJSON(),
    session_key: session.key,
    modified: session.modified,
    expiry_age: session.expiryAge(),
    expire_date: isoFormat(session.expiryDate()),
    browser_close: session.expiresAtBrowserClose(),
  };
}

/** Python's `+`: integers stay exact, however large they get. */
function add(a: unknown, b: unknown): number | bigint {
  if (!isNumber(a) || !isNumber(b)) throw badRequest("Only a number can be incremented, and by a number.");
  if (!isInteger(a) || !isInteger(b)) return Number(a) + Number(b);
  const sum = BigInt(a) + BigInt(b);
  return Number.isSafeInteger(Number(sum)) ? Number(sum) : sum;
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

function isInteger(value: number | bigint): boolean {
  return typeof value === "bigint" || Number.isInteger(value);
}

function isCounter(value: unknown): value is { count: number } {
  return typeof value === "object" && value !== null && typeof (value as { count?: unknown }).count === "number";
}
