import { suite, test } from "node:test";
import express from "express";
import express4 from "express4";
import { expressSessions } from "../../src/adapters/express.ts";
import { adapterSuite } from "../../src/testing/adapter-suite.ts";
import { sendAnswer, serveHttp } from "./servers.ts";

for (const [name, framework] of Object.entries({ "Express 4": express4, "Express 5": express })) {
  suite(name, () => {
    adapterSuite(test, (sessions, handlers) => {
      const app = framework();
      // Express logs errors otherwise.
      app.set("env", "test");
      app.use(expressSessions(sessions));
      for (const [path, handler] of Object.entries(handlers)) {
        app.all(path, (req, res, next) => {
          Promise.resolve(handler(() => sessions.get(req)))
            .then((answer) => sendAnswer(answer, res))
            .catch(next);
        });
      }
      return serveHttp(app);
    });
  });
}
