import type { SessionStore } from "../../../src/core/contracts.ts";
import { deadline } from "../../../src/core/deadline.ts";
import { cachedStore } from "../../../src/stores/cached/store.ts";
import type { SqlClient, SqlDialect } from "../../../src/stores/sql/dialect.ts";
import { sqlStore } from "../../../src/stores/sql/store.ts";
import type { Pass } from "./fates.ts";

/** A place for sessions, and ways to it. */
export interface Place {
  /** The store whose driver's calls are made by `pass`. */
  store(pass: Pass): SessionStore;
  /** Where another process finds what is true: past the cache, if there is one. */
  readonly truth: SessionStore;
  /** The records that have expired and are still there. */
  countExpired(): Promise<number>;
}

/** What an engine keeps its sessions in. */
export interface Kind {
  readonly name: string;
  /** @param id what has another does not meet these sessions */
  place(id: number): Promise<Place>;
  /** Whether the store itself bounds how long a clean-up waits for an answer. */
  readonly boundsCleanUp: boolean;
}

export function place(ways: Omit<Place, "truth">): Place {
  return { ...ways, truth: ways.store((_name, run) => run()) };
}

/** As drivers say it, with all that they were told. */
export const broken = (parameters: unknown) => () =>
  Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", parameters, command: { args: parameters } });

/** A table of its own for each place, in one database: where a statement is, its name is put in. */
export function sqlKind(name: string, dialect: SqlDialect, client: SqlClient): Kind {
  const places = new Map<number, Place>();
  return {
    name,
    boundsCleanUp: false,
    async place(id) {
      // To create one for each run would take longer than all the rest.
      const known = places.get(id);
      if (known) return known;
      const own = (sql: string) => sql.replaceAll("django_session", `s${id}`);
      const inPlace: SqlClient = {
        rows: (sql, parameters) => client.rows(own(sql), parameters),
        run: (sql, parameters) => client.run(own(sql), parameters),
      };
      for (const statement of dialect.schema) await inPlace.run(statement, []);
      const made = place({
        store: (pass) =>
          sqlStore(
            {
              rows: (sql, values) => pass("rows", () => inPlace.rows(sql, values), broken(values)),
              run: (sql, values) => pass("run", () => inPlace.run(sql, values), broken(values)),
            },
            dialect,
          ),
        async countExpired() {
          const sql = `SELECT COUNT(*) FROM django_session WHERE expire_date < ${dialect.placeholder(1)}`;
          const [row] = await inPlace.rows(sql, [dialect.instant(new Date())]);
          return Number(row![0]);
        },
      });
      places.set(id, made);
      return made;
    },
  };
}

/** Django's cached_db: both drivers' calls are counted as they come. */
export function cachedKind(cache: Kind, over: Kind): Kind {
  return {
    name: `cached_db, ${cache.name} over ${over.name}`,
    boundsCleanUp: false,
    async place(id) {
      const [front, back] = [await cache.place(id), await over.place(id)];
      return {
        store(pass) {
          // As `connect` has it: what the cache holds is sure only once the database's answer is not awaited any more.
          const inTime = deadline(600, "answer");
          const bounded: Pass = (...call) => inTime(pass(...call));
          return cachedStore(front.store(pass), back.store(bounded), { cacheTimeoutMs: 40 });
        },
        truth: back.truth,
        countExpired: back.countExpired,
      };
    },
  };
}

/** Where the backend expires them by itself. */
export const nothingExpired = async (): Promise<number> => 0;
