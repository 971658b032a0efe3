import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Session } from "sojourn";
import { stringifyPythonJson } from "sojourn/django";
import { type Html, html, toText, trusted } from "./html.ts";
import { PLACES } from "./place.ts";
import type { SessionView } from "./session-view.ts";

/** From the compiled file's place: the style sheet and the script stay where the sources are. */
const SOURCES = new URL("../../../examples/demo/", import.meta.url);
const STYLE = readFileSync(new URL("page.css", SOURCES), "utf8");
const SCRIPT = readFileSync(new URL("page.client.js", SOURCES), "utf8");

/** Nothing but this page's own style sheet and script, and requests to this server. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src '${hash(STYLE)}'`,
  `script-src '${hash(SCRIPT)}'`,
  "img-src data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** What the page says after each action. */
export const MESSAGES = {
  set: "Saved, before this answer began.",
  delete: "Deleted from the data.",
  expiry: "The expiry is set.",
  clear: "Cleared: the data are gone, the session stays.",
  cycle: "Same data, new key. The old key is dead.",
  flush: "Logged out: the session is over, and its cookie deleted.",
} as const;

export function valueMessage(key: string, session: Session): string {
  return session.has(key) ? `${key} is ${pretty(session.get(key))}` : `There is no ${key} in the session.`;
}

/** The page: what can be done, and what the session is now. */
export function sessionPage(view: SessionView, message: string | null): string {
  return layout(
    html`
      <p id="said" role="status">${message}</p>
      <main>
        <section class="actions" aria-labelledby="actions-title">
          <h2 id="actions-title">Change the session</h2>
          ${actions(view)}
        </section>
        <section class="state" aria-labelledby="state-title">
          <header>
            <h2 id="state-title">One session, three places</h2>
            <p id="live"><a href="/">Look again</a></p>
          </header>
          ${cookieCard(view)}
          ${rowCard(view)}
          ${dataCard(view)}
        </section>
      </main>`,
  );
}

/** The page for what went wrong. The script shows its message in place. */
export function errorPage(status: number, message: string): string {
  return layout(
    html`
      <main class="error">
        <p class="status">${status}</p>
        <p id="said" class="bad" role="status">${message}</p>
        <p><a class="button" href="/">Back to the session</a></p>
      </main>`,
  );
}

