/** The rules of section 5, responses; see `rules.ts`. */
import type { Rule } from "./rules.ts";

export const RESPONSE_RULES = {
  "status-field": {
    section: 5,
    nginx: "passes the app's Status field on to the client",
    gateway: "takes the status from it, and drops it",
    why: "It is a word from the app to the gateway.",
  },
  "reason-phrase": {
    section: 5,
    nginx:
      'sends no reason where the app gives none, and "Moved Temporarily" for a Location without a status',
    gateway: "gives the reason of RFC 9110",
    why: "Some clients show it to people.",
  },
  "bad-status": {
    section: 5,
    nginx: "takes a status line that cannot be read for a field, and answers 200",
    gateway: "answers 502",
    why: "An app that fails in this way must not look as if all were well.",
  },
  "version-without-dot": {
    section: 5,
    nginx: "takes `HTTP/2 404` for no status line, and answers 200",
    gateway: "reads it as one",
    why: "Servers echo SERVER_PROTOCOL, and later versions of HTTP have no minor number.",
  },
  "response-length": {
    section: 5,
    nginx: "overlooks a Content-Length that is no number, and takes the last of several",
    gateway: "answers 502 for one that is repeated or no number, or that comes with Transfer-Encoding",
    why: "Where two readers may disagree about a body's end, what follows it can be forged.",
  },
  "response-head": {
    section: 5,
    nginx: "lets pass lines without a colon, control characters in values, and a head that is empty",
    gateway: "answers 502",
    why: "No client can tell what was meant, and RFC 9110 section 5.5 forbids it.",
  },
  "chunked-response": {
    section: 5,
    nginx:
      "wraps a body that the app sent chunked in chunks once more, so that clients get the inner ones as content",
    gateway: "takes the app's coding off, and aborts where it is broken; 502 for any other Transfer-Encoding",
    why: "Gunicorn answers chunked over uwsgi, too.",
  },
  "interim-response": {
    section: 5,
    nginx: "takes a 100 or 103 for the response, and the real one for its body",
    gateway: "skips interim responses, and waits for the real one",
    why: "RFC 9110 section 15.2.",
  },
  "response-hop-by-hop": {
    section: 5,
    nginx: "passes on Proxy-Connection, Trailer, Upgrade and the fields that Connection names",
    gateway: "drops them",
    why: "They speak of the app's connection, not of the client's (RFC 9110 section 7.6.1).",
  },
  "uninvited-upgrade": {
    section: 5,
    nginx: "passes on a 101 that the client did not ask for",
    gateway: "answers 502",
    why: "The client would read what follows as responses.",
  },
  "redirect-target": {
    section: 5,
    nginx: "answers 404 or 500 for an X-Accel-Redirect that is no path, or that climbs with dot segments",
    gateway: "answers 502",
    why: "It is the app's mistake, not the client's.",
  },
  "redirect-body": {
    section: 5,
    nginx: "sends the client's body along when X-Accel-Redirect turns a POST into a GET",
    gateway: "sends the GET without a body",
    why: "That body was for the first app.",
  },
  "redirect-loop": {
    section: 5,
    nginx: "answers 500 and closes the connection when X-Accel-Redirect goes round in circles",
    gateway: "answers 500, and the connection stays usable",
    why: "Nothing is wrong with the connection.",
  },
} as const satisfies Readonly<Record<string, Rule>>;
