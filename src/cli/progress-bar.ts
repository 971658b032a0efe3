import type { WriteStream } from "node:tty";
import type { DeleteExpiredProgress } from "../core/contracts.ts";

export interface ProgressBar {
  show(progress: DeleteExpiredProgress): void;
  /** Leaves the line as if nothing had been there. */
  clear(): void;
}

/** Redrawing more often than the eye can follow would take longer than the work it shows. */
const REDRAW_MS = 50;

const MAX_WIDTH = 40;

/** One line of a terminal: a bar, percent, count and rate. */
export function progressBar(terminal: WriteStream): ProgressBar {
  const start = performance.now();
  let drawnAt = Number.NEGATIVE_INFINITY;
  return {
    show({ deleted, total }) {
      const now = performance.now();
      if (total === 0 || (now - drawnAt < REDRAW_MS && deleted < total)) return;
      drawnAt = now;
      const percent = `${Math.floor((100 * deleted) / total)} %`.padStart(5);
      const rate = Math.round(deleted / Math.max((now - start) / 1000, 0.001));
      const text = `${percent}  ${group(deleted)} of ${group(total)}  ${group(rate)}/s`;
      // The last column stays free: a full line would wrap.
      const width = Math.min(MAX_WIDTH, (terminal.columns || 80) - text.length - 2);
      const filled = Math.floor((width * deleted) / total);
      const bar = width > 4 ? `${"█".repeat(filled)}${"░".repeat(width - filled)} ` : "";
      terminal.write(`\r${bar}${text}\x1b[K`);
    },
    clear() {
      if (drawnAt > 0) terminal.write("\r\x1b[K");
    },
  };
}

function group(number: number): string {
  return number.toLocaleString("en-US");
}
