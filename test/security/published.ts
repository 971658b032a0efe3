import { readdirSync, readFileSync } from "node:fs";

/** A weakness that somebody else's session or cookie code had, and that was published. */
export interface Vulnerability {
  /** Its CVE, where it has one; else the name under which it can be found. */
  readonly id: string;
  readonly product: string;
  readonly what: string;
}

/** One line a vulnerability: what happened there. Each has a test here that is named after it. */
export const PUBLISHED: readonly Vulnerability[] = [
  ["CVE-2011-4136", "Django", "session keys and an application's cache keys shared one namespace"],
  ["CVE-2014-0482", "Django", "who logged in as another user kept the session of the one before"],
  ["CVE-2015-3982", "Django", "a flushed session was kept under the empty key, which everybody shared"],
  ["CVE-2015-5143", "Django", "each request with an unknown key left an empty record: the store filled up"],
  ["CVE-2015-5963", "Django", "the logout view left an empty record for each visitor without a session"],
  ["CVE-2015-5964", "Django", "flush created an empty record where there was no session"],
  ["CVE-2020-13254", "Django", "malformed memcached keys shifted the replies: one caller got another's data"],
  ["PickleSerializer", "Django", "with the secret key, a session was code that the server executed"],
  ["CVE-2013-0263", "Rack", "signatures were compared byte by byte, and timing told how many were right"],
  ["CVE-2019-16782", "Rack", "raw session keys were looked up in an index, whose timing told them"],
  ["CVE-2020-8184", "Rack", "percent-decoded names let a plain cookie pass for a __Host- cookie"],
  ["CVE-2025-32441", "Rack", "a slow request restored a session that was deleted meanwhile"],
  ["CVE-2025-46336", "Rack", "the same, after the sessions had moved to a package of their own"],
  ["CVE-2026-39324", "Rack", "what did not decrypt was given to a decoder without any key"],
  [
    "CVE-2019-25025",
    "activerecord-session_store",
    "raw session keys were looked up in an index, whose timing told them",
  ],
  [
    "CVE-2016-1000236",
    "cookie-signature",
    "signatures were compared byte by byte, and timing told how many were right",
  ],
  ["CVE-2020-7070", "PHP", "percent-decoded names let a plain cookie pass for a __Host- cookie"],
  ["CVE-2022-31629", "PHP", "mangled names let a plain cookie pass for a __Host- cookie"],
  ["GHSA-wpj3-hf5j-x4v4", "PHP", "the mangled names of CVE-2022-31629 again, with a bracket"],
  ["CVE-2022-36032", "ReactPHP", "percent-decoded names let a plain cookie pass for a __Host- cookie"],
  ["Cookie chaos", "Django, ASP.NET", "Unicode spaces around a name were trimmed: browsers took it for another name"],
  ["CVE-2023-23934", "Werkzeug", "a cookie without a name, =__Host-x=bad, was read as __Host-x"],
  ["CVE-2025-8037", "Firefox", "a cookie without a name was sent in place of a cookie with Secure"],
  ["CVE-2023-26049", "Jetty", "a quoted value swallowed the cookies after it, and could smuggle others"],
  ["$Version", "Jetty, Tomcat, Undertow", "$Version turned the parser back to RFC 2109: quotes, commas, $Path"],
  ["express-session #74", "express-session", "the response left before the session was saved"],
  [
    "express-session #309",
    "express-session",
    "saving what nobody had changed undid what parallel requests had written",
  ],
  ["express-session #935", "express-session", "regenerate and save wrote the session several times"],
  ["CVE-2022-25896", "Passport", "the session key stayed the same at login: fixation"],
  ["CVE-2018-11385", "Symfony", "the session key stayed the same at login by a guard: fixation"],
  ["CVE-2023-46733", "Symfony", "the session key stayed the same at one of two login steps: fixation"],
  ["CVE-2026-70594", "Ghost", "the session key stayed the same at login: fixation"],
  ["CVE-2024-38513", "gofiber", "a session key that the client had chosen was taken over"],
  ["CVE-2018-1000519", "aiohttp-session", "a session key that the client had chosen was taken over"],
  ["CVE-2024-31999", "@fastify/secure-session", "a copy of a deleted session's cookie was good for ever"],
  ["CVE-2024-35220", "@fastify/session", "loading a session gave it a whole new life: it never expired"],
  ["CVE-2025-46344", "Auth0 Next.js", "session tokens held no time of expiry"],
  ["CVE-2025-48947", "Auth0 Next.js", "caches kept responses with Set-Cookie, and gave them to others"],
  ["CVE-2023-30861", "Flask", "a renewed cookie went out without Vary: Cookie, and caches gave it to others"],
  ["CVE-2026-27205", "Flask", "some ways of reading a session did not set Vary: Cookie"],
  ["CVE-2022-24894", "Symfony", "its HTTP cache kept responses with Set-Cookie, and gave them to others"],
  ["CVE-2025-47278", "Flask", "with a list of keys, the oldest signed"],
  ["CVE-2025-47275", "Auth0 PHP", "authentication tags could be short, and so be guessed"],
  ["CVE-2018-15133", "Laravel", "what a cookie decrypted to was unserialized into objects"],
  ["Laravel 2020-07-27", "Laravel", "an encrypted cookie was not bound to its name, and could be sent as another"],
  ["Laravel #5416", "Laravel", "a session file that was being written was read as empty"],
  ["CVE-2023-48309", "next-auth", "a token of another step of the login passed for a session"],
  ["CVE-2026-73419", "next-auth", "a token of another purpose passed for a session"],
  ["CVE-2026-73421", "next-auth", "an error became a session object, which is true"],
  ["CVE-2026-73418", "next-auth", "malformed percent-encoding in a cookie threw"],
  ["CVE-2023-27524", "Apache Superset", "servers ran with the secret key of the documentation"],
  ["CVE-2025-61686", "React Router", "a session key became a path outside the directory"],
  ["GO-2024-2730", "gorilla/sessions", "a session key became a path outside the directory"],
  ["CVE-2024-3400", "PAN-OS", "a session key became a path, and the file's name a command"],
  [
    "CVE-2020-9484",
    "Apache Tomcat",
    "a session key led to a file that the attacker had uploaded, and it was deserialized",
  ],
  ["CVE-2025-24813", "Apache Tomcat", "a partial upload was taken for a session file, and deserialized"],
  ["CVE-2022-46170", "CodeIgniter4", "two session cookies over one store: one's session passed for the other's"],
  ["CVE-2020-26228", "TYPO3", "session keys stood in the database as they are"],
  ["CVE-2021-21339", "TYPO3", "session keys stood in the database as they are"],
  ["CVE-2022-23502", "TYPO3", "sessions survived the reset of the password"],
  ["CVE-2022-31050", "TYPO3", "sessions of the admin tool stayed valid when the login they came from had ended"],
  ["CVE-2022-24444", "SilverStripe", "sessions outlived the logout that should have ended them"],
  ["CVE-2018-11386", "Symfony", "a crafted session key made the database do work: denial of service"],
  ["CVE-2025-71402", "better-auth", "an unsigned cookie was enough to delete anybody's session"],
  ["CVE-2023-20866", "Spring Session", "session keys were printed to the standard output"],
  ["CVE-2023-20862", "Spring Security", "a cleared session was not saved, and the login stayed in it"],
  ["Headless hashes", "Spring Session Redis", "writing after a parallel delete created a record without a beginning"],
  ["CVE-2025-7339", "on-headers", "a dependency of session middleware changed the response's headers"],
].map(([id, product, what]) => ({ id: id!, product: product!, what: what! }));

export interface NamedTest {
  readonly file: string;
  readonly name: string;
  /** The vulnerabilities that it is named after: each id with its product. */
  readonly after: readonly Pick<Vulnerability, "id" | "product">[];
}

/** The tests of this directory whose names begin with `id, id (product), id (product): `. */
export function namedTests(): readonly NamedTest[] {
  const directory = new URL("../../../test/security/", import.meta.url);
  return readdirSync(directory)
    .filter((file) => file.startsWith("cve-"))
    .flatMap((file) => {
      const source = readFileSync(new URL(file, directory), "utf8");
      const names = [...source.matchAll(/"((?:[^"():]+ \([^()"]+\)(?:, )?)+: [^"]+)"/g)].map(([, name]) => name!);
      return names.map((name) => ({ file, name, after: heading(name) }));
    });
}

function heading(name: string): NamedTest["after"] {
  const text = name.slice(0, name.indexOf("): ") + 1);
  return [...text.matchAll(/([^()]+) \(([^()]+)\)(?:, )?/g)].flatMap(([, ids, product]) =>
    ids!.split(", ").map((id) => ({ id, product: product! })),
  );
}
