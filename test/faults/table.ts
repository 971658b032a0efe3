import type { Cell } from "./cell.ts";

const COLUMNS: readonly (readonly [string, (cell: Cell) => string])[] = [
  ["fault", ({ scene, fault }) => `${scene}: ${fault}`],
  ["requests", ({ figures }) => String(figures.requests)],
  ["503", ({ figures }) => String(figures.answered503)],
  ["acked", ({ figures }) => String(figures.acknowledged)],
  ["lost", ({ figures }) => withOwn(figures.lost, figures.own.lost)],
  ["wrong user", ({ figures }) => String(figures.wrongUser)],
  ["resurrected", ({ figures }) => withOwn(figures.resurrected, figures.own.resurrected)],
  ["forged", ({ figures }) => String(figures.forgedAccepted)],
  ["double", ({ figures }) => String(figures.doubleApplied)],
  ["dropped", ({ figures }) => String(figures.cookiesDropped)],
  ["logged out", ({ figures }) => withOwn(figures.loggedOut, figures.own.loggedOut)],
  ["unhandled", ({ figures }) => String(figures.unhandled)],
  ["slowest ms", ({ figures }) => String(Math.round(figures.slowest))],
  ["recovery ms", ({ figures }) => String(Math.round(figures.recovery))],
  ["descriptors", ({ figures: { descriptors } }) => `${descriptors.before}→${descriptors.after}`],
  ["MB", ({ figures: { memory } }) => `${memory.before >> 20}→${memory.after >> 20}`],
  ["broken", ({ broken }) => broken.join(", ") || "-"],
];

/** A server's own loss in brackets. */
function withOwn(value: number, own: number): string {
  return own > 0 ? `${value} (${own})` : String(value);
}

/** Each fault, in Markdown, so that it can be kept. */
export function tableOf(cells: readonly Cell[]): string {
  return markdown([COLUMNS.map(([name]) => name), ...cells.map((cell) => COLUMNS.map(([, of]) => of(cell)))]);
}

const ADDED = ["requests", "answered503", "acknowledged", "lost", "wrongUser", "resurrected", "doubleApplied"] as const;

/** Each scene: its figures added up, the worst of its times, and what its servers lost by themselves. */
export function summaryOf(cells: readonly Cell[]): string {
  const head = ["scene", "faults", "requests", "503", "acknowledged", "lost", "wrong user", "resurrected", "double"];
  const rows = [...new Set(cells.map(({ scene }) => scene))].map((scene) => {
    const own = cells.filter((cell) => cell.scene === scene);
    const sum = (of: (cell: Cell) => number) => own.reduce((total, cell) => total + of(cell), 0);
    const worst = (of: (cell: Cell) => number) => String(Math.round(Math.max(...own.map(of))));
    return [
      ...[scene, String(own.length), ...ADDED.map((name) => sum(({ figures }) => figures[name]).toLocaleString("en"))],
      ...[worst(({ figures }) => figures.slowest), worst(({ figures }) => figures.recovery)],
      ...[String(sum(({ figures }) => figures.own.lost)), String(sum(({ figures }) => figures.behind))],
      String(sum(({ broken }) => broken.length)),
    ];
  });
  return markdown([
    [...head, "slowest ms", "recovery ms", "server's own losses", "behind", "broken promises"],
    ...rows,
  ]);
}

function markdown(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const [head, ...rest] = rows.map(
    (row) => `| ${row.map((text, column) => text.padEnd(widths[column]!)).join(" | ")} |`,
  );
  return [head, `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rest].join("\n");
}
