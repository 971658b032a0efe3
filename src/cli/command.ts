import { parseArgs } from "node:util";
import { misuse } from "./faults.ts";

export interface Option {
  readonly type: "string" | "boolean";
  /** How the value is called in the help; for `string` only. */
  readonly value?: string;
  readonly help: string;
}

type Options = Readonly<Record<string, Option>>;

export type Values<O extends Options> = {
  readonly [name in keyof O]?: (O[name]["type"] extends "string" ? string : boolean) | undefined;
};

interface Definition<O extends Options> {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** The one argument, where the command takes one. */
  readonly argument?: { readonly name: string; readonly help: string };
  readonly options: O;
  /** What else the help says: choices made, exit codes. */
  readonly notes: readonly string[];
  readonly example: string;
}

/** A command as `main` sees it: everything about it but the types of its options. */
export interface Command extends Definition<Options> {
  /** Runs it with the words after its name, and answers the exit code. */
  run(words: readonly string[]): Promise<number>;
}

/** A command whose `run` gets its argument (`""` where it takes none) and options checked and typed. */
export function command<const O extends Options>(
  definition: Definition<O> & { run(argument: string, options: Values<O>): Promise<number> },
): Command {
  return {
    ...definition,
    run: async (words) => {
      const { positionals, values } = parse(definition, words);
      return definition.run(positionals[0] ?? "", values as Values<O>);
    },
  };
}

/** Names that people try for a secret; the reason for the refusal is worth more than "unknown option". */
const SECRET_OPTION = /^--(secret|secret-?key|secret-?key-?fallbacks?)(=|$)/i;

function parse({ name, argument, options }: Definition<Options>, words: readonly string[]) {
  if (words.some((word) => SECRET_OPTION.test(word))) {
    throw misuse(
      "a secret key is never an argument: every user of the machine can read it in the process list, and it stays in the shell's history. Use --secret-key-file or the environment variable SOJOURN_SECRET_KEY",
    );
  }
  const parsed = parseWords(name, options, words);
  const expected = argument ? 1 : 0;
  // What was typed may be a session key or a payload: it is never repeated.
  if (parsed.positionals.length > expected) {
    throw misuse(`${name} takes ${argument ? `one ${argument.name}` : "no argument"}; see \`sojourn help ${name}\``);
  }
  if (argument && parsed.positionals.length === 0) {
    throw misuse(`${name} needs ${argument.help}; see \`sojourn help ${name}\``);
  }
  return parsed;
}

function parseWords(name: string, options: Options, words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true, strict: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!code?.startsWith("ERR_PARSE_ARGS_")) throw error;
    const wrong = /'(?:-\w, )?--([a-z-]{1,30})\b/i.exec(message)?.[1];
    const option = wrong === undefined ? undefined : options[wrong];
    if (option?.type === "string") throw misuse(`--${wrong} needs a value: --${wrong} ${option.value}`);
    if (option) throw misuse(`--${wrong} takes no value`);
    const known = Object.keys(options).map((known) => `--${known}`);
    throw misuse(`${name} has no option ${wrong ? `--${wrong}` : "like that"}; it has ${known.join(", ")}`);
  }
}
