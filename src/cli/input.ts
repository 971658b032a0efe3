import { readFileSync } from "node:fs";
import { MAX_BYTES } from "../django/signing.ts";
import { fault } from "./faults.ts";

/** More characters than the longest payload has. */
const MAX_LENGTH = MAX_BYTES * 2;

/** An argument that is a secret: `-` stands for standard input, which shows it to nobody. */
export async function secretArgument(argument: string, what: string): Promise<string> {
  if (argument !== "-") return argument.trim();
  if (process.stdin.isTTY) process.stderr.write(`Enter ${what}, and end with Ctrl-D on a line of its own:\n`);
  let text = "";
  for await (const chunk of process.stdin.setEncoding("latin1")) {
    text += chunk;
    if (text.length > MAX_LENGTH) throw fault(`standard input is too large to be ${what}`);
  }
  return text.trim();
}

/** A text file that the user named. @param origin the option or variable that named it */
export function readText(path: string, origin: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw fault(
      code === "ENOENT" ? `there is no file ${path} (${origin})` : `${path} (${origin}) cannot be read: ${code}`,
    );
  }
}

/**
 * JSON that may hold secrets. Errors say where it is wrong and nothing of what stands there, as JSON.parse's own do.
 */
export function parseSecretJson(text: string, origin: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const position = /at position (\d+)/.exec((error as Error).message)?.[1];
    const lines = position === undefined ? [] : text.slice(0, Number(position)).split("\n");
    const place = lines.length > 0 ? `, at line ${lines.length}, column ${lines.at(-1)!.length + 1}` : "";
    throw fault(`${origin} is not JSON${place}`);
  }
}
