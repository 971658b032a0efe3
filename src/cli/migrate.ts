import { type Command, command } from "./command.ts";
import { EXIT } from "./faults.ts";
import { print } from "./output.ts";
import { expiresByItself, SETTINGS_OPTION, STORE_OPTION, shownUrl, source, withStore } from "./source.ts";

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
    const from = source(options);
    const where = shownUrl(from.url);
    const created = await withStore(from, (store) => store.migrate());
    if (expiresByItself(from.url)) {
      print(`There is nothing to create in ${where}.`);
    } else if (from.url.startsWith("file:")) {
      print(created ? `Created the directory ${where}.` : `The directory ${where} was there before.`);
    } else if (created) {
      print(`Created the table django_session and its index on expire_date in ${where}.`);
      print(
        "Django does not know of them yet. If it is to share them, run: python manage.py migrate sessions --fake-initial",
      );
    } else {
      print(`The table django_session and its index on expire_date are in ${where}; the table was there before.`);
      print(
        "If it was not Django that created the table, Django needs once: python manage.py migrate sessions --fake-initial",
      );
    }
    return EXIT.done;
  },
});
