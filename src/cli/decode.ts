import { type Command, command } from "./command.ts";
import { EXIT, fault, say } from "./faults.ts";
import { secretArgument } from "./input.ts";
import { indent, instant, print, printFields, printJson } from "./output.ts";
import { readPayload } from "./payload.ts";
import {
  findSecretKeys,
  SECRET_KEY_NOTE,
  SECRET_KEY_OPTIONS,
  secretKeys,
  signedByKey,
  signerName,
} from "./secret-keys.ts";
import { SETTINGS_OPTION, settingsOnly } from "./source.ts";

export const decode: Command = command({
  name: "decode",
  summary: "verify a payload, as stored in session_data, and print its data",
  argument: { name: "text", help: "the payload, or - to read it from standard input" },
  options: {
    ...SETTINGS_OPTION,
    ...SECRET_KEY_OPTIONS,
    unverified: { type: "boolean", help: "print the data although the payload does not verify" },
    json: { type: "boolean", help: "print one line of JSON" },
  },
  notes: [
    "A payload is somebody's session: prefer - over an argument, which every user of the machine can read in the process list.",
    SECRET_KEY_NOTE,
    "JSON: verified, signedAt (ISO 8601), signedBy (secretKey or secretKeyFallbacks[n]), and data as Python writes it, digit by digit.",
    "Exit codes: 0 verified, 1 not verified (the reason is on stderr), 3 not verified but printed with --unverified.",
  ],
  example: `sqlite3 db.sqlite3 "SELECT session_data FROM django_session LIMIT 1" | sojourn decode -`,
  async run(argument, options) {
    const settings = settingsOnly(options);
    const keys = options.unverified ? findSecretKeys(options, settings) : secretKeys(options, settings);
    const reading = readPayload(await secretArgument(argument, "the payload"), keys, options.salt);
    if (!reading.verified && !(options.unverified && reading.contents)) throw fault(`the payload ${reading.reason}`);

    const { json, signedAt } = reading.verified ? reading : reading.contents!;
    const signedBy = reading.verified ? reading.signedBy : null;
    if (!reading.verified) say(`WARNING: what follows is not verified: the payload ${reading.reason}`);
    if (options.json) {
      printJson(
        { verified: reading.verified, signedAt, signedBy: signedBy === null ? null : signedByKey(signedBy) },
        json,
      );
    } else {
      printFields({
        signed: signedAt ? instant(signedAt, new Date()) : "at no time that it tells",
        by: signedBy === null ? "nobody that is known: not verified" : signerName(signedBy, keys),
      });
      print(`\n${indent(json)}`);
    }
    return reading.verified ? EXIT.done : EXIT.unverified;
  },
});
