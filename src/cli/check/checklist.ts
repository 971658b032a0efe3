import { describe, EXIT, oneLine, trace } from "../faults.ts";
import { faint, print, printJson } from "../output.ts";

export type Mark = "ok" | "warning" | "problem";

/** Steps on the way of a session, in the order in which a server takes them; printed as they are taken. */
export interface Checklist {
  /** What follows belongs to this step. */
  begin(step: string): void;
  ok(text: string): void;
  /** Something that keeps nobody from reading the session, and yet may be the reason of what is seen. */
  warn(text: string): void;
  /** What the session is called where it may be shown. */
  name(fingerprint: string): void;
}

const MARKS: Readonly<Record<Mark, string>> = { ok: "✓", warning: "!", problem: "✗" };

/** As wide as the longest step. */
const WIDTH = "signature".length;

/**
 * Takes the steps until they end or one throws, which is the problem; answers the exit code.
 *
 * @param form one line a step, or one line of JSON in the end
 */
export async function runChecklist(form: "lines" | "json", take: (list: Checklist) => Promise<void>): Promise<number> {
  const steps: { step: string; mark: Mark; text: string }[] = [];
  let step = "";
  let fingerprint: string | null = null;

  function note(mark: Mark, words: string): void {
    const text = oneLine(words);
    steps.push({ step, mark, text });
    if (form === "lines") print(`${MARKS[mark]} ${faint(step.padEnd(WIDTH))}  ${text}`);
  }

  let readable = true;
  try {
    await take({
      begin: (name) => {
        step = name;
      },
      ok: (text) => note("ok", text),
      warn: (text) => note("warning", text),
      name: (text) => {
        fingerprint = text;
      },
    });
  } catch (error) {
    readable = false;
    note("problem", describe(error));
    trace(error);
  }
  if (form === "json") printJson({ readable, fingerprint, steps });
  else print(readable ? "\nThe session can be read." : "\nThe session cannot be read.");
  return readable ? EXIT.done : EXIT.fault;
}
