import { readFileSync } from "node:fs";
import { parse, stringify } from "../../src/django/python-json.ts";

/** Test vectors that real Django wrote, by version. */
export interface Vectors {
  default_key: string;
  now: number;
  base62: [number, string][];
  session_encode: {
    name: string;
    engine: string;
    key: string;
    salt: string;
    time: number;
    data_json: string;
    compressed: boolean;
    encoded: string;
  }[];
  signing_dumps: { key: string; salt: string; compress: boolean; time: number; data_json: string; signed: string }[];
  signers: { value: string; salt: string; ts_salt: string; key: string; signer: string; timestamp_signer: string }[];
  salted_hmac: { key_salt: string; value: string; secret: string; sha1: string; sha256: string }[];
  auth_hash: { secret: string; password: string; key_salt: string; hash: string }[];
  session_decode: {
    label: string;
    text: string;
    key: string;
    fallbacks: string[];
    result_json?: string;
    error?: string;
  }[];
  legacy_encode: { name: string; class: string; key: string; data_json: string; encoded: string }[];
  json_serializer: { name: string; text: string }[];
  float_repr: [string, string][];
  pickle: { name: string; protocol: number; data_json: string | null; repr: string; pickle_b64: string }[];
  expiry: {
    label: string;
    use_tz: boolean;
    expire_at_browser_close_setting: boolean;
    stored_json: string | null;
    modified: boolean;
    browser_close: boolean;
    age?: number | boolean;
    age_error?: string;
    date: string;
  }[];
  fromisoformat: [string, string | null, boolean | string][];
  set_cookie: {
    name: string;
    value?: string;
    delete?: true;
    kw: {
      max_age?: number;
      expires?: string;
      domain?: string;
      path?: string | null;
      secure?: boolean | null;
      httponly?: boolean | null;
      samesite?: string | false;
    };
    header: string;
  }[];
  parse_cookie: [string, Record<string, string>][];
  middleware: {
    label: string;
    engine: string;
    settings: Record<string, unknown>;
    request: { path: string; cookie?: string };
    status: number;
    set_cookie: string[];
    vary: string[];
  }[];
}

export function vectors(version: "2.2" | "3.2" | "5.2"): Vectors {
  return JSON.parse(
    readFileSync(new URL(`../../../test/django-vectors/django-${version}.json`, import.meta.url), "utf8"),
  );
}

/** As Python writes it again: vectors' JSON has blanks in some lists. */
export function canonical(json: string): string {
  const { value, origin } = parse(json);
  return stringify(value, origin);
}
