import express, { type ErrorRequestHandler, type Express, type RequestHandler } from "express";
import type { SessionSettings, SessionStore, Sessions } from "sojourn";
import type { DjangoEngine } from "sojourn/django";
import { expressSessions } from "sojourn/express";
import { badRequest } from "./bad-request.ts";
import { endpoints } from "./endpoints.ts";
import { answer } from "./json.ts";
import { page } from "./page.ts";
import { CONTENT_SECURITY_POLICY, errorPage } from "./page-view.ts";

export interface DemoOptions {
  readonly sessions: Sessions<Record<string, unknown>>;
  /** Where `sessions` keeps them: the page shows them as they are stored. `null` where only the browser has them. */
  readonly store: SessionStore | null;
  /** Django's name of the engine. */
  readonly engine: DjangoEngine["name"];
  readonly settings: SessionSettings;
}

/** The demo: a page for people at `/`, and plain endpoints. */
export function demoApp(options: DemoOptions): Express {
  const { sessions } = options;
  const app = express();
  app.disable("x-powered-by");
  // An answer about a session is never the same twice for long.
  app.disable("etag");
  app.use(securityHeaders);
  app.use(expressSessions(sessions));
  app.use(page(options));
  app.use(endpoints(sessions));
  app.use(() => {
    throw badRequest("There is nothing at this address.", 404);
  });
  app.use(answerError);
  return app;
}

const securityHeaders: RequestHandler = (_req, res, next) => {
  res.set({
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
  });
  next();
};

const PHRASES: Record<number, string> = {
  503: "Sessions are not available at the moment. Please try again.",
};

/** A page for browsers, JSON for everyone else; details only where the error says that they may be shown. */
const answerError: ErrorRequestHandler = (error, req, res, next) => {
  if (res.headersSent) return next(error);
  const status: number = error.status >= 400 && error.status <= 599 ? error.status : 500;
  if (!error.expose) console.error(error);
  const message: string = error.expose
    ? error.message
    : (PHRASES[status] ?? "Something went wrong. Nothing was saved.");
  res.set(error.headers ?? {}).set("Cache-Control", "no-store");
  if (req.accepts(["json", "html"]) === "html") res.status(status).type("html").send(errorPage(status, message));
  else answer(res, { error: message }, status);
};
