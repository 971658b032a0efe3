import type { Span } from "./history.ts";
import type { Slice, Timeline } from "./timeline.ts";

/* Drawings for the report: SVG whose colours are the page's. */

const WIDTH = 520;
const HEIGHT = 190;
const MARGIN = { left: 44, right: 8, top: 30, bottom: 24 };
const INNER = { width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };

const KINDS = ["served", "turnedAway", "unavailable", "unanswered"] as const;

/** Answers per second, stacked by what they were. */
export function answersChart({ width, slices }: Timeline, span: Span): string {
  const perSecond = 1000 / width;
  const most = Math.max(1, ...slices.map((slice) => KINDS.reduce((sum, kind) => sum + slice[kind], 0))) * perSecond;
  const scale = scaleTo(most);
  const bars = slices.map((slice, index) => {
    let below = 0;
    return KINDS.map((kind) => {
      const from = below;
      below += slice[kind] * perSecond;
      return slice[kind] === 0 ? "" : bar(slices.length, index, scale(from), scale(below), kind);
    }).join("");
  });
  return frame("Answers per second, by status", span, slices.length * width, most, bars.join(""));
}

/** How long answers took: a bar to the slowest, a line along the median. */
export function timesChart({ width, slices }: Timeline, span: Span, budget: number): string {
  const most = Math.max(budget * 1.1, ...slices.map(({ slowest }) => slowest));
  const scale = scaleTo(most);
  const bars = slices.map(({ slowest }, index) => bar(slices.length, index, scale(0), scale(slowest), "slowest"));
  const points = slices.map(({ median }, index) => `${x((index + 0.5) / slices.length)},${scale(median)}`);
  const drawing = `${bars.join("")}
    <polyline class="median" points="${points.join(" ")}"/>
    <line class="budget" x1="${x(0)}" x2="${x(1)}" y1="${scale(budget)}" y2="${scale(budget)}"/>`;
  return frame("Answer times in milliseconds", span, slices.length * width, most, drawing);
}

function scaleTo(most: number): (value: number) => number {
  return (value) => round(MARGIN.top + INNER.height * (1 - value / most));
}

/** @param share of the time, 0 to 1 */
function x(share: number): number {
  return round(MARGIN.left + INNER.width * share);
}

function bar(count: number, index: number, from: number, to: number, kind: keyof Slice): string {
  // A hair wider than its place, or the page shows through.
  const width = round(INNER.width / count + 0.3);
  return `<rect class="${kind}" x="${x(index / count)}" y="${to}" width="${width}" height="${round(from - to)}"/>`;
}

function frame(title: string, span: Span, total: number, most: number, drawing: string): string {
  const step = niceStep(most);
  const scale = scaleTo(most);
  const lines = Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step).map(
    (value) =>
      `<line class="grid" x1="${x(0)}" x2="${x(1)}" y1="${scale(value)}" y2="${scale(value)}"/>
       <text x="${MARGIN.left - 6}" y="${scale(value) + 4}" text-anchor="end">${value}</text>`,
  );
  const seconds = niceStep(total / 1000);
  const ticks = Array.from({ length: Math.floor(total / 1000 / seconds) + 1 }, (_, index) => index * seconds).map(
    (value) => `<text x="${x((value * 1000) / total)}" y="${HEIGHT - 6}" text-anchor="middle">${round(value)} s</text>`,
  );
  const [begin, end] = [x(span.begin / total), x(Math.min(1, span.end / total))];
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}">
    <rect class="fault" x="${begin}" y="${MARGIN.top}" width="${round(end - begin)}" height="${INNER.height}"/>
    ${lines.join("")}${drawing}${ticks.join("")}
    <text class="title" x="${MARGIN.left}" y="12">${title}</text>
    <text class="faultLabel" x="${(begin + end) / 2}" y="${MARGIN.top - 4}" text-anchor="middle">fault</text></svg>`;
}

/** 1, 2 or 5 times a power of ten, so that there are three to seven. */
function niceStep(most: number): number {
  const rough = most / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough)!;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
