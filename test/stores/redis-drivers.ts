import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { connect } from "../../src/connect.ts";
import { temporaryDirectory } from "../support/servers/server.ts";

const source = fileURLToPath(new URL("../../src", import.meta.url));
const modules = fileURLToPath(new URL("../../../node_modules", import.meta.url));

export const DRIVERS = ["redis", "ioredis"] as const;

/** `connect` of an installation of the package that has these drivers and no others. */
export async function connectWith(...drivers: readonly string[]): Promise<typeof connect> {
  const root = temporaryDirectory();
  mkdirSync(join(root, "node_modules"));
  cpSync(source, join(root, "src"), { recursive: true });
  writeFileSync(join(root, "package.json"), `{"type":"module"}`);
  for (const name of drivers) symlinkSync(join(modules, name), join(root, "node_modules", name));
  return (await import(pathToFileURL(join(root, "src/connect.js")).href)).connect;
}
