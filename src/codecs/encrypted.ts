import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from "node:crypto";
import type { Payload, SessionCodec } from "../core/contracts.ts";
import { allSecretKeys, type SecretKeys } from "../core/secret-key.ts";
import { MAX_BYTES } from "../core/values.ts";
import { jsonCodec } from "./json.ts";

export interface EncryptedCodecOptions extends SecretKeys {
  /** The cookie that this is for: a token of one cookie is not good as another's. Default `"sessionid"`. */
  readonly cookieName?: string | undefined;
}

/** The first byte of every payload; a change of format is another number, and another key. */
const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Milliseconds since 1970, big-endian: good until the year 10889. */
const TIME_BYTES = 6;
/** Without the tag length, Node accepts tags of 4 bytes, which can be guessed (the class of CVE-2025-47275). */
const OPTIONS = { authTagLength: TAG_BYTES };

/**
 * JSON that nobody can read or change without the secret key: AES-256-GCM, as base64url. For sessions in cookies, and
 * for stores whose operators shall not read them.
 *
 * Holds the time of writing. Not compressed, on purpose: where text that a visitor chooses stands beside a secret, the
 * compressed length tells the secret letter by letter (CRIME, BREACH).
 *
 * Each write draws a nonce of 96 random bits, which is good for 2^32 writes with one secret key (NIST SP 800-38D section
 * 8.3); change the key before, and keep the former one among the fallbacks until its sessions have ended.
 *
 * Throws `ERR_CONFIG` for a missing or weak secret key.
 *
 * @example cookieEngine(encryptedCodec({ secretKey: process.env.SECRET_KEY }))
 */
export function encryptedCodec(options: EncryptedCodecOptions): SessionCodec {
  const json = jsonCodec();
  const purpose = `sojourn/session/v${VERSION}/${options.cookieName ?? "sessionid"}`;
  const keys = allSecretKeys(options).map((secretKey) => deriveKey(secretKey, purpose));
  const aad = Buffer.concat([Buffer.of(VERSION), Buffer.from(purpose)]);

  function decrypt(bytes: Buffer, key: KeyObject): Buffer | null {
    const nonce = bytes.subarray(1, 1 + NONCE_BYTES);
    const decipher = createDecipheriv("aes-256-gcm", key, nonce, OPTIONS).setAAD(aad);
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const plain = decipher.update(bytes.subarray(1 + NONCE_BYTES, -TAG_BYTES));
    try {
      // Throws if anything differs. Until then nothing of `plain` may be used.
      decipher.final();
      return plain;
    } catch {
      return null;
    }
  }

  return {
    encode(data, now) {
      const time = Buffer.alloc(TIME_BYTES);
      time.writeUIntBE(now.getTime(), 0, TIME_BYTES);
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", keys[0]!, nonce, OPTIONS).setAAD(aad);
      const body = [cipher.update(time), cipher.update(json.encode(data, now) as string, "utf8"), cipher.final()];
      return Buffer.concat([Buffer.of(VERSION), nonce, ...body, cipher.getAuthTag()]).toString("base64url");
    },
    decode(payload) {
      const bytes = fromBase64url(payload);
      if (bytes === null || bytes[0] !== VERSION) return null;
      if (bytes.length < 1 + NONCE_BYTES + TIME_BYTES + TAG_BYTES) return null;
      for (const key of keys) {
        const plain = decrypt(bytes, key);
        if (plain === null) continue;
        const decoded = json.decode(plain.subarray(TIME_BYTES));
        return decoded && { ...decoded, savedAt: new Date(plain.readUIntBE(0, TIME_BYTES)) };
      }
      return null;
    },
    isEncrypted: true,
    assertValue: json.assertValue,
  };
}

/** RFC 5869, with the purpose as its info. A `KeyObject`, which Node 24 uses four times faster than bytes. */
function deriveKey(secretKey: string, purpose: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync("sha256", secretKey, "", purpose, 32)));
}

/** `null` for what `encode` would not have written: Node also reads other alphabets, junk between and odd last bits. */
function fromBase64url(payload: Payload): Buffer | null {
  if (payload.length > 5 * MAX_BYTES) return null;
  const text = typeof payload === "string" ? payload : Buffer.from(payload).toString("latin1");
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : null;
}
