import { fingerprint, isSessionKey } from "../core/key.ts";
import { readCacheEntry } from "./cache-entry.ts";
import { type Command, command } from "./command.ts";
import { EXIT, fault } from "./faults.ts";
import { secretArgument } from "./input.ts";
import { count, indent, instant, print, printFields, printJson } from "./output.ts";
import { readPayload } from "./payload.ts";
import { SECRET_KEY_NOTE, SECRET_KEY_OPTIONS, secretKeys, signedByKey, signerName } from "./secret-keys.ts";
import { SETTINGS_OPTION, STORE_OPTION, source, withExistingStore } from "./source.ts";

export const show: Command = command({
  name: "show",
  summary: "print the session that is stored under a key",
  argument: { name: "key", help: "the session key, or - to read it from standard input" },
  options: {
    ...STORE_OPTION,
    ...SETTINGS_OPTION,
    ...SECRET_KEY_OPTIONS,
    json: { type: "boolean", help: "print one line of JSON" },
  },
  notes: [
    "Who has the key has the session: prefer - over an argument, which every user of the machine can read in the process list. It is never printed; its fingerprint is.",
    SECRET_KEY_NOTE,
    "JSON: fingerprint, storedBytes, signedAt and signedBy (null for a cache's entry), expiresAt (null where the store does not tell), and data as Python writes it.",
  ],
  example: "sojourn show - --settings settings.json < key.txt",
  async run(argument, options) {
    const from = source(options);
    const engine = from.settings?.engine;
    const format = engine?.name === "cache" ? engine.store.format : null;
    const keys = format ? [] : secretKeys(options, from.settings);
    const key = await secretArgument(argument, "the session key");
    if (!isSessionKey(key)) throw fault("that is no session key: those are 8 to 40 characters of a-z and 0-9");

    const name = fingerprint(key);
    const record = await withExistingStore(from, (store) => store.load(key));
    if (record === null) throw fault(`there is no session ${name}, or it has expired`);
    const reading = format
      ? readCacheEntry(record.payload, format)
      : readPayload(Buffer.from(record.payload).toString("latin1"), keys, {
          ...from.settings?.format,
          salt: options.salt,
        });
    if (!reading.verified) throw fault(`the payload of session ${name} ${reading.reason}`);

    const { json, signedAt, signedBy } = reading;
    const storedBytes = record.payload.length;
    const expiresAt = record.expiresAt ?? null;
    if (options.json) {
      const signed = signedBy === null ? null : signedByKey(signedBy);
      printJson({ fingerprint: name, storedBytes, signedAt, signedBy: signed, expiresAt }, json);
      return EXIT.done;
    }
    const now = new Date();
    printFields({
      session: name,
      stored: count(storedBytes, "byte"),
      signed:
        signedBy === null
          ? "not at all: a cache is trusted, in Django too"
          : `${signedAt ? instant(signedAt, now) : "at no time that it tells"}, by ${signerName(signedBy, keys)}`,
      expires: expiresAt ? instant(expiresAt, now) : "when the store says so; it does not tell",
    });
    print(`\n${indent(json)}`);
    return EXIT.done;
  },
});
