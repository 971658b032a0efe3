import { describe, test } from "node:test";
import { ENGINES, enginesWithDatabase } from "./engines.ts";
import { connected } from "./parity-engine.ts";
import { keptCases, sessionCases } from "./session-cases.ts";

/* Django's SessionTestsMixin on every engine. */

const engines = { ...ENGINES, ...enginesWithDatabase("db"), ...enginesWithDatabase("cached_db") };

for (const [name, django] of Object.entries(engines)) {
  describe(name, () => {
    const engine = connected(django);
    const cases = name === "signed_cookies" ? sessionCases : { ...sessionCases, ...keptCases };
    for (const [rule, body] of Object.entries(cases)) test(rule, () => body(engine()));
  });
}
