/** Mistakes in a UwsgiRoute, each with the field and the words that its writer is told. */

export interface Mistake {
  readonly spec: object;
  readonly field: string;
  /** In what the API server tells; the same words as the gateway's own, where they are not the server's. */
  readonly message: string;
}

const BACKENDS = [{ name: "s", port: 80 }];
const ONE_RULE = [{ backendRefs: BACKENDS }];
const HOSTNAME = 'must be a lower-case host name such as "www.example.com"';
const DURATION = 'must be a duration such as "30s", "1m30s" or "500ms"';
const BACKENDS_ONLY = "goes with backendRefs only: remove it from a static rule";

function spec(fields: object): object {
  return { rules: ONE_RULE, ...fields };
}

function rule(fields: object): object {
  return { rules: [fields] };
}

function forward(fields: object): object {
  return rule({ backendRefs: BACKENDS, ...fields });
}

function path(value: string, type = "PathPrefix"): object {
  return forward({ matches: [{ path: { type, value } }] });
}

function backend(...backendRefs: object[]): object {
  return rule({ backendRefs });
}

function many<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

const at = (field: string) => `spec.rules[0].${field}`;
const PATH = at("matches[0].path.value");
const SOCKET = at("backendRefs[0].socket");
const SCRIPT_NAME = 'must begin with "/" and not end with one, such as "/main"';
const ONE_ACTION = "must have exactly one of backendRefs and static";
const SOCKET_OR_SERVICE = "must have either socket, or name and port";

type Row = readonly [name: string, spec: object, field: string, message: string];

