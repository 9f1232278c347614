"""The app behind every server of the benchmark: as little Python as there can be."""

SMALL = b"Hello, World!\n"
LARGE = b"x" * 65536


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path.endswith("/large"):
        body = LARGE
    elif path.endswith("/upload"):
        read = environ["wsgi.input"].read
        length = 0
        while piece := read(65536):
            length += len(piece)
        body = b"%d\n" % length
    else:
        body = SMALL
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
