/* A browser's cookie store as RFC 6265bis (draft 22) has it in sections 5.6 to 5.8, as far as one response can tell. */

/** Where a response came from. */
export interface Origin {
  readonly secure: boolean;
  readonly host: string;
  readonly path: string;
}

export interface ReceivedCookie {
  readonly name: string;
  readonly value: string;
  readonly domain: string;
  readonly hostOnly: boolean;
  readonly path: string;
  readonly secure: boolean;
  readonly httpOnly: boolean;
  readonly sameSite: "strict" | "lax" | "none" | "default";
  /** A header that deletes: the cookie of the same identity goes. */
  readonly expired: boolean;
}

const MAX_PAIR = 4096;
const MAX_ATTRIBUTE = 1024;

/** Every attribute in a `Set-Cookie` header, in order; names in lower case. Section 5.6, steps 1 to 6. */
export function parseSetCookie(header: string): { name: string; value: string; attributes: [string, string][] } | null {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the section names
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(header)) return null;
  const [pair, ...parts] = header.split(";");
  const split = (text: string): [string, string] => {
    const equals = text.indexOf("=");
    return equals === -1 ? [text.trim(), ""] : [text.slice(0, equals).trim(), text.slice(equals + 1).trim()];
  };
  const [name, value] = pair!.includes("=") ? split(pair!) : ["", pair!.trim()];
  if (name.length + value.length === 0 || Buffer.byteLength(name + value) > MAX_PAIR) return null;
  const attributes = parts
    .map(split)
    .filter(([, text]) => Buffer.byteLength(text) <= MAX_ATTRIBUTE)
    .map(([key, text]): [string, string] => [key.toLowerCase(), text]);
  return { name, value, attributes };
}

/** What a browser takes a header for; `null` if it ignores it. */
export function receive(header: string, origin: Origin): ReceivedCookie | null {
  const parsed = parseSetCookie(header);
  if (parsed === null) return null;
  const { name, value } = parsed;
  // The last one counts.
  const attributes = new Map(parsed.attributes);

  const domain = (attributes.get("domain") ?? "").replace(/^\./, "").toLowerCase();
  if (domain !== "" && origin.host !== domain && !origin.host.endsWith(`.${domain}`)) return null;
  const given = attributes.get("path") ?? "";
  const path = given.startsWith("/") ? given : defaultPath(origin.path);
  const secure = attributes.has("secure");
  if (secure && !origin.secure) return null;
  const sameSite = { strict: "strict", lax: "lax", none: "none" }[(attributes.get("samesite") ?? "").toLowerCase()];
  if (sameSite === "none" && !secure) return null;
  // Section 5.4: prefixes are compared without regard to case.
  if (/^__secure-/i.test(name) && !secure) return null;
  if (/^__host-/i.test(name) && !(secure && domain === "" && given === "/")) return null;
  if (name === "" && /^__(?:secure|host)-/i.test(value)) return null;

  const maxAge = attributes.get("max-age");
  const end = maxAge !== undefined ? Number(maxAge) : Date.parse(attributes.get("expires") ?? "") - Date.now();
  return {
    name,
    value,
    domain: domain || origin.host,
    hostOnly: domain === "",
    path,
    secure,
    httpOnly: attributes.has("httponly"),
    sameSite: (sameSite as ReceivedCookie["sameSite"] | undefined) ?? "default",
    expired: end <= 0,
  };
}

/** What makes two cookies one: section 5.7, step 23. */
export function identity({ name, domain, hostOnly, path }: ReceivedCookie): string {
  return JSON.stringify([name, domain, hostOnly, path]);
}

/** Section 5.1.4. */
function defaultPath(path: string): string {
  return path.startsWith("/") && path.lastIndexOf("/") > 0 ? path.slice(0, path.lastIndexOf("/")) : "/";
}
