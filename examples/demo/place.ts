import type { DjangoEngine } from "sojourn/django";

/** How the page speaks of the place where an engine keeps its sessions. */
export interface Place {
  readonly title: string;
  /** What stands there before there is a session. */
  readonly empty: string;
  readonly labels: { readonly key: string; readonly payload: string; readonly expiresAt: string };
  readonly hint: string;
}

const ROW = { key: "session_key", payload: "session_data", expiresAt: "expire_date" };
const ENTRY = { key: "key", payload: "value", expiresAt: "expires" };

export const PLACES: Readonly<Record<DjangoEngine["name"], Place>> = {
  db: {
    title: "the row",
    empty: "No row. One is made when there is something to keep.",
    labels: ROW,
    hint: "The same table and bytes as Django's: either side reads what the other wrote.",
  },
  cached_db: {
    title: "the row",
    empty: "No row. One is made when there is something to keep.",
    labels: ROW,
    hint: "Django's table, and the truth. A cache in front of it answers most reads.",
  },
  cache: {
    title: "the cache entry",
    empty: "No entry. One is made when there is something to keep.",
    labels: ENTRY,
    hint: "The same key and bytes as Django's cache. A cache may forget: then the session is over.",
  },
  file: {
    title: "the file",
    empty: "No file. One is made when there is something to keep.",
    labels: { key: "name ends with", payload: "content", expiresAt: "expires" },
    hint: "The same name and bytes as Django's. It holds its own expiry, in the data and the time of saving.",
  },
  redis_sessions: {
    title: "the key in Redis",
    empty: "No key. One is made when there is something to keep.",
    labels: ENTRY,
    hint: "As django-redis-sessions keeps it. Redis deletes it by itself when it has expired.",
  },
  signed_cookies: {
    title: "nothing",
    empty:
      "The cookie holds the data itself, signed: who can read the cookie can read them, and a logout cannot call it back.",
    labels: ENTRY,
    hint: "",
  },
};
