import { wrong } from "./settings-dict.ts";

/** As `django.get_version()` gives it: 3.2.25, 5.2, 6.1rc1, 7.0.dev20270101120000. */
const VERSION = /^(\d{1,3})\.(\d{1,2})(?:\.(?:\d{1,3}|dev\d{0,14}))?(?:(?:a|b|rc)\d{1,3})?$/;

/**
 * DJANGO_VERSION as a number that compares: 302 for Django 3.2. `null` if it is not given. Throws `ERR_CONFIG` for one
 * that cannot share sessions with us.
 */
export function djangoVersion(text: unknown): number | null {
  if (text === undefined) return null;
  const [, major, minor] = (typeof text === "string" && VERSION.exec(text)) || [];
  if (major === undefined)
    throw wrong("DJANGO_VERSION", 'must be text such as "5.2.1", as django.get_version() gives it');
  const version = 100 * Number(major) + Number(minor);
  if (version >= 301) return version;
  throw wrong(
    "DJANGO_VERSION",
    `${text} keeps sessions in a format that Django 4 and we only read, to migrate: give the version that you migrate to, "3.2" for example, which reads both`,
  );
}
