// The page works without this. With it, forms are sent without a reload, and the cards follow what other tabs do.

const REFRESH_MS = 2000;
const GOOD_NEWS_MS = 8000;
const CARDS = ["browser", "server", "data"];

const said = document.getElementById("said");
const live = document.getElementById("live");

let fading;

/** Answers to all requests but the last are out of date. */
let lastRequest = 0;

if (live) {
  document.documentElement.classList.add("scripted");
  // So that a reload does not say again what happened once.
  history.replaceState(null, "", "/");
  setLive(true, "live");
  document.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit(event.target);
  });
  setInterval(refresh, REFRESH_MS);
  document.addEventListener("visibilitychange", refresh);
}

async function submit(form) {
  const fields = new URLSearchParams(new FormData(form));
  form.setAttribute("aria-busy", "true");
  try {
    const answer =
      form.method === "get"
        ? await load(`${form.action}?${fields}`)
        : await load(form.action, { method: "POST", body: fields });
    say(answer.message, !answer.ok);
    if (answer.isLast) showCards(answer.page);
  } catch {
    say("The server does not answer. Is the demo still running?", true);
  } finally {
    form.removeAttribute("aria-busy");
  }
}

async function refresh() {
  if (document.hidden || document.querySelector("form[aria-busy]")) return;
  try {
    const answer = await load("/");
    setLive(answer.ok, answer.ok ? "live" : answer.message);
    if (answer.isLast) showCards(answer.page);
  } catch {
    setLive(false, "The server does not answer. Trying again…");
  }
}

/** Whatever comes back, a page, a page about an error or plain text, has a message. */
async function load(url, options) {
  const request = ++lastRequest;
  const response = await fetch(url, { ...options, headers: { Accept: "text/html" } });
  const text = await response.text();
  const page = new DOMParser().parseFromString(text, "text/html");
  const isPage = response.headers.get("Content-Type")?.startsWith("text/html");
  const message = isPage ? page.getElementById("said").textContent : text.trim();
  return { ok: response.ok, message, page, isLast: request === lastRequest };
}

function say(message, isBad) {
  // Emptied first, so that the same words are announced again.
  said.textContent = "";
  said.classList.toggle("bad", isBad);
  requestAnimationFrame(() => {
    said.textContent = message;
  });
  clearTimeout(fading);
  if (!isBad) fading = setTimeout(() => said.replaceChildren(), GOOD_NEWS_MS);
}

function setLive(isOn, text) {
  live.className = isOn ? "on" : "off";
  if (live.textContent !== text) live.textContent = text;
}

function showCards(page) {
  for (const id of CARDS) {
    const shown = document.getElementById(id);
    const fresh = page.getElementById(id);
    if (!fresh || fresh.innerHTML === shown.innerHTML) continue;
    const focused = shown.contains(document.activeElement) ? document.activeElement.id : null;
    const isChange = withoutClock(fresh) !== withoutClock(shown);
    shown.replaceWith(document.adoptNode(fresh));
    fresh.classList.toggle("changed", isChange);
    if (focused !== null) (document.getElementById(focused) ?? fresh.querySelector("h3")).focus();
  }
}

/** Time goes on without anything having changed. */
function withoutClock(card) {
  const copy = card.cloneNode(true);
  for (const clock of copy.querySelectorAll(".remaining")) clock.remove();
  return copy.textContent;
}
