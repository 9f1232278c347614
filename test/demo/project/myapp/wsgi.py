import os

from django.core.wsgi import get_wsgi_application

from . import websocket

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "myapp.settings")
django_application = get_wsgi_application()


def application(environ, start_response):
    if environ["PATH_INFO"] == websocket.PATH:
        return websocket.application(environ, start_response)
    return django_application(environ, start_response)
