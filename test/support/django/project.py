"""A Django project without files: its settings come as JSON, by Django's names, and the rest is startproject's."""

import json

import django
from django.conf import settings


def configure(text):
    given = json.loads(text)
    # Ours, not Django's: see docs/with-django.md.
    given.pop("DJANGO_VERSION", None)
    # The table of `createcachetable` and the like are nobody's business here; these three are what a login needs.
    given.setdefault(
        "INSTALLED_APPS",
        ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    )
    given.setdefault("DATABASES", {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
    given.setdefault("DEFAULT_AUTO_FIELD", "django.db.models.BigAutoField")
    # As startproject has it since Django 1.4; before 5.0 it is not the default.
    given.setdefault("USE_TZ", True)
    if not given["USE_TZ"]:
        given.setdefault("TIME_ZONE", "UTC")
    settings.configure(**given)
    django.setup()
