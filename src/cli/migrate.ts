import { type Command, command } from "./command.ts";
import { EXIT } from "./faults.ts";
import { print } from "./output.ts";
import { SETTINGS_OPTION, STORE_OPTION, shownUrl, source, withStore } from "./source.ts";

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
    const created = await withStore(url, (store) => store.migrate());
    print(
      created
        ? `Created the table django_session and its index on expire_date in ${shownUrl(url)}.`
        : `The table django_session and its index on expire_date are in ${shownUrl(url)}; the table was there before.`,
    );
    print(
      created
        ? "Django does not know of them yet. If it is to share them, run: python manage.py migrate sessions --fake-initial"
        : "If it was not Django that created the table, Django needs once: python manage.py migrate sessions --fake-initial",
    );
    return EXIT.done;
  },
});
