import { RESPONSE_RULES } from "./response-rules.ts";
import { STATIC_RULES } from "./static-rules.ts";

/**
 * Where the gateway does not do what NGINX does, and why. Each case that differs names one of these; `docs/behaviour.md` tells users
 * the same. A rule that no case names any more fails the test of that page.
 */
export interface Rule {
  /** Of the wire rules: 1 uwsgi packet, 2 vars, 3 trust, 4 requests, 5 responses, 6 endpoints. */
  readonly section: 1 | 2 | 3 | 4 | 5 | 6;
  readonly nginx: string;
  readonly gateway: string;
  readonly why: string;
}

export const RULES = {
  ...RESPONSE_RULES,
  ...STATIC_RULES,
  "no-fragment": {
    section: 2,
    nginx: "takes a `#` in the request line for a fragment and cuts it off the path",
    gateway: "400",
    why: "No client sends a fragment (RFC 9112 section 3.2). Two parsers that disagree about it see two different paths.",
  },
  "blanks-trimmed": {
    section: 2,
    nginx: "takes off the spaces around a field's value, and leaves tabs",
    gateway: "takes off both",
    why: "Neither is part of the value (RFC 9110 section 5.5).",
  },
  "duplicates-joined": {
    section: 2,
    nginx: "before 1.23: each copy is a var of its own, and the app sees the last one",
    gateway: "one var, the values joined with `, ` (Cookie: with `; `), as NGINX does from 1.23 on",
    why: "No value is lost (RFC 9110 section 5.3, RFC 9113 section 8.2.3).",
  },
  "host-strict": {
    section: 2,
    nginx: "takes nearly any Host: `a@b`, `a\\b`, `a,b`, `a:x`, `a:65536`, `[::1` reach the app",
    gateway: "400",
    why: "An app that builds links or checks its own name must not be handed one that is no name (RFC 3986 section 3.2).",
  },
  "no-default-site": {
    section: 2,
    nginx: "sends a Host that nobody serves to its first site",
    gateway:
      "404, unless a route without hostnames takes any host; HTTP/1.0 without Host goes to such a route or else to the first hostname in alphabetic order, wildcards last",
    why: "An app should see the hosts that it was given, and no others; which object comes first means nothing in a cluster.",
  },
  "absolute-form-host": {
    section: 2,
    nginx: "HTTP_HOST is the Host field, whatever the target says; REQUEST_URI may lack its slash",
    gateway: "HTTP_HOST is the target's authority, REQUEST_URI always has a path",
    why: "A target's authority replaces Host (RFC 9112 section 3.2.2): routing and app must not see two hosts.",
  },
  "http-schemes-only": {
    section: 2,
    nginx: "takes any scheme in an absolute-form target",
    gateway: "400 for any but http and https",
    why: "What it asks for is not served here (RFC 9110 section 7.4).",
  },
  "step-up-whole": {
    section: 2,
    nginx:
      "with `merge_slashes off`, `..` behind two slashes takes back only the second: `/a//../b` is `/a/b`",
    gateway: "`..` takes back the last name, in a route with `mergeSlashes: false` too: `/b`",
    why: "Routes are matched with slashes merged. The path that chose the route and the path that the app sees must not lie in different folders.",
  },
  "server-name-any-host": {
    section: 2,
    nginx: "SERVER_NAME is empty where the site has no name",
    gateway: "SERVER_NAME is the request's own host",
    why: "WSGI wants a name there (PEP 3333).",
  },
  "no-transfer-encoding-var": {
    section: 4,
    nginx: "decodes a chunked body and still sends HTTP_TRANSFER_ENCODING: chunked along",
    gateway: "no such var",
    why: "An app that believes it would decode the body a second time, or wait for chunks that never come.",
  },
  "half-close": {
    section: 4,
    nginx: "drops a request whose client has ended its sending side",
    gateway:
      "answers it where FIN comes less than 100 ms after the request's last byte, or behind pipelined requests that wait, and closes then; a later FIN, and any while server-sent events are under way, is an abort as in NGINX. A client that closed altogether within those 100 ms is told from one that waits by the first bytes sent to it, which draw a reset: until then its app works on",
    why: "Whoever ends its sending side along with its request has said all that it will and waits for the answer (RFC 9112 section 9.6); whoever closes later has given up.",
  },
  "short-body-dropped": {
    section: 4,
    nginx: "closes the connection behind 413",
    gateway:
      "reads and drops a body up to 64 KiB, and goes on with the connection; behind larger ones, and chunks that are not all there yet, it closes",
    why: "A client that has sent the body already can go on with its next request.",
  },
  "forwarded-set": {
    section: 3,
    nginx:
      "forwarded headers reach the app as the client sent them, and uWSGI believes X-Forwarded-Proto and -SSL",
    gateway:
      "X-Forwarded-For, -Proto, -Host, -Port, -SSL, Forwarded and X-Real-IP are the gateway's; from `--trusted-proxies` For is appended to and the others are kept",
    why: "Otherwise any client says that it came by https, or from another address.",
  },
  "hop-by-hop": {
    section: 3,
    nginx:
      "passes Connection and what it names, Keep-Alive, TE, Trailer, Upgrade, Proxy and Proxy-* to the app",
    gateway: "does not, but for Connection and Upgrade of an upgrade",
    why: "They speak of one connection only (RFC 9110 section 7.6.1); `Proxy` is how httpoxy redirects an app's own requests.",
  },
  "length-canonical": {
    section: 4,
    nginx: "CONTENT_LENGTH as the client wrote it",
    gateway: "CONTENT_LENGTH as the number that was read",
    why: "No second reader has to find the same number in it.",
  },
  "field-lines-strict": {
    section: 4,
    nginx: "takes a line without a colon for a field without a value, and control bytes in values",
    gateway: "400",
    why: "Neither is HTTP (RFC 9110 section 5.5, RFC 9112 section 5), and parsers disagree about both.",
  },
  "chunks-strict": {
    section: 4,
    nginx: "Debian's 1.22: a bare LF may end a chunk's line",
    gateway: "400, and the connection is closed",
    why: "Requests have been smuggled past parsers that disagree about it (RFC 9112 section 7.1).",
  },
  "no-http-0.9": {
    section: 4,
    nginx: "answers a request line without a version with the bare body",
    gateway: "400",
    why: "Nobody speaks HTTP/0.9; what looks like it is another protocol, or an attack.",
  },
  "request-line-strict": {
    section: 4,
    nginx: "takes several spaces in the request line, and spaces at its end",
    gateway: "400",
    why: "There is exactly one (RFC 9112 section 3).",
  },
  "connect-405": {
    section: 4,
    nginx: "Debian's 1.22: CONNECT with an authority is a 400",
    gateway: "405",
    why: "The request is well formed; it is the method that is not served.",
  },
  "version-served": {
    section: 4,
    nginx: "SERVER_PROTOCOL is HTTP/1.2 where the client wrote that",
    gateway: "SERVER_PROTOCOL is the version that is spoken: HTTP/1.1",
    why: "uWSGI copies it into its answer.",
  },
  "one-empty-line": {
    section: 4,
    nginx: "skips any number of empty lines before a request",
    gateway: "skips one; 400 for more",
    why: "One is for old clients that send it after a body (RFC 9112 section 2.2); nobody sends more.",
  },
  "target-limit": {
    section: 4,
    nginx: "8 KiB for the whole request line, method and version included",
    gateway: "8 KiB for the target",
    why: "The limit is easier to state, and to keep on the client's side.",
  },
  "too-large-431": {
    section: 4,
    nginx: "400 for a header line or a head that is too large",
    gateway: "431",
    why: "It names what is wrong (RFC 6585 section 5).",
  },
  "buffer-size-431": {
    section: 1,
    nginx: "502: uWSGI closes without a word on a request above its `--buffer-size`",
    gateway:
      "431 before uWSGI is contacted, by the route's `uwsgi.bufferSize`, with a log line that names the option",
    why: "The client is told what is wrong, and the administrator what to raise.",
  },
  "max-vars-431": {
    section: 1,
    nginx: "502: uWSGI closes without a word on a request with more vars than its `--max-vars`",
    gateway:
      "431 before uWSGI is contacted, by the route's `uwsgi.maxVars`, with a log line that names the option",
    why: "The client is told what is wrong, and the administrator what to raise.",
  },
  "block-431": {
    section: 1,
    nginx: "500 for a request that does not fit the 65535 bytes of a uwsgi packet",
    gateway: "431",
    why: "It is the request that is too large.",
  },
  "no-needless-100": {
    section: 4,
    nginx: "answers `Expect: 100-continue` with 100 even where the body is empty",
    gateway: "sends 100 only where there is a body to wait for",
    why: "There is nothing to continue with (RFC 9110 section 10.1.1).",
  },
  "says-408": {
    section: 4,
    nginx: "closes the connection of a client that is too slow without a word",
    gateway: "says 408 first",
    why: "The client learns why (RFC 9110 section 15.5.9).",
  },
  "chunked-streamed": {
    section: 4,
    nginx: "gathers a chunked body even where request buffering is off",
    gateway: "streams it, still chunked, to uWSGI's chunked input (`uwsgi.chunked_read()`)",
    why: "Whoever turns buffering off wants the bytes as they come, and uWSGI can read them.",
  },
  "closes-at-once": {
    section: 4,
    nginx: "keeps its sending side open for up to 5 s behind 413, waiting for the body",
    gateway: "ends it at once, and reads on for a while so that the answer is not lost",
    why: "The client learns at once that nothing more will come (RFC 9112 section 9.6).",
  },
  "retry-known-methods": {
    section: 6,
    nginx: "repeats a request that an endpoint failed on, unless it is POST, LOCK or PATCH",
    gateway: "repeats GET, HEAD, OPTIONS, PUT and DELETE only, unless the rule says `nonIdempotent`",
    why: "What a method of another name does is anyone's guess (RFC 9110 section 9.2.2).",
  },
  "bad-head-retried": {
    section: 6,
    nginx:
      "tries another endpoint after an answer that cannot be read only with `uwsgi_next_upstream invalid_header`",
    gateway: "does so by default, for the methods that it repeats",
    why: "No answer was got, as with a connection that breaks.",
  },
  "no-endpoint-503": {
    section: 6,
    nginx: "502 where no endpoint is in use",
    gateway: "503",
    why: "Nobody answered badly: nobody is there, for now (RFC 9110 section 15.6.4).",
  },
  "unread-body": {
    section: 5,
    nginx: "often 502 where an app answers a large request without reading its body",
    gateway: "the app's answer: it is read with priority, and the rest of the body is not sent",
    why: "The app has answered; that is what the client should see.",
  },
} as const satisfies Readonly<Record<string, Rule>>;

export type RuleId = keyof typeof RULES;
