import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Cell } from "./cell.ts";
import { page } from "./page.ts";
import { type Timeline, timeline } from "./timeline.ts";

/** A cell without its history, which is long. */
export interface ReportedCell extends Omit<Cell, "history"> {
  readonly timeline: Timeline;
}

export interface Report {
  /** What to type to have it again. */
  readonly command: string;
  readonly date: string;
  readonly node: string;
  readonly cores: number;
  readonly seconds: number;
  readonly seed: number;
  readonly cells: readonly ReportedCell[];
}

/**
 * Writes a run down, for programs and for people: `<name>.json` and `<name>.html`. Where a promise broke, the history
 * too, so that everyone can judge for themselves: it names no session key.
 */
export function writeReport(
  directory: string,
  name: string,
  run: Omit<Report, "cells" | "date">,
  cells: readonly Cell[],
): string {
  mkdirSync(directory, { recursive: true });
  const reported = cells.map(({ history, ...cell }) => ({ ...cell, timeline: timeline(history) }));
  const report: Report = { ...run, date: new Date().toISOString(), cells: reported };
  writeFileSync(join(directory, `${name}.json`), JSON.stringify(report, null, 1));
  const path = join(directory, `${name}.html`);
  writeFileSync(path, page(report));
  for (const { scene, fault, broken, history, span } of cells) {
    if (broken.length === 0) continue;
    const file = `${name} ${scene} ${fault}.history.json`.replace(/[^\w.]+/g, "-");
    writeFileSync(join(directory, file), JSON.stringify({ scene, fault, span, broken, history }));
  }
  return path;
}
