import type { SessionCodec, SessionData } from "../../src/core/contracts.ts";
import { parse } from "../../src/django/python-json.ts";

/* What valid payloads are made of. */

export const secretKey = "a secret key for tests, 32 characters at least";
export const formerKey = "the former secret key, long enough for all";
export const keys = { secretKey, secretKeyFallbacks: [formerKey] };

export const NOW = new Date("2026-11-20T12:00:00Z");

/** Stands in the data, and must be in no message. */
export const HIDDEN = "hidden-value-of-the-session";

const TEXTS: readonly string[] = [
  "{}",
  `{"uid":"${HIDDEN}"}`,
  '{"_auth_user_id":"1","_auth_user_backend":"django.contrib.auth.backends.ModelBackend","_auth_user_hash":"6b86b273ff34fce19d6b804eff5a3f57"}',
  '{"cart":[{"item":"apple","n":1},{"item":"pear","n":2},{"item":"apple","n":3},{"item":"pear","n":4}],"_session_expiry":3600,"note":"äöü 😀 and more of it"}',
  '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}},"10":1,"9":[1.5,1e3,-0.25]}',
  '{"a":[[[[[[{"b":{"c":{"d":[]}}}]]]]]],"_session_expiry":"2026-12-01T00:00:00+00:00","t":true,"f":false,"z":null}',
  `{"zeros":"${"0".repeat(2000)}"}`,
];

/** As all formats carry them. */
export const DATA: readonly SessionData[] = TEXTS.map((text) => JSON.parse(text));

/** With what Python says beyond JavaScript's values; read anew, since the reader's objects are the caller's. */
const PYTHON: readonly string[] = [...TEXTS, '{"f":1.0,"big":123456789012345678901234567890,"10":"b","2":"a"}'];

/** Payloads by a codec of Django's formats, at two times. */
export function djangoPayloads(codec: SessionCodec): string[] {
  return [NOW, new Date(0)].flatMap((time) =>
    PYTHON.map((text) => {
      const { value, origin } = parse(text);
      return codec.encode(value as SessionData, time, origin) as string;
    }),
  );
}

/** Payloads by any codec. */
export function payloads(codec: SessionCodec): (string | Uint8Array)[] {
  return DATA.map((data) => codec.encode(data, NOW));
}
