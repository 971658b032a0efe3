"""A Django site, served by Django's own server with Django's own middleware: what a Node server stands beside.

The first line of stdin is the project's settings; the first line on stdout is the port. See site.ts.
"""

import json
import logging
import sys

import project

given = json.loads(sys.stdin.readline())
given.update({
    # startproject's, of which the others have no say in sessions.
    "MIDDLEWARE": [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    "ALLOWED_HOSTS": ["*"],
    # A real one takes half a second for each password.
    "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
    "ROOT_URLCONF": "__main__",
    # Tables at once, without the history of each.
    "MIGRATION_MODULES": {app: None for app in ("auth", "contenttypes", "sessions")},
})
project.configure(json.dumps(given))

from django.conf import settings  # noqa: E402
from django.contrib import auth  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler  # noqa: E402
from django.http import HttpResponse, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402

User = auth.get_user_model()


def page(request):
    return HttpResponse(settings.PAGE)


def nothing(request):
    return JsonResponse({})


def who(request):
    user = request.user.get_username() or None
    return JsonResponse({
        "user": user,
        "data": {key: value for key, value in request.session.items() if not key.startswith("_")},
        "age": request.session.get_expiry_age(),
        "endsWithBrowser": request.session.get_expire_at_browser_close(),
    })


def login(request):
    user = auth.authenticate(request, username=request.POST["username"], password=request.POST["password"])
    if user is None:
        return JsonResponse({}, status=403)
    auth.login(request, user)
    return who(request)


def logout(request):
    auth.logout(request)
    return who(request)


def put(request):
    request.session[request.POST["key"]] = json.loads(request.POST["value"])
    return who(request)


def expiry(request):
    request.session.set_expiry(json.loads(request.POST["expiry"]))
    return who(request)


def password(request):
    request.user.set_password(request.POST["password"])
    request.user.save()
    auth.update_session_auth_hash(request, request.user)
    return who(request)


def users(request):
    """The table of users: a Node server would ask the database."""
    if request.method == "GET":
        user = User.objects.filter(is_active=True, **request.GET.dict()).first()
        return JsonResponse({"user": user and {"id": user.pk, "username": user.username, "password": user.password}})
    form = request.POST.dict()
    user, _ = User.objects.get_or_create(username=form.pop("username"))
    if "raw" in form:
        user.set_password(form.pop("raw"))
    for field, value in form.items():
        setattr(user, field, json.loads(value))
    user.save()
    return JsonResponse({"id": user.pk})


VIEWS = {
    "": page,
    "nothing": nothing,
    "who": who,
    "login": login,
    "logout": logout,
    "set": put,
    "expiry": expiry,
    "password": password,
    "users": users,
}
urlpatterns = [path(name, view) for name, view in VIEWS.items()]

logging.disable(logging.CRITICAL)
call_command("migrate", run_syncdb=True, verbosity=0)


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet)
server.daemon_threads = True
server.set_app(WSGIHandler())
print(server.server_port, flush=True)
server.serve_forever()
