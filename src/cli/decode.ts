import { type Command, command } from "./command.ts";
import { EXIT, fault } from "./faults.ts";
import { secretArgument } from "./input.ts";
import { indent, instant, print, printFields, printJson } from "./output.ts";
import { readPayload } from "./payload.ts";
import { SECRET_KEY_NOTE, SECRET_KEY_OPTIONS, secretKeys, signedByKey, signerName } from "./secret-keys.ts";
import { SETTINGS_OPTION, settingsOnly } from "./source.ts";

export const decode: Command = command({
  name: "decode",
  summary: "verify a payload, as stored in session_data, and print its data",
  argument: { name: "text", help: "the payload, or - to read it from standard input" },
  options: {
    ...SETTINGS_OPTION,
    ...SECRET_KEY_OPTIONS,
    json: { type: "boolean", help: "print one line of JSON" },
  },
  notes: [
    "A payload is somebody's session: prefer - over an argument, which every user of the machine can read in the process list.",
    SECRET_KEY_NOTE,
    "JSON: signedAt (ISO 8601), signedBy (secretKey or secretKeyFallbacks[n]), and data as Python writes it, digit by digit.",
    "Nothing is printed of a payload that does not verify but the reason, on stderr.",
  ],
  example: `sqlite3 db.sqlite3 "SELECT session_data FROM django_session LIMIT 1" | sojourn decode -`,
  async run(argument, options) {
    const settings = settingsOnly(options);
    const keys = secretKeys(options, settings);
    const reading = readPayload(await secretArgument(argument, "the payload"), keys, {
      ...settings?.format,
      salt: options.salt,
    });
    if (!reading.verified) throw fault(`the payload ${reading.reason}`);

    const { json, signedAt, signedBy } = reading;
    if (options.json) {
      printJson({ signedAt, signedBy: signedByKey(signedBy) }, json);
    } else {
      printFields({
        signed: signedAt ? instant(signedAt, new Date()) : "at no time that it tells",
        by: signerName(signedBy, keys),
      });
      print(`\n${indent(json)}`);
    }
    return EXIT.done;
  },
});
