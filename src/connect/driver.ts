import { SessionError } from "../core/errors.ts";

/** Loads an optional package, or says how to install it. */
export async function loadDriver<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new SessionError(
      "ERR_CONFIG",
      code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND"
        ? `The package ${name} is missing. Install it with \`npm install ${name}\`.`
        : `${name} is installed but does not load: ${message}`,
      { cause: error },
    );
  }
}
