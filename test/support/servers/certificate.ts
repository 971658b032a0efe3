import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { temporaryDirectory } from "./server.ts";

/** A certificate for the name "localhost", signed by itself, and its key; the key is readable by this user alone. */
export function localhostCertificate(user: string): { cert: string; key: string } {
  const directory = temporaryDirectory();
  const [cert, key] = [join(directory, "cert.pem"), join(directory, "key.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const keys = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  execFileSync("openssl", ["req", "-x509", ...keys, ...subject, "-keyout", key, "-out", cert], { stdio: "pipe" });
  if (process.getuid?.() === 0) execFileSync("chown", ["-R", user, directory]);
  return { cert, key };
}
