import type { Command } from "./command.ts";

const WIDTH = 80;

export function generalHelp(commands: readonly Command[]): string {
  return `Usage: sojourn <command> [options]

Looks after the sessions that a server keeps in Django's format.

${columns(commands.map((command) => [usage(command), command.summary]))}

The sessions are where --store or --settings says, else SOJOURN_STORE or
SOJOURN_SETTINGS, else in the file sessions.sqlite3 of this directory.

Example:
  sojourn migrate && sojourn clearsessions

\`sojourn help <command>\` says more. Exit codes: 0 done, 1 failed, 2 misused.`;
}

export function commandHelp(command: Command): string {
  const { options, summary, notes, example, argument } = command;
  const rows = Object.entries(options).map(([name, { value, help }]): [string, string] => [
    `--${name}${value ? ` ${value}` : ""}`,
    help,
  ]);
  return [
    `Usage: sojourn ${usage(command)} [options]`,
    wrap(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`, ""),
    columns([...(argument ? [[`<${argument.name}>`, argument.help] as const] : []), ...rows]),
    ...notes.map((note) => wrap(note, "")),
    `Example:\n  ${example}`,
  ].join("\n\n");
}

function usage({ name, argument }: Command): string {
  return argument ? `${name} <${argument.name}>` : name;
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length)) + 4;
  return rows.map(([left, right]) => `  ${left}`.padEnd(width) + wrap(right, " ".repeat(width))).join("\n");
}

/** Breaks lines between words; all lines but the first begin with `margin`. */
function wrap(text: string, margin: string): string {
  let [line, ...rest] = text.split(" ") as [string, ...string[]];
  const lines: string[] = [];
  for (const word of rest) {
    if (margin.length + line.length + 1 + word.length <= WIDTH) line += ` ${word}`;
    else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line].join(`\n${margin}`);
}
