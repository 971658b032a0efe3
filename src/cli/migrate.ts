import type { ConnectedStore } from "../connect.ts";
import { SessionError } from "../core/errors.ts";
import { type Command, command } from "./command.ts";
import { EXIT } from "./faults.ts";
import { print } from "./output.ts";
import { SETTINGS_OPTION, STORE_OPTION, shownUrl, source, withStore } from "./source.ts";

/** The stores that keep sessions in Django's table. */
const SQL = /^(sqlite|postgres|postgresql|mysql|mariadb):/;

/** Well-formed, so that every store takes it; and never issued, so that it costs nobody anything. */
const NO_KEY = "00000000";

export const migrate: Command = command({
  name: "migrate",
  summary: "create Django's session table and its index",
  options: { ...STORE_OPTION, ...SETTINGS_OPTION },
  notes: [
    "Safe to repeat: what is there stays as it is.",
    "A table made here is Django's own, to the letter; a Django project takes it over with `python manage.py migrate sessions --fake-initial`.",
  ],
  example: "sojourn migrate --store sqlite:sessions.sqlite3",
  async run(_, options) {
    const { url } = source(options);
    return withStore(url, async (store) => {
      if (!SQL.test(url)) {
        await store.migrate();
        print(`There is nothing to create: ${shownUrl(url)} keeps sessions without a table.`);
        return EXIT.done;
      }
      const missing = await isTableMissing(store);
      await store.migrate();
      print(
        missing
          ? `Created the table django_session and its index on expire_date in ${shownUrl(url)}.`
          : `The table django_session and its index on expire_date are in ${shownUrl(url)}; the table was there before.`,
      );
      print(
        missing
          ? "Django does not know of them yet. If it is to share them, run: python manage.py migrate sessions --fake-initial"
          : "If it was not Django that created the table, Django needs once: python manage.py migrate sessions --fake-initial",
      );
      return EXIT.done;
    });
  },
});

/** Asks through the store, as every other command would: the connection has no other question to ask. */
async function isTableMissing(store: ConnectedStore): Promise<boolean> {
  try {
    await store.load(NO_KEY);
    return false;
  } catch (error) {
    if (error instanceof SessionError && error.message.startsWith("There is no table django_session")) return true;
    throw error;
  }
}
