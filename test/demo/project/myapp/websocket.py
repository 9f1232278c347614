"""A WebSocket that sends back what it gets, by uWSGI's own interface."""

PATH = "/main/socket"


def application(environ, start_response):
    # The module exists only inside uWSGI.
    import uwsgi

    if not environ.get("HTTP_SEC_WEBSOCKET_KEY"):
        start_response("426 Upgrade Required", [("Content-Type", "text/plain"), ("Content-Length", "0")])
        return []
    try:
        uwsgi.websocket_handshake(environ["HTTP_SEC_WEBSOCKET_KEY"], environ.get("HTTP_ORIGIN", ""))
    except OSError:
        # A uWSGI that was built without OpenSSL, as PyPI's wheels are, cannot sign the handshake.
        start_response("501 Not Implemented", [("Content-Type", "text/plain"), ("Content-Length", "0")])
        return []
    try:
        while True:
            message = uwsgi.websocket_recv()
            if message:
                uwsgi.websocket_send(b"you said: " + message)
    except OSError:
        # How uWSGI tells that the client has gone.
        return []
