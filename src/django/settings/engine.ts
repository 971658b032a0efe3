import type { DjangoCacheCodecOptions } from "../cache-codec.ts";

/** What `connect` needs to know of a store. */
export interface StoreLocation {
  readonly url: string;
  readonly prefix?: string;
}

/** A Django cache: where it is, and how it writes the session's dict. */
export interface CacheLocation extends StoreLocation {
  readonly format: DjangoCacheCodecOptions;
}

/** One of Django's engines, by its name, and what it is made of. */
export type DjangoEngine =
  | { readonly name: "db" | "file" | "redis_sessions"; readonly store: StoreLocation }
  | { readonly name: "cache"; readonly store: CacheLocation }
  | { readonly name: "cached_db"; readonly store: StoreLocation; readonly cache: CacheLocation }
  | { readonly name: "signed_cookies"; readonly store: null };
