"""The WSGI app behind both gateways. It writes down each request as it came, and answers as the path says.

What it saw goes to the file $SEEN as one JSON line, before the answer begins. WSGI strings hold one byte per character
(latin-1), and so does the JSON: `"\\u00c3"` stands for the byte 0xC3.
"""
import hashlib
import json
import os

import uwsgi

SEEN = os.open(os.environ["SEEN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
TEXT = [("Content-Type", "text/plain")]


def application(environ, start_response):
    answer = ANSWERS.get(environ["PATH_INFO"], plain)
    body = b"" if answer in UNREAD else read_body(environ)
    write_down(environ, body)
    return answer(environ, start_response, body)


def read_body(environ):
    if environ["CONTENT_LENGTH"] == "" and environ["QUERY_STRING"] == "chunked-input":
        return b"".join(iter(lambda: uwsgi.chunked_read(5), b""))
    return b"".join(iter(lambda: environ["wsgi.input"].read(65536), b""))


def write_down(environ, body):
    sent = {
        key: value
        for key, value in environ.items()
        if isinstance(value, str) and not key.startswith(("wsgi.", "uwsgi."))
    }
    seen = {
        "vars": sent,
        "urlScheme": environ["wsgi.url_scheme"],
        "bodyLength": len(body),
        "bodySha256": hashlib.sha256(body).hexdigest(),
    }
    os.write(SEEN, json.dumps(seen).encode() + b"\n")


def plain(environ, start_response, body):
    start_response("200 OK", [*TEXT, ("Content-Length", "4")])
    return [b"app\n"]


def no_length(environ, start_response, body):
    start_response("200 OK", TEXT)
    return iter([b"one ", b"two ", b"three\n"])


def empty(environ, start_response, body):
    start_response("200 OK", TEXT)
    return []


def no_content(environ, start_response, body):
    start_response("204 No Content", [])
    return []


def not_modified(environ, start_response, body):
    start_response("304 Not Modified", [("ETag", '"a"'), ("Cache-Control", "max-age=60")])
    return []


def not_found(environ, start_response, body):
    start_response("404 Nobody Home", [*TEXT, ("Content-Length", "5")])
    return [b"none\n"]


def redirect(environ, start_response, body):
    start_response("302 Found", [("Location", "/elsewhere?a=b"), ("Content-Length", "0")])
    return []


def many_fields(environ, start_response, body):
    fields = [
        ("Set-Cookie", "a=1; Path=/"),
        ("Set-Cookie", "b=2; HttpOnly"),
        ("Link", "</a>; rel=preload"),
        ("Link", "</b>; rel=preload"),
        ("Vary", "Cookie"),
        ("Vary", "Accept"),
        ("Cache-Control", "private"),
        ("Cache-Control", "max-age=0"),
        ("WWW-Authenticate", "Basic"),
        ("WWW-Authenticate", "Bearer"),
        ("X-Many", "1"),
        ("X-Many", "2"),
    ]
    start_response("401 Unauthorized", [*fields, ("Content-Length", "0")])
    return []


def own_identity(environ, start_response, body):
    fields = [("Server", "mine/1.0"), ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("Content-Length", "0")]
    start_response("200 OK", fields)
    return []


def raw_bytes(environ, start_response, body):
    start_response("200 OK", [("X-Name", "caf\u00c3\u00a9"), ("Content-Length", "0")])
    return []


def short(environ, start_response, body):
    start_response("200 OK", [*TEXT, ("Content-Length", "10")])
    return [b"short"]


def long(environ, start_response, body):
    start_response("200 OK", [*TEXT, ("Content-Length", "4")])
    return [b"long and longer"]


def large(environ, start_response, body):
    start_response("200 OK", [*TEXT, ("Content-Length", "1048576")])
    return (b"0123456789abcdef" * 1024 for _ in range(64))


def echo(environ, start_response, body):
    start_response("200 OK", [*TEXT, ("Content-Length", str(len(body)))])
    return [body]


def unread(environ, start_response, body):
    start_response("403 Forbidden", [*TEXT, ("Content-Length", "3")])
    return [b"no\n"]


def broken(environ, start_response, body):
    raise RuntimeError("as planned")


def broken_midway(environ, start_response, body):
    start_response("200 OK", [*TEXT, ("Content-Length", "10")])
    yield b"half"
    raise RuntimeError("as planned")


UNREAD = {unread}
ANSWERS = {
    "/no-length": no_length,
    "/empty": empty,
    "/no-content": no_content,
    "/not-modified": not_modified,
    "/not-found": not_found,
    "/redirect": redirect,
    "/many-fields": many_fields,
    "/own-identity": own_identity,
    "/raw-bytes": raw_bytes,
    "/short": short,
    "/long": long,
    "/large": large,
    "/echo": echo,
    "/unread": unread,
    "/broken": broken,
    "/broken-midway": broken_midway,
}
