import { readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/* The last step of `npm run build`: removes the type declarations that no entry of the package leads to. */

const DIST = resolve("dist");
const reachable = new Set();

function visit(file) {
  if (reachable.has(file)) return;
  reachable.add(file);
  for (const [, path] of readFileSync(file, "utf8").matchAll(/\b(?:from |import\()"(\.[^"]+)\.ts"/g)) {
    visit(resolve(dirname(file), `${path}.d.ts`));
  }
}

const { exports } = JSON.parse(readFileSync("package.json", "utf8"));
for (const entry of Object.values(exports)) {
  if (entry.endsWith(".js")) visit(resolve(entry.replace(/\.js$/, ".d.ts")));
}
for (const name of readdirSync(DIST, { recursive: true })) {
  const file = join(DIST, name);
  if (name.endsWith(".d.ts") && !reachable.has(file)) rmSync(file);
}
