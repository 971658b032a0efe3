import type { Response } from "express";
import { parsePythonJson, stringifyPythonJson } from "sojourn/django";

/* JSON as Django's side has it: big integers, NaN and the order of keys survive. */

/** Answers as JSON. */
export function answer(response: Response, value: unknown, status = 200): void {
  response.status(status).type("json").send(stringifyPythonJson(value));
}

/** What a person typed: JSON, else the text itself. */
export function readValue(text: string): unknown {
  try {
    return parsePythonJson(text).value;
  } catch {
    return text;
  }
}

/** An instant as Python's `datetime.isoformat` writes it. */
export function isoFormat(instant: Date): string {
  return instant
    .toISOString()
    .replace(".000Z", "Z")
    .replace(/(\.\d{3})Z$/, "$1000Z")
    .replace("Z", "+00:00");
}
