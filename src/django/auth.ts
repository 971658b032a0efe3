import { SessionError } from "../core/errors.ts";
import { allSecretKeys, type SecretKeys } from "../core/secret-key.ts";
import type { Session } from "../core/session.ts";
import { equalInConstantTime, type HashAlgorithm, saltedHmac } from "./signing.ts";

/* Django's django.contrib.auth: who is logged in, as `login`, `logout`, `get_user` and `update_session_auth_hash` have it. */

const USER_ID = "_auth_user_id";
const BACKEND = "_auth_user_backend";
const HASH = "_auth_user_hash";
const CSRF_TOKEN = "_csrftoken";

export interface DjangoAuthOptions extends SecretKeys {
  /**
   * Django's AUTHENTICATION_BACKENDS; a login by another one is not believed. Default
   * `["django.contrib.auth.backends.ModelBackend"]`, as Django's.
   */
  readonly backends?: readonly string[] | undefined;
  /** Believe logins from before Django 3.1, hashed by SHA-1, too, as Django 3.1 and 3.2 do. Default `false`. */
  readonly readLegacy?: boolean | undefined;
}

/** The password field of a user, as the table has it (`pbkdf2_sha256$…`): never the password itself. `null` is Python's `None`. */
export interface DjangoPasswordField {
  readonly password: string | null;
}

export interface DjangoUser extends DjangoPasswordField {
  /** The primary key; a UUID with hyphens, as Django writes it. */
  readonly id: string | number | bigint;
}

/**
 * One login for Django and Node. `Data` is the application's; the keys `_auth_user_…` are Django's.
 *
 * What a login is, the session says in three values: a user's id, the backend that knew them, and a hash of their password
 * field under the secret key, so that a changed password ends every session of the user.
 */
export interface DjangoAuth {
  /**
   * Logs in whoever the application has recognized, by their password for example: Django then knows them as well.
   *
   * The session gets a new key, against fixation, and keeps what it held for a visitor without login or for the same
   * user. What belongs to another user, or to a password since changed, is deleted first. The token of
   * `CSRF_USE_SESSIONS` goes too. `last_login` is the application's to write.
   *
   * Throws `ERR_CONFIG` for a user without id or password field, and for an unknown backend.
   *
   * @param backend Django asks it for the user at every request: one of `backends`, by default the first
   * @example
   * const user = users.get(form.username); // { id: 1, password: "pbkdf2_sha256$…", … }
   * if (user && (await isPassword(form.password, user.password))) await auth.login(session, user);
   */
  login<Data extends object>(session: Session<Data>, user: DjangoUser, backend?: string): Promise<void>;
  /** Logs out, on both sides and at once: deletes the session with all it holds. */
  logout<Data extends object>(session: Session<Data>): Promise<void>;
  /**
   * Who the session says is logged in; `null` for nobody. Not verified: the password may have been changed since, the
   * user may be gone. For more than a greeting ask `user`.
   */
  userId<Data extends object>(session: Session<Data>): string | null;
  /**
   * The user who is logged in; `null` for nobody. A session whose hash is not of this user's password field is deleted:
   * the password was changed. One that was hashed under a former secret key gets today's hash.
   *
   * Throws `ERR_CONFIG` for a user without password field: it may be missing in the query.
   *
   * @param find looks the user up; no user for one who is not there or may no longer log in (Django's `is_active`)
   * @example
   * const find = (id: string) => users.get(id); // SELECT id, username, password FROM auth_user WHERE id = ? AND is_active
   * const user = await auth.user(await sessions.get(req), find);
   */
  user<Data extends object, User extends DjangoPasswordField>(
    session: Session<Data>,
    find: (id: string) => User | null | undefined | Promise<User | null | undefined>,
  ): Promise<User | null>;
  /**
   * Call it when a user has changed their password, with the new password field: this session goes on, under a new key,
   * and all others of the user end. Of another user's change, an administrator's say, the session knows nothing.
   *
   * Throws `ERR_CONFIG` as `login` does.
   */
  updateHash<Data extends object>(session: Session<Data>, user: DjangoUser): Promise<void>;
}

/**
 * Log-ins that Django and Node share, in sessions that they share.
 *
 * Throws `ERR_CONFIG` for a missing or weak secret key, and for backends that are no list of names.
 *
 * @example const auth = djangoAuth({ secretKey: process.env.SECRET_KEY });
 */
