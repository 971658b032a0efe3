/** What a committed session asks of the response. */
export interface ResponseHeaders {
  /** The values of the `Set-Cookie` headers: a large session in cookies takes several. */
  readonly setCookie: readonly string[];
  /** Whether the response depends on the cookie, so that no cache may give it to others. */
  readonly varyByCookie: boolean;
}

/** What an adapter needs of `Sessions`, whatever the type of their data. */
export interface SessionLifecycle {
  open(
    cookieHeader: string | null | undefined,
    request: object,
  ): { commit(status: number): ResponseHeaders | Promise<ResponseHeaders> };
}

/** The part of fetch's `Headers` that is needed; adapters make other frameworks' responses look like it. */
export interface HeaderMap {
  get(name: string): string | null;
  set(name: string, value: string): void;
  append(name: string, value: string): void;
}

/** Writes them, merged with what the handler set. */
export function writeResponseHeaders({ setCookie, varyByCookie }: ResponseHeaders, headers: HeaderMap): void {
  if (varyByCookie) {
    const vary = headers.get("Vary");
    const fields = (vary ?? "").split(",").map((field) => field.trim());
    if (fields.includes("*")) headers.set("Vary", "*");
    else if (!vary) headers.set("Vary", "Cookie");
    else if (!fields.some((field) => field.toLowerCase() === "cookie")) headers.set("Vary", `${vary}, Cookie`);
  }
  if (setCookie.length > 0) {
    for (const cookie of setCookie) headers.append("Set-Cookie", cookie);
    headers.set("Cache-Control", uncached(headers.get("Cache-Control")));
  }
}

/**
 * A cache that keeps a response with `Set-Cookie` hands one person's session to the next (Flask CVE-2023-30861, Symfony
 * CVE-2022-24894), so such a response is never public. Stricter directives stay; nothing is weakened.
 */
function uncached(cacheControl: string | null): string {
  const directives = (cacheControl ?? "").split(",").map((directive) => directive.trim());
  if (directives.some((directive) => /^(no-store|private)$/i.test(directive))) return cacheControl!;
  const kept = directives.filter((directive) => directive && !/^(public|s-maxage\s*=.*)$/i.test(directive));
  return kept.length > 0 ? ["private", ...kept].join(", ") : "no-store";
}
