"""A WSGI app that answers with the request as it reached it: the uwsgi vars in their order, and a digest of the body.

WSGI strings hold one byte per character (latin-1), and so does the JSON: `"\\u00c3"` stands for the byte 0xC3.
"""
import hashlib
import json


def application(environ, start_response):
    body = hashlib.sha256()
    length = 0
    while True:
        piece = environ["wsgi.input"].read(65536)
        if not piece:
            break
        body.update(piece)
        length += len(piece)
    sent = {
        key: value
        for key, value in environ.items()
        if isinstance(value, str) and not key.startswith(("wsgi.", "uwsgi."))
    }
    answer = json.dumps({
        "vars": sent,
        "urlScheme": environ["wsgi.url_scheme"],
        "bodyLength": length,
        "bodySha256": body.hexdigest(),
    }).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]
