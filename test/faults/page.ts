import { answersChart, timesChart } from "./chart.ts";
import { type Promised, promises, shown } from "./promises.ts";
import type { Report, ReportedCell } from "./report.ts";

/** What a request may spend on its session by default. */
const BUDGET_MS = 1500;

/** Figures that are no promise, but say how much was tried. */
const AMOUNTS: readonly (readonly [string, (cell: ReportedCell) => number])[] = [
  ["requests", ({ figures }) => figures.requests],
  ["503", ({ figures }) => figures.answered503],
  ["writes acknowledged", ({ figures }) => figures.acknowledged],
  ["writes unanswered", ({ figures }) => figures.unknown],
  ["of them applied", ({ figures }) => figures.unknownApplied],
  ["behind: a failed cache", ({ figures }) => figures.behind],
  ["dead cookies tried", ({ figures }) => figures.deadTried],
  ["forged tried", ({ figures }) => figures.forgedTried],
];

/** Promises whose figures a server's own durability explains, and what it lost. */
const OWN: Readonly<Record<string, (cell: ReportedCell) => number>> = {
  lost: ({ figures }) => figures.own.lost,
  "logged out": ({ figures }) => figures.own.loggedOut,
  resurrected: ({ figures }) => figures.own.resurrected,
};

/** A run for people: one file that needs no other. */
export function page(report: Report): string {
  const { cells } = report;
  const total = cells.length * promises.length;
  const broken = cells.reduce((sum, cell) => sum + cell.broken.length, 0);
  const requests = cells.reduce((sum, { figures }) => sum + figures.requests, 0);
  const verdict =
    broken === 0 ? `${format(total)} promises held` : `${format(broken)} of ${format(total)} promises broke`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Faults: ${verdict}</title><style>${STYLE}</style></head><body>
<header><h1>Sessions when things go wrong</h1>
<p class="verdict ${broken === 0 ? "held" : "broke"}">${verdict}</p>
<p>${format(requests)} requests of 50 users with two tabs each, to two processes of an application, while
${cells.length} faults came and went. ${report.date.slice(0, 16).replace("T", " ")} UTC, Node ${report.node},
${report.cores} cores, <code>${escaped(report.command)}</code></p></header>
<main><h2>What was promised</h2>
<p class="legend"><span class="good">0</span> held <span class="bad">3</span> broke
<span class="own">3</span> lost by the server itself, which promises no more; see the fault's “data-loss”. A line leads to its charts.</p>
<div class="scroll"><table><thead><tr><th scope="col">scene and fault</th><th scope="col">the load may see</th>
${[...promises.map(({ name }) => name), ...AMOUNTS.map(([name]) => name)].map((name) => `<th scope="col" class="turned"><span>${name}</span></th>`).join("")}
</tr></thead><tbody>${cells.map(row).join("")}</tbody></table></div>
<h2>What happened</h2>
<p class="legend"><i class="served"></i> served <i class="turnedAway"></i> log in first, or interrupted
<i class="unavailable"></i> 503 <i class="unanswered"></i> no answer <i class="fault"></i> the fault
<i class="slowest"></i> slowest answer <i class="median"></i> median <i class="budget"></i> budget of ${BUDGET_MS} ms</p>
${cells.map(charts).join("")}</main></body></html>`;
}

function row(cell: ReportedCell, index: number, cells: readonly ReportedCell[]): string {
  const isFirst = cells[index - 1]?.scene !== cell.scene;
  const scene = isFirst
    ? `<tr class="scene"><th scope="rowgroup" colspan="${2 + AMOUNTS.length + promises.length}">${escaped(cell.scene)}
       <small>an acknowledged write survives ${cell.durability === "kill" ? "the server's SIGKILL" : "nothing"}</small></th></tr>`
    : "";
  return `${scene}<tr><th scope="row"><a href="#cell${index}">${escaped(cell.fault)}</a></th><td class="effect">${cell.effect}</td>
${promises.map((promise) => figure(promise, cell)).join("")}${AMOUNTS.map(([, of]) => `<td>${format(of(cell))}</td>`).join("")}</tr>`;
}

function figure(promise: Promised, cell: ReportedCell): string {
  const value = promise.of(cell.figures);
  const own = OWN[promise.name]?.(cell) ?? 0;
  if (value <= promise.most && own > 0) return `<td class="own" title="the server's own loss">${format(own)}</td>`;
  return `<td class="${value <= promise.most ? "good" : "bad"}">${shown(value, promise)}</td>`;
}

function charts(cell: ReportedCell, index: number): string {
  const { figures } = cell;
  const verdict = cell.broken.length === 0 ? "" : `<p class="bad">${cell.broken.map(escaped).join(", ")}</p>`;
  return `<section id="cell${index}"><h3>${escaped(cell.scene)}: ${escaped(cell.fault)}</h3>${verdict}
<p>${format(figures.answered2xx)} served, ${format(figures.answered503)} × 503, slowest answer ${Math.round(figures.slowest)} ms
(99 % within ${Math.round(figures.p99)} ms), recovery ${Math.round(figures.recovery)} ms</p>
<div class="charts">${answersChart(cell.timeline, cell.span)}${timesChart(cell.timeline, cell.span, BUDGET_MS)}</div></section>`;
}

function format(value: number): string {
  return value.toLocaleString("en");
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

const STYLE = `
:root { color-scheme: light dark; --text: light-dark(#1b1f24, #e6e8eb); --soft: light-dark(#5b6470, #9aa4b0);
  --page: light-dark(#fff, #14171b); --line: light-dark(#dfe3e8, #2c323a); --shade: light-dark(#f5f6f8, #1c2026);
  --good: light-dark(#18794e, #5fd39a); --bad: light-dark(#c62828, #ff7b72); --warn: light-dark(#b35c00, #f0a94b);
  --served: light-dark(#3f8f63, #4a9e71); --away: light-dark(#9db4c7, #566b7d); --out: light-dark(#e39a2d, #d18a22); }
body { margin: 0 auto; padding: 1.5rem; max-width: 1600px; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1, h2, h3 { line-height: 1.2; text-wrap: balance; } h1 { margin-bottom: .3rem; } h3 { margin-bottom: .2rem; }
header p, section p { color: var(--soft); margin: .3rem 0; max-width: 110ch; }
.verdict { font-size: 1.4rem; font-weight: 600; } .verdict.held { color: var(--good); } .verdict.broke { color: var(--bad); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
td, th { padding: .2rem .35rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; font-weight: 400; }
tbody th, thead th:first-child { text-align: left; } td.effect, thead th:nth-child(2) { text-align: left; color: var(--soft); }
tbody th[scope=row] { position: sticky; left: 0; background: var(--page); } thead th { vertical-align: bottom; color: var(--soft); }
.turned span { writing-mode: vertical-rl; transform: rotate(180deg); }
.scene th { background: var(--shade); font-weight: 600; padding-top: .5rem; } .scene small { font-weight: 400; color: var(--soft); margin-left: .5rem; }
.good { color: var(--good); } td.bad, p.bad, span.bad { color: var(--bad); font-weight: 700; } .own { color: var(--warn); font-weight: 600; }
td.own::after { content: " own"; font-weight: 400; } a { color: inherit; text-decoration-color: var(--soft); }
.legend { color: var(--soft); } .legend i { display: inline-block; width: .8em; height: .8em; margin-left: .8em; vertical-align: -.05em; }
section { break-inside: avoid; border-top: 1px solid var(--line); margin-top: 1rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 1rem; }
svg { width: 100%; height: auto; } svg text { fill: var(--soft); font: 11px system-ui, sans-serif; } svg .title { fill: var(--text); }
.grid { stroke: var(--line); stroke-width: 1; } rect.fault { fill: color-mix(in srgb, var(--bad) 12%, transparent); } .faultLabel { fill: var(--bad) !important; }
rect.served { fill: var(--served); } rect.turnedAway { fill: var(--away); } rect.unavailable { fill: var(--out); } rect.unanswered { fill: var(--bad); }
rect.slowest { fill: var(--away); } .median { fill: none; stroke: var(--text); stroke-width: 1.5; }
.budget { stroke: var(--bad); stroke-width: 1; stroke-dasharray: 4 3; }
i.served { background: var(--served); } i.turnedAway, i.slowest { background: var(--away); } i.unavailable { background: var(--out); }
i.unanswered { background: var(--bad); } i.fault { background: color-mix(in srgb, var(--bad) 25%, transparent); }
i.median { background: var(--text); height: 2px !important; vertical-align: .25em !important; } i.budget { border-top: 2px dashed var(--bad); height: 0 !important; vertical-align: .25em !important; }
`;