function layout(content: Html): string {
  return toText(html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Sojourn: a session, live</title>
    <link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='5' fill='none' stroke='%230d9488' stroke-width='4' stroke-dasharray='24 8'/%3E%3C/svg%3E">
    <style>${trusted(STYLE)}</style>
  </head>
  <body>
    <header class="top">
      <h1><svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="5.5" stroke-dasharray="26 9"/></svg>sojourn</h1>
      <p>A session is a row on the server, and a key to it in the browser.<br>Change it here and watch both.</p>
    </header>
    ${content}
    <footer>${endpointList()}</footer>
    <script>${trusted(SCRIPT)}</script>
  </body>
</html>
`);
}

function actions({ cookieAge }: SessionView): Html {
  return html`
    <form method="post" action="/do/set">
      <h3>Set a value</h3>
      <div class="pair">
        <label>Key <input name="key" value="uid" required autocomplete="off" autocapitalize="none" spellcheck="false"></label>
        <label>Value <input name="value" value="123" autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="value-hint"></label>
      </div>
      <p class="hint" id="value-hint">Read as JSON (<code>42</code>, <code>[1, 2]</code>, <code>{"a": true}</code>), anything else as text.</p>
      <button class="primary">Set</button>
    </form>

    <form method="get" action="/">
      <h3>Read a value</h3>
      <div class="line">
        <label>Key <input name="read" value="uid" required autocomplete="off" autocapitalize="none" spellcheck="false"></label>
        <button>Read</button>
      </div>
      <p class="hint">Reading changes nothing, not even the expiry.</p>
    </form>

    <form method="post" action="/do/expiry">
      <h3>Choose when it ends</h3>
      <div class="line">
        <label>Ends
          <select name="v">
            <option value="null">after ${duration(cookieAge)} (default)</option>
            <option value="60">after 1 minute</option>
            <option value="3600">after 1 hour</option>
            <option value="0">with the browser</option>
            <option value="never">never</option>
            <option value="at">at an instant</option>
          </select>
        </label>
        <button>Apply</button>
      </div>
      <label class="at">Instant, in UTC <input type="datetime-local" name="at" value="2030-01-01T12:00"></label>
      <p class="hint">A time span begins anew with each save.</p>
    </form>

    <div class="verbs">
      <h3>Whole session</h3>
      <form method="post" action="/do/clear">
        <button aria-describedby="clear-hint">Clear</button>
        <p class="hint" id="clear-hint">Empties the data. Key and row stay.</p>
      </form>
      <form method="post" action="/do/cycle">
        <button aria-describedby="cycle-hint">Cycle key</button>
        <p class="hint" id="cycle-hint">Moves the data to a new key, as a login should.</p>
      </form>
      <form method="post" action="/do/flush">
        <button class="danger" aria-describedby="flush-hint">Flush</button>
        <p class="hint" id="flush-hint">Deletes row and cookie: a logout. Nothing brings it back.</p>
      </form>
    </div>`;
}

function cookieCard(view: SessionView): Html {
  const { cookie, place, isLive } = view;
  return card(
    "browser",
    "In the browser: the cookie",
    null,
    cookie.fingerprint === null
      ? html`<p class="none">No cookie. To the server this browser is a stranger, and costs it nothing.</p>`
      : html`
        <dl>
          <div><dt>${cookie.name}</dt><dd>${keyChip(cookie.fingerprint)}</dd></div>
          ${
            isLive
              ? html`
                <div><dt>kept until</dt><dd>${end(cookie.ends, view)}</dd></div>
                <div><dt>attributes</dt><dd class="tags">${cookie.attributes.map((text) => html`<code>${text}</code> `)}</dd></div>`
              : html`<div><dt>leads to</dt><dd>no session here: it has ended, or was never ours</dd></div>`
          }
        </dl>
        <p class="hint">Its value is ${place === PLACES.signed_cookies ? "the session itself" : "the session key"}. Whoever has it is you, so only a fingerprint is shown.</p>`,
  );
}

function rowCard(view: SessionView): Html {
  const { place, row } = view;
  return card(
    "server",
    `On the server: ${place.title}`,
    row && "the same key",
    row === null
      ? html`<p class="none">${place.empty}</p>`
      : html`
        <dl>
          <div><dt>${place.labels.key}</dt><dd>${keyChip(row.fingerprint)}</dd></div>
          <div><dt>${place.labels.payload}</dt><dd>${payload(row.payload)}</dd></div>
          <div><dt>${place.labels.expiresAt}</dt><dd>${end(row.expiresAt, view)}</dd></div>
        </dl>
        <p class="hint">${place.hint}</p>`,
  );
}

function dataCard({ data, place, isLive }: SessionView): Html {
  return card(
    "data",
    "In your code: the data",
    // A cache's entries are not signed.
    isLive ? (place === PLACES.cache ? "decoded" : "verified and decoded") : null,
    data.length === 0
      ? html`<p class="none">Nothing yet.</p>`
      : html`
        <ul class="data">
          ${data.map(
            ([key, value], index) => html`
            <li>
              <code class="key">${key}</code>
              <code class="value">${pretty(value)}</code>
              <form method="post" action="/do/delete">
                <input type="hidden" name="key" value="${key}">
                <button class="quiet" id="delete-${index}" aria-label="Delete ${key}" title="Delete ${key}">×</button>
              </form>
            </li>`,
          )}
        </ul>`,
  );
}

/** @param thread what joins it to the card above */
function card(id: string, title: string, thread: string | null, content: Html): Html {
  return html`<article class="card" id="${id}" aria-labelledby="${id}-title">${
    thread && html`<p class="thread">${thread}</p>`
  }<h3 id="${id}-title" tabindex="-1">${title}</h3>${content}</article>`;
}

/** A key's fingerprint, and a picture of it: that two are the same, or no longer, is seen at a glance. */
function keyChip(fingerprint: string): Html {
  const bits = Number.parseInt(fingerprint.slice(0, 4), 16);
  const hue = Number.parseInt(fingerprint.slice(4, 8), 16) % 360;
  const squares: Html[] = [];
  for (let bit = 0; bit < 15; bit++) {
    if (((bits >> bit) & 1) === 0) continue;
    const [x, y] = [Math.floor(bit / 5), bit % 5];
    squares.push(html`<path d="M${x} ${y}h1v1h-1z"/>`);
    if (x < 2) squares.push(html`<path d="M${4 - x} ${y}h1v1h-1z"/>`);
  }
  return html`<span class="chip"><svg viewBox="0 0 5 5" aria-hidden="true" fill="hsl(${hue} 60% 48%)" shape-rendering="crispEdges">${squares}</svg><code>${fingerprint}</code></span>`;
}

/** As stored; the parts of Django's signed format are told apart by colour and by name. */
function payload(text: string): Html {
  const [, data, time, signature] = /^([\w.-]+):([0-9A-Za-z]+):([\w-]{43})$/.exec(text) ?? [];
  if (!data || !time || !signature) return html`<code class="payload">${text}</code>`;
  const kind = data.startsWith(".") ? "compressed data" : "data";
  return html`<code class="payload"><span class="part-data">${data}</span>:<span class="part-time">${time}</span>:<span class="part-signature">${signature}</span></code><span class="legend"><span class="part-data">${kind}</span> <span class="part-time">time of saving</span> <span class="part-signature">signature</span></span>`;
}

function end(when: SessionView["cookie"]["ends"], { age, now }: SessionView): Html {
  if (when === "with the browser") return html`the browser is closed`;
  if (when === "some time after saving") return html`${duration(age)} after its last save`;
  return instant(when, now);
}

function instant(date: Date, now: Date): Html {
  if (date.getUTCFullYear() >= 9999) return html`never`;
  const text = `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  return html`<time datetime="${date.toISOString()}">${text}</time> <span class="remaining">${remaining(date, now)}</span>`;
}

function remaining(date: Date, now: Date): string {
  const seconds = Math.ceil((date.getTime() - now.getTime()) / 1000);
  return seconds > 0 ? `in ${duration(seconds)}` : "over";
}

const UNITS: readonly [string, number][] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

/** The two largest units: "13 days 23 hours". */
function duration(seconds: number): string {
  let rest = Math.max(0, Math.round(seconds));
  const parts: string[] = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${unit}${count === 1 ? "" : "s"}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ") || "0 seconds";
}

/** JSON for reading: with the letters of all scripts as they are. */
function pretty(value: unknown): string {
  return stringifyPythonJson(value).replace(/\\(u[0-9a-f]{4}|.)/g, (sequence) => {
    const char: string = JSON.parse(`"${sequence}"`);
    return char > "\x9f" ? char : sequence;
  });
}

const ENDPOINTS: readonly [string, string][] = [
  ["/set_session/?k=v", "sets each (or POST a JSON object)"],
  ["/get_session/?key=k", "one value; all without key"],
  ["/clear_session/", "empties the data"],
  ["/flush/", "deletes the session"],
  ["/cycle/", "moves it to a new key"],
  ["/delete/?key=k", "deletes one value"],
  ["/dump/", "everything, with the key: keep it to yourself"],
  ["/incr/?key=n&by=1", "reads, adds, writes; exact=1 inside transact"],
  ["/expiry/?v=3600", "seconds, null, an ISO date or never"],
  ["/nested/", "changes a nested object in place"],
  ["/noop/", "leaves the session alone"],
  ["/status/?code=503", "writes, and answers that status"],
  ["/error/", "writes, and fails"],
  ["/slow/?s=0.5&k=v", "reads, waits, writes"],
  ["/interrupted/", "loses its row while it works"],
  ["/testcookie/", "sets the test cookie; check=1 checks it"],
  ["/vary/?v=Accept-Encoding&touch=1", "sets Vary, and reads the session"],
];

function endpointList(): Html {
  return html`
    <details>
      <summary>Plain endpoints, for curl and for tests</summary>
      <ul class="endpoints">
        ${ENDPOINTS.map(([path, does]) => html`<li><code>${path}</code> <span>${does}</span></li>`)}
      </ul>
    </details>`;
}

function hash(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
