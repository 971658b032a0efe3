#!/usr/bin/env node
import { createRequire } from "node:module";
import { check } from "./check.ts";
import { clearsessions } from "./clearsessions.ts";
import type { Command } from "./command.ts";
import { decode } from "./decode.ts";
import { EXIT, misuse, report } from "./faults.ts";
import { commandHelp, generalHelp } from "./help.ts";
import { migrate } from "./migrate.ts";
import { print } from "./output.ts";
import { show } from "./show.ts";

const COMMANDS: readonly Command[] = [migrate, clearsessions, decode, show, check];

async function main([word, ...words]: readonly string[]): Promise<number> {
  if (word === undefined || isHelp(word) || (word === "help" && words.length === 0)) print(generalHelp(COMMANDS));
  else if (word === "help") print(commandHelp(find(words[0]!)));
  else if (word === "--version" || word === "-v") print(version());
  else if (words.some(isHelp)) print(commandHelp(find(word)));
  else return find(word).run(words);
  return EXIT.done;
}

function isHelp(word: string): boolean {
  return word === "--help" || word === "-h";
}

function find(name: string): Command {
  const found = COMMANDS.find((command) => command.name === name);
  if (found) return found;
  const names = COMMANDS.map((command) => command.name).join(", ");
  if (name.startsWith("-")) throw misuse(`the command comes first, and its options after it; commands are ${names}`);
  // A long word may be a session key or a payload whose command was forgotten: it is not repeated.
  const given = /^[a-z-]{1,20}$/i.test(name) ? ` ${name}` : " like that";
  throw misuse(`there is no command${given}; there are ${names}`);
}

function version(): string {
  const { version } = createRequire(import.meta.url)("sojourn/package.json") as { version: string };
  return version;
}

/** Node 22 announces on every start that its SQLite is experimental, which nobody who runs a command can act on. */
function silenceSqliteWarning(): void {
  const printers = process.listeners("warning");
  process.removeAllListeners("warning");
  process.on("warning", (warning) => {
    if (warning.name === "ExperimentalWarning" && warning.message.includes("SQLite")) return;
    for (const printer of printers) printer(warning);
  });
}

// A reader that has seen enough, such as `head`, is no error; the code is a shell's for a command that SIGPIPE ended.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? EXIT.brokenPipe : report(error));
});
// With nobody to read what goes wrong, the work goes on.
process.stderr.on("error", () => {});
silenceSqliteWarning();

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = report(error);
}