export function djangoAuth(options: DjangoAuthOptions): DjangoAuth {
  const { backends = ["django.contrib.auth.backends.ModelBackend"], readLegacy = false } = options;
  if (!Array.isArray(backends) || backends.length === 0 || !backends.every((each) => typeof each === "string")) {
    throw new SessionError("ERR_CONFIG", "backends must be a list of dotted names, such as AUTHENTICATION_BACKENDS.");
  }
  const keys = allSecretKeys(options);
  const algorithms: readonly HashAlgorithm[] = readLegacy ? ["sha256", "sha1"] : ["sha256"];
  const [hash, ...formerHashes] = algorithms.flatMap((algorithm) => keys.map((key) => sessionAuthHash(key, algorithm)));

  function isOf(session: Session, password: string, hashes: readonly SessionAuthHash[]): boolean {
    const given = session.get(HASH);
    return typeof given === "string" && hashes.some((each) => equalInConstantTime(each(password), given));
  }

  return {
    async login(anySession, user, backend = backends[0]!) {
      const session = anySession as Session;
      const [id, password] = [idOf(user), passwordOf(user)];
      if (!backends.includes(backend)) {
        throw new SessionError(
          "ERR_CONFIG",
          `${JSON.stringify(backend)} is none of the backends: Django would not believe it.`,
        );
      }
      const isSame = userId(session) === id && isOf(session, password, [hash!, ...formerHashes]);
      if (session.has(USER_ID) && !isSame) await session.flush();
      else await renew(session);
      // Only now: a login that could not move the session must not be saved under the old key.
      session.update({ [USER_ID]: id, [BACKEND]: backend, [HASH]: hash!(password) });
      session.delete(CSRF_TOKEN);
    },

    logout: (session) => session.flush(),

    userId: (session) => userId(session as Session),

    async user(anySession, find) {
      const session = anySession as Session;
      const id = userId(session);
      const backend = session.get(BACKEND);
      if (id === null || typeof backend !== "string" || !backends.includes(backend)) return null;
      const user = (await find(id)) ?? null;
      if (user === null) return null;
      const password = passwordOf(user);
      if (isOf(session, password, [hash!])) return user;
      if (!isOf(session, password, formerHashes)) {
        await session.flush();
        return null;
      }
      // Django cycles the key as well. It says nothing of the secret key, and of a page's parallel requests all but the
      // first would find their session gone: whoever reloads after a change of keys would be logged out.
      session.set(HASH, hash!(password));
      return user;
    },

    async updateHash(anySession, user) {
      const session = anySession as Session;
      const [id, password] = [idOf(user), passwordOf(user)];
      await renew(session);
      if (userId(session) === id) session.set(HASH, hash!(password));
    },
  };
}

/** Django's `get_session_auth_hash`, of a password field. */
type SessionAuthHash = (password: string) => string;

function sessionAuthHash(secretKey: string, algorithm: HashAlgorithm): SessionAuthHash {
  const hmac = saltedHmac("django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash", secretKey, algorithm);
  return (password) => hmac(password, "hex");
}

/** A session that is not stored yet has no key that anybody could know, and gets one when it is. */
async function renew(session: Session): Promise<void> {
  if (session.key !== null) await session.cycleKey();
}

function userId(session: Session): string | null {
  return idText(session.get(USER_ID));
}

/** As Django's `value_to_string`; `null` for what is no id. */
function idText(id: unknown): string | null {
  if (typeof id === "string" && id !== "") return id;
  return typeof id === "bigint" || Number.isSafeInteger(id) ? String(id) : null;
}

function idOf(user: DjangoUser): string {
  const id = idText(user?.id);
  if (id !== null) return id;
  throw new SessionError("ERR_CONFIG", "The user's id must be a whole number, or text that is not empty.");
}

/** Never silently none: a query that forgot the column would make every session look good, or every one bad. */
function passwordOf(user: DjangoPasswordField): string {
  const password = user?.password;
  // What Python's str() makes of None, and Django hashes.
  if (password === null) return "None";
  if (typeof password === "string") return password;
  throw new SessionError(
    "ERR_CONFIG",
    "The user's password must be the text of the password field: select that column as well.",
  );
}
