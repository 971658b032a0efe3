import { SessionError } from "../core/errors.ts";

/** What `choice` stands for. Throws `ERR_CONFIG` for one that there is not. @param name the option's, for the error */
export function oneOf<T>(choices: Readonly<Record<string, T>>, name: string, choice: string): T {
  if (Object.hasOwn(choices, choice)) return choices[choice]!;
  const known = Object.keys(choices).map((each) => JSON.stringify(each));
  throw new SessionError("ERR_CONFIG", `${name} must be ${known.join(" or ")}.`);
}
