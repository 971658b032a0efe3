import express, { type RequestHandler, Router } from "express";
import type { Expiry, Session } from "sojourn";
import type { DemoOptions } from "./app.ts";
import { badRequest } from "./bad-request.ts";
import { readExpiry } from "./expiry.ts";
import { readValue } from "./json.ts";
import { MESSAGES, sessionPage, valueMessage } from "./page-view.ts";
import { sessionView } from "./session-view.ts";

/** What the buttons do. */
const ACTIONS: Readonly<Record<keyof typeof MESSAGES, (session: Session, form: URLSearchParams) => unknown>> = {
  set: (session, form) => session.set(key(form), readValue(form.get("value") ?? "")),
  delete: (session, form) => session.delete(key(form)),
  expiry: (session, form) => session.setExpiry(expiry(form)),
  clear: (session) => session.clear(),
  cycle: (session) => session.cycleKey(),
  flush: (session) => session.flush(),
};

/** The page for people, and the forms on it. It works without scripts: a form's answer is a redirect back to `/`. */
export function page(options: DemoOptions): Router {
  const { sessions } = options;
  const router = Router();

  router.get("/", async (req, res) => {
    const session = await sessions.get(req);
    const { did, read } = req.query;
    const message = typeof read === "string" ? valueMessage(read, session) : isAction(did) ? MESSAGES[did] : null;
    const view = await sessionView(req, session, options);
    res.set("Cache-Control", "no-store").type("html").send(sessionPage(view, message));
  });

  const body = express.text({ type: "application/x-www-form-urlencoded", limit: "1mb" });
  router.post("/do/:action", refuseOtherSites, body, async (req, res) => {
    const { action } = req.params;
    if (!isAction(action)) throw badRequest("There is no such action.", 404);
    const session = await sessions.get(req);
    await ACTIONS[action](session, new URLSearchParams(req.body));
    // It would be saved with the response anyway. Saved here, a failure is thrown here, and becomes a kind page.
    if (session.modified && !session.isEmpty) await session.save();
    res.redirect(303, `/?did=${action}`);
  });

  return router;
}

function isAction(name: unknown): name is keyof typeof MESSAGES {
  return typeof name === "string" && Object.hasOwn(ACTIONS, name);
}

function key(form: URLSearchParams): string {
  const name = form.get("key");
  if (name) return name;
  throw badRequest("Give the value a key.");
}

function expiry(form: URLSearchParams): Expiry {
  const choice = form.get("v") ?? "";
  return readExpiry(choice === "at" ? form.get("at") : readValue(choice));
}

/** Forms on other sites, and on other ports of this one, have no business here. Old browsers do not say. */
const refuseOtherSites: RequestHandler = (req, _res, next) => {
  const site = req.get("Sec-Fetch-Site") ?? "same-origin";
  if (site === "same-origin" || site === "none") return next();
  throw badRequest("This form was sent from another site, so nothing was changed.", 403);
};
