import { fingerprint } from "../core/key.ts";
import { runChecklist } from "./check/checklist.ts";
import { noteCookie } from "./check/cookie.ts";
import { examineCookie, examineRecord } from "./check/examine.ts";
import { presented, whyNoKey, whyNoSignedCookie } from "./check/token.ts";
import { type Command, command } from "./command.ts";
import { fault, misuse } from "./faults.ts";
import { secretArgument } from "./input.ts";
import { SECRET_KEY_NOTE, SECRET_KEY_OPTIONS, secretKeys } from "./secret-keys.ts";
import { SETTINGS_OPTION, settingsOnly, shownUrl } from "./source.ts";

export const check: Command = command({
  name: "check",
  summary: "say why a session cannot be read, or that it can",
  argument: {
    name: "key",
    help: "the session key, the cookie's value or a Cookie header, or - to read it from standard input",
  },
  options: {
    ...SETTINGS_OPTION,
    ...SECRET_KEY_OPTIONS,
    json: { type: "boolean", help: "print one line of JSON" },
  },
  notes: [
    "For a Django project and a Node server beside it, of which one takes a user for logged out: it goes the way of a server, step by step, and stops at the first that fails.",
    "Who has the key has the session: prefer - over an argument, which every user of the machine can read in the process list. Neither the key nor anything that the session says is printed, but the names of its data.",
    "Run it as the user that the servers run as. The settings are needed: as JSON, by Django's names.",
    SECRET_KEY_NOTE,
    'JSON: readable (true or false), fingerprint, and steps: a list of {"step", "mark", "text"}, with the marks ok, warning and problem.',
    "Exit codes: 0 the session can be read, 1 it cannot, 2 misused.",
  ],
  example: "sojourn check - --settings settings.json < cookie.txt",
  async run(argument, options) {
    if (!options.settings && !process.env.SOJOURN_SETTINGS) {
      throw misuse("check needs Django's settings: --settings FILE, or SOJOURN_SETTINGS");
    }
    return runChecklist(options.json ? "json" : "lines", async (list) => {
      list.begin("settings");
      const settings = settingsOnly(options)!;
      const { engine, format } = settings;
      // What a cache holds is not signed.
      const keys = engine.name === "cache" ? [] : secretKeys(options, settings);
      list.ok(`by ${settings.path}: ${engine.name}${engine.store ? `, ${shownUrl(engine.store.url)}` : ""}`);

      list.begin("key");
      const tokens = presented(await secretArgument(argument, "the session key"), settings.settings.cookieName);
      const token = tokens.at(-1)!;
      const wrong = engine.name === "signed_cookies" ? whyNoSignedCookie(token) : whyNoKey(token);
      if (wrong !== null) throw fault(`it ${wrong}`);
      list.name(fingerprint(token));
      list.ok(`it may be one, and is called ${fingerprint(token)} here`);
      if (tokens.length > 1) {
        list.warn(
          `${tokens.length} cookies of that name came, of different domains or paths: Django takes the last one, as is done here, and Node none if more than one leads to a session. Delete all of them in the browser`,
        );
      }

      if (engine.name === "signed_cookies") examineCookie(token, keys, settings, list);
      else await examineRecord(token, engine, { keys, format: { ...format, salt: options.salt } }, settings, list);

      list.begin("cookie");
      noteCookie(settings, token, list);
    });
  },
});
