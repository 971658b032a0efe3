import { styleText } from "node:util";

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** One line of JSON. @param data a field `data` that is JSON text already, exact to the digit */
export function printJson(fields: Readonly<Record<string, unknown>>, data?: string): void {
  const text = JSON.stringify(fields);
  print(data === undefined ? text : `${text.slice(0, -1)},"data":${data}}`);
}

/** Labels in a column, their texts in another. */
export function printFields(fields: Readonly<Record<string, string>>): void {
  const width = Math.max(...Object.keys(fields).map((label) => label.length));
  for (const [label, text] of Object.entries(fields)) print(`${faint(label.padEnd(width))}  ${text}`);
}

/** For a terminal only, and not where its user wants none (https://no-color.org). */
export function faint(text: string): string {
  const { NO_COLOR, TERM } = process.env;
  return process.stdout.isTTY && !NO_COLOR && TERM !== "dumb" ? styleText("dim", text) : text;
}

/** A number of things: `1 session`, `12,345 sessions`. */
export function count(number: number, thing: string): string {
  return `${number.toLocaleString("en-US")} ${thing}${number === 1 ? "" : "s"}`;
}

/** An instant, and how far away it is. */
export function instant(date: Date, now: Date): string {
  const text = date
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, " UTC");
  return `${text} (${distance((date.getTime() - now.getTime()) / 1000)})`;
}

function distance(seconds: number): string {
  const format = new Intl.RelativeTimeFormat("en");
  const size = Math.abs(seconds);
  if (size < 120) return format.format(Math.trunc(seconds), "second");
  if (size < 7200) return format.format(Math.trunc(seconds / 60), "minute");
  return size < 172_800
    ? format.format(Math.trunc(seconds / 3600), "hour")
    : format.format(Math.trunc(seconds / 86_400), "day");
}

/** Compact JSON over lines. Works on the text, so that every number stays as it is written. */
export function indent(json: string): string {
  let text = "";
  let depth = 0;
  const newLine = () => `\n${"  ".repeat(depth)}`;
  for (let at = 0; at < json.length; at++) {
    const char = json[at]!;
    if (char === '"') {
      const end = endOfString(json, at);
      text += json.slice(at, end + 1);
      at = end;
    } else if ((char === "{" || char === "[") && !"}]".includes(json[at + 1]!)) {
      depth++;
      text += char + newLine();
    } else if ((char === "}" || char === "]") && !"{[".includes(json[at - 1]!)) {
      depth--;
      text += newLine() + char;
    } else if (char === ",") text += char + newLine();
    else text += char === ":" ? ": " : char;
  }
  return text;
}

function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at;
}