const ROWS: readonly Row[] = [
  ["no rules", { hostnames: ["a.example.com"] }, "spec.rules", "Required value"],
  ["an empty list of rules", { rules: [] }, "spec.rules", "should have at least 1 items"],
  ["too many rules", { rules: many(101, () => ONE_RULE[0]) }, "spec.rules", "must have at most 100 items"],
  ["a class without a name", spec({ ingressClassName: "" }), "spec.ingressClassName", "at least 1 chars"],
  ["an upper-case hostname", spec({ hostnames: ["A.example.com"] }), "spec.hostnames[0]", HOSTNAME],
  ["a hostname with a port", spec({ hostnames: ["a.example.com:80"] }), "spec.hostnames[0]", HOSTNAME],
  ["a wildcard in the middle", spec({ hostnames: ["a.*.example.com"] }), "spec.hostnames[0]", HOSTNAME],
  ["a bare wildcard", spec({ hostnames: ["*"] }), "spec.hostnames[0]", HOSTNAME],
  ["an address", spec({ hostnames: ["b.c", "10.0.0.1"] }), "spec.hostnames[1]", "must not be an IP address"],
  ["a long label", spec({ hostnames: [`${"a".repeat(64)}.b`] }), "spec.hostnames[0]", "label longer than 63"],
  ["a hostname twice", spec({ hostnames: ["a.b", "c.d", "a.b"] }), "spec.hostnames", "is listed twice"],
  [
    "too many hostnames",
    spec({ hostnames: many(129, (i) => `h${i}.example.com`) }),
    "spec.hostnames",
    "must have at most 128 items",
  ],
  ["tls without a Secret", spec({ tls: {} }), "spec.tls.secretName", "Required value"],
  [
    "a Secret of another namespace",
    spec({ tls: { secretName: "other/tls" } }),
    "spec.tls.secretName",
    "must be the name alone of a Secret in the route's own namespace",
  ],
  [
    "more pairs of host and path than an object may have",
    {
      hostnames: many(128, (i) => `h${i}.example.com`),
      rules: many(90, (i) => ({
        backendRefs: BACKENDS,
        matches: many(6, (j) => ({ path: { value: `/${i}/${j}` } })),
      })),
    },
    "spec.rules",
    "hostnames times matches must be at most 65536: split the object",
  ],
  ["a rule without action", rule({ matches: [{}] }), "spec.rules[0]", ONE_ACTION],
  ["a rule with two actions", forward({ static: { root: "/srv" } }), "spec.rules[0]", ONE_ACTION],
  ["an empty list of matches", forward({ matches: [] }), at("matches"), "should have at least 1 items"],
  ["too many matches", forward({ matches: many(33, () => ({})) }), at("matches"), "at most 32 items"],
  [
    "an unknown path type",
    path("/", "Prefix"),
    at("matches[0].path.type"),
    'supported values: "PathPrefix", "Exact"',
  ],
  ["a relative path", path("main"), PATH, 'must begin with "/"'],
  ["a path with a query", path("/a?b"), PATH, 'must not contain "?" or "#"'],
  ["a path with a space", path("/a b"), PATH, "must not contain spaces or control characters"],
  ["a path with an encoded slash", path("/a%2Fb"), PATH, "must not contain %2F or %00"],
  ["a path with a bad escape", path("/a%zz"), PATH, "has a bad escape"],
  ["a path with half an escape", path("/a%4"), PATH, "has a bad escape"],
  ["a path with two slashes", path("/a//b"), PATH, 'must not contain "//"'],
  ["a path with dots", path("/a/../b"), PATH, 'must not contain "/." or "/.." segments'],
  ["a path with encoded dots", path("/a/%2E."), PATH, 'must not contain "/." or "/.." segments'],
  ["an empty list of backends", backend(), at("backendRefs"), "should have at least 1 items"],
  ["too many backends", backend(...many(17, () => BACKENDS[0]!)), at("backendRefs"), "at most 16 items"],
  ["a Service without port", backend({ name: "s" }), at("backendRefs[0]"), SOCKET_OR_SERVICE],
  ["a port without Service", backend({ port: 80 }), at("backendRefs[0]"), SOCKET_OR_SERVICE],
  [
    "a port by name",
    backend({ name: "s", port: "http" }),
    at("backendRefs[0].port"),
    "must be of type integer",
  ],
  [
    "a port out of range",
    backend({ name: "s", port: 65536 }),
    at("backendRefs[0].port"),
    "or equal to 65535",
  ],
  [
    "a negative weight",
    backend({ ...BACKENDS[0], weight: -1 }),
    at("backendRefs[0].weight"),
    "or equal to 0",
  ],
  [
    "both Service and socket",
    backend({ ...BACKENDS[0], socket: "unix:/run/app.sock" }),
    at("backendRefs[0]"),
    SOCKET_OR_SERVICE,
  ],
  [
    "a socket that is none",
    backend({ socket: "app" }),
    SOCKET,
    'must be "unix:/absolute/path" or "host:port"',
  ],
  [
    "a relative socket",
    backend({ socket: "unix:run/a" }),
    SOCKET,
    'must give an absolute path after "unix:"',
  ],
  [
    "a long socket",
    backend({ socket: `unix:/${"a".repeat(107)}` }),
    SOCKET,
    "must have a path of at most 107 bytes",
  ],
  ["a socket without port", backend({ socket: "127.0.0.1:0" }), SOCKET, "must have a port from 1 to 65535"],
  ["a socket by name", backend({ socket: "app:29000" }), SOCKET, "must have an IP address"],
  ["a folder without root", rule({ static: {} }), at("static.root"), "Required value"],
  ["a relative folder", rule({ static: { root: "srv" } }), at("static.root"), "must be an absolute path"],
  [
    "a path as index",
    rule({ static: { root: "/srv", index: ["a/b"] } }),
    at("static.index[0]"),
    "must be a file name",
  ],
  ...["uwsgi", "request", "response", "timeouts", "retries", "health"].map(
    (field): Row => [
      `${field} in a static rule`,
      rule({ static: { root: "/srv" }, [field]: {} }),
      at(field),
      BACKENDS_ONLY,
    ],
  ),
  [
    "balancing of files",
    rule({ static: { root: "/s" }, loadBalancing: "RoundRobin" }),
    at("loadBalancing"),
    BACKENDS_ONLY,
  ],
  [
    "aborts of files",
    rule({ static: { root: "/s" }, ignoreClientAbort: true }),
    at("ignoreClientAbort"),
    BACKENDS_ONLY,
  ],
  [
    "an exact match that is stripped",
    rule({
      static: { root: "/s", stripPrefix: true },
      matches: [{}, { path: { type: "Exact", value: "/a" } }],
    }),
    at("static.stripPrefix"),
    "needs PathPrefix matches",
  ],
  [
    "a modifier out of range",
    forward({ uwsgi: { modifier1: 256 } }),
    at("uwsgi.modifier1"),
    "or equal to 255",
  ],
  [
    "a buffer out of range",
    forward({ uwsgi: { bufferSize: 65536 } }),
    at("uwsgi.bufferSize"),
    "or equal to 65535",
  ],
  ["a relative script name", forward({ uwsgi: { scriptName: "main" } }), at("uwsgi.scriptName"), SCRIPT_NAME],
  [
    "a script name's slash",
    forward({ uwsgi: { scriptName: "/main/" } }),
    at("uwsgi.scriptName"),
    SCRIPT_NAME,
  ],
  [
    "a line end in the root",
    forward({ uwsgi: { documentRoot: "/a\nb" } }),
    at("uwsgi.documentRoot"),
    "NUL, CR or LF",
  ],
  [
    "a line end in a param",
    forward({ uwsgi: { params: { A: "a\rb" } } }),
    at("uwsgi.params.A"),
    String.raw`[^\x00\r\n]`,
  ],
  [
    "a line end in a param's mapping",
    forward({ uwsgi: { params: { A: { value: "a\nb" } } } }),
    at("uwsgi.params.A.value"),
    String.raw`[^\x00\r\n]`,
  ],
  [
    "a param without value",
    forward({ uwsgi: { params: { A: { ifNotEmpty: true } } } }),
    at("uwsgi.params.A.value"),
    "Required",
  ],
  [
    "too many params",
    forward({ uwsgi: { params: Object.fromEntries(many(257, (i) => [`P${i}`, "x"])) } }),
    at("uwsgi.params"),
    "must have at most 256 items",
  ],
  [
    "a size in thousandths",
    forward({ request: { maxBodySize: "1m" } }),
    at("request.maxBodySize"),
    'write "Mi"',
  ],
  [
    "a size in words",
    forward({ request: { maxBodySize: "big" } }),
    at("request.maxBodySize"),
    "must be a size such as",
  ],
  [
    "half a byte",
    forward({ request: { maxBodySize: "0.5" } }),
    at("request.maxBodySize"),
    "not a whole number of bytes",
  ],
  [
    "more than can be counted",
    forward({ request: { maxBodySize: "99999T" } }),
    at("request.maxBodySize"),
    "must be at most 9007199254740991 bytes",
  ],
  [
    "a negative size",
    forward({ request: { maxBodySize: -1 } }),
    at("request.maxBodySize"),
    "greater than or equal to 0",
  ],
  [
    "a switch as text",
    forward({ request: { buffering: "off" } }),
    at("request.buffering"),
    "must be of type boolean",
  ],
  ["a time without unit", forward({ timeouts: { read: "60" } }), at("timeouts.read"), DURATION],
  ["a time as a number", forward({ timeouts: { send: 60 } }), at("timeouts.send"), "must be of type string"],
  [
    "no time at all",
    forward({ timeouts: { connect: "0s" } }),
    at("timeouts.connect"),
    "must be longer than 0",
  ],
  ["a time of days", forward({ timeouts: { read: "24h1ms" } }), at("timeouts.read"), "must be at most 24h"],
  [
    "retries without end",
    forward({ retries: { within: "25h" } }),
    at("retries.within"),
    "must be at most 24h",
  ],
  ["too many retries", forward({ retries: { attempts: 11 } }), at("retries.attempts"), "or equal to 10"],
  [
    "a status that is no failure",
    forward({ retries: { statuses: [400] } }),
    at("retries.statuses[0]"),
    'supported values: "403"',
  ],
  [
    "health for no time",
    forward({ health: { failTimeout: "0ms" } }),
    at("health.failTimeout"),
    "must be longer than 0",
  ],
  [
    "unknown balancing",
    forward({ loadBalancing: "Random" }),
    at("loadBalancing"),
    'values: "RoundRobin", "LeastOutstanding"',
  ],
];

export const MISTAKES: ReadonlyMap<string, Mistake> = new Map(
  ROWS.map(([name, spec, field, message]) => [name, { spec, field, message }]),
);
