"""Django as the other side of a test: one JSON request a line on stdin, one JSON answer a line on stdout.

The first line is the project's settings. See peer.ts for the requests.
"""

import datetime
import json
import logging
import sys

import project
from shapes import describe, to_python, to_shape

project.configure(sys.stdin.readline())

import django  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from importlib import import_module  # noqa: E402

logging.disable(logging.CRITICAL)
SessionStore = import_module(settings.SESSION_ENGINE).SessionStore


# Sessions that a view has in its hands while others change them, by a name of the test's.
HELD = {}


def session(request):
    store = SessionStore(request["key"])
    if "held" in request:
        store = HELD.setdefault(request["held"], store)
    results = []
    for name, *arguments in request["steps"]:
        try:
            results.append({"value": STEPS[name](store, *arguments)})
        except Exception as error:
            results.append({"error": type(error).__name__})
    return {"key": store.session_key, "results": results}


def raw_set(store, key, shape):
    store[key] = to_python(shape)


def put(store, shape):
    store.update(to_python(shape))


def set_expiry(store, shape):
    store.set_expiry(to_python(shape))


def milliseconds(date):
    """As JavaScript counts them. A naive date is in UTC."""
    utc = datetime.timezone.utc
    aware = date.astimezone(utc) if date.tzinfo else date.replace(tzinfo=utc)
    return (aware - datetime.datetime(1970, 1, 1, tzinfo=utc)) // datetime.timedelta(milliseconds=1)


STEPS = {
    "set": raw_set,
    "update": put,
    "delete": lambda store, key: store.__delitem__(key),
    "clear": lambda store: store.clear(),
    "save": lambda store: store.save(),
    "create": lambda store: store.create(),
    "flush": lambda store: store.flush(),
    "cycleKey": lambda store: store.cycle_key(),
    "setExpiry": set_expiry,
    "expiryAge": lambda store: store.get_expiry_age(),
    "expiryDate": lambda store: milliseconds(store.get_expiry_date()),
    "expiresAtBrowserClose": lambda store: store.get_expire_at_browser_close(),
    "exists": lambda store: store.exists(store.session_key),
    "keys": lambda store: list(store.keys()),
    # Each key and value as a text.
    "items": lambda store: [[describe(key), describe(value)] for key, value in store.items()],
    # What Node reads: from a pickle, and from JSON.
    "shape": lambda store: to_shape(dict(store.items())),
    "plain": lambda store: dict(store.items()),
    # What Node says to write the same into a pickle.
    "written": lambda store: to_shape(dict(store.items()), "written"),
    # The session as one text, with Python's types; of one value, where a key is given.
    "describe": lambda store, key=None: describe(store[key] if key is not None else dict(store.items())),
}


def login_user(request):
    """Makes the user, or changes the password; answers what a login needs."""
    from django.contrib.auth import get_user_model

    user, _ = get_user_model().objects.get_or_create(username=request["username"])
    user.set_password(request["password"])
    user.save()
    return {"id": str(user.pk), "password": user.password, "hash": user.get_session_auth_hash()}


OPERATIONS = {
    "session": session,
    "batch": lambda request: [session(each) for each in request["requests"]],
    "describe": lambda request: [describe(to_python(shape)) for shape in request["shapes"]],
    "encode": lambda request: SessionStore().encode(to_python(request["data"])),
    "decode": lambda request: describe(SessionStore().decode(request["payload"])),
    "migrate": lambda request: call_command("migrate", verbosity=0),
    "rows": lambda request: list(SessionStore.get_model_class().objects.values_list("session_key", flat=True)),
    "clearsessions": lambda request: call_command("clearsessions"),
    "user": login_user,
}


print(json.dumps({"version": django.get_version()}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = json.dumps({"value": OPERATIONS[request["op"]](request)})
    except Exception as error:
        answer = json.dumps({"error": f"{type(error).__name__}: {error}"})
    print(answer, flush=True)
