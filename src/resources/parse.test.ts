/**
 * Proves the door of this folder: which objects are read and which ignored, that each mistake is a problem with the
 * field's path and what to do, and that no input throws. What good objects mean is shown by translate's golden files.
 */
import { describe, expect, test } from "bun:test";
import { inspect } from "node:util";
import { parse } from "yaml";
import { openLists, type ParseResult, parseObject } from "./parse.ts";

function read(yaml: string): ParseResult {
  return parseObject(parse(yaml));
}

function route(spec: string): ParseResult {
  return read(
    `{apiVersion: uwsgi-gateway.io/v1alpha1, kind: UwsgiRoute, metadata: {name: r, namespace: web}, spec: ${spec}}`,
  );
}

function rule(fields: string): ParseResult {
  return route(`{rules: [{${fields}}]}`);
}

/** `field: message` of each problem. */
function problems(result: ParseResult): string[] {
  if (result.type !== "invalid") throw new Error(`expected problems, got ${result.type}`);
  return result.problems.map(({ field, message }) => `${field}: ${message}`);
}

const UNKNOWN = "is not a known field: check its spelling and its place, or remove it";
const DURATION = 'must be a duration such as "30s", "1m30s" or "500ms"';
const B = "backendRefs: [{name: s, port: 80}]";

describe("which objects", () => {
  test("kinds that are not read are ignored", () => {
    expect(read("{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}}")).toEqual({ type: "ignored" });
    expect(read("{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: s}}")).toEqual({
      type: "ignored",
    });
    expect(read("{apiVersion: v1, kind: Secret, type: Opaque, metadata: {name: s}}")).toEqual({
      type: "ignored",
    });
  });

  test("a kind that looks like a slip of one that is read says which", () => {
    const meant = (apiVersion: string, kind: string) =>
      read(`{apiVersion: ${apiVersion}, kind: ${kind}, metadata: {name: i}}`);
    for (const kind of ["Ingres", "ingress", "Ingresses", "Igress"]) {
      expect(meant("networking.k8s.io/v1", kind)).toEqual({ type: "ignored", meant: "Ingress" });
    }
    expect(meant("v1", "Services")).toEqual({ type: "ignored", meant: "Service" });
    expect(meant("discovery.k8s.io/v1", "EndpointSlices")).toEqual({
      type: "ignored",
      meant: "EndpointSlice",
    });
    for (const [apiVersion, kind] of [
      ["networking.k8s.io/v1", "NetworkPolicy"],
      ["v1", "ServiceAccount"],
      ["v1", "Event"],
      ["v1", "Pod"],
      ["apps/v1", "Ingres"],
      ["v1", "Ingress"],
    ] as const) {
      expect(meant(apiVersion, kind)).toEqual({ type: "ignored" });
    }
  });

  test("old and wrong versions of what is read say which one to use", () => {
    const old = read("{apiVersion: extensions/v1beta1, kind: Ingress, metadata: {name: i}}");
    expect(problems(old)).toEqual(["apiVersion: must be networking.k8s.io/v1"]);
    const wrong = read("{apiVersion: uwsgi-gateway.io/v1, kind: UwsgiRoute, metadata: {name: r}}");
    expect(problems(wrong)).toEqual(["apiVersion: must be uwsgi-gateway.io/v1alpha1"]);
    const group = read("{apiVersion: v1, kind: UwsgiRoute, metadata: {name: r}}");
    expect(problems(group)).toEqual(["apiVersion: must be uwsgi-gateway.io/v1alpha1"]);
    const kind = read("{apiVersion: uwsgi-gateway.io/v1alpha1, kind: UwsgiRoutes, metadata: {name: r}}");
    expect(problems(kind)).toEqual(["kind: is not a kind of this group: use UwsgiRoute"]);
  });

  test("what is no object says so, and never throws", () => {
    expect(problems(parseObject({}))).toEqual([
      "apiVersion: is required: give a string",
      "kind: is required: give a string",
    ]);
    for (const raw of [1, "text", true, [], [1], { kind: 1, apiVersion: 2 }]) {
      expect(parseObject(raw).type).toBe("invalid");
    }
    for (const metadata of [
      null,
      1,
      [],
      {},
      { name: null },
      { name: "a", namespace: 1 },
      { name: "UPPER" },
    ]) {
      const raw = { apiVersion: "v1", kind: "Service", metadata, spec: {} };
      expect(parseObject(raw).type).toBe("invalid");
    }
  });

  test("lists are opened, empty documents hold nothing", () => {
    const list = parse("{kind: List, items: [{kind: A}, {kind: UwsgiRouteList, items: [{kind: B}]}]}");
    expect(openLists(list)).toEqual([{ kind: "A" }, { kind: "B" }]);
    expect(openLists(null)).toEqual([]);
    expect(openLists("text")).toEqual(["text"]);
  });

  test("an invalid object says who it is, and its class", () => {
    const result = route("{ingressClassName: other, rules: []}");
    expect(result).toMatchObject({
      ref: { kind: "UwsgiRoute", namespace: "web", name: "r" },
      className: "other",
    });
  });

  test("namespaces default as kubectl's do; a creation time is kept", () => {
    const service = read(
      '{apiVersion: v1, kind: Service, metadata: {name: s, creationTimestamp: "2026-01-01T00:00:00Z"}, spec: {ports: null}}',
    );
    expect(service).toMatchObject({ object: { namespace: "default", createdAtMs: Date.UTC(2026, 0, 1) } });
  });
});

describe("UwsgiRoute", () => {
  test.each([
    ["", "spec: is required: give a mapping"],
    ["{}", "spec.rules: is required: give a list"],
    ["{rules: []}", "spec.rules: must have at least 1 entry"],
    ["{rules: [{static: {root: /s}}], hostname: a}", `spec.hostname: ${UNKNOWN}`],
    ["{rules: [{static: {root: /s}}], hostnames: a}", 'spec.hostnames: must be a list, not the string "a"'],
    [
      "{rules: [{static: {root: /s}}], hostnames: [10.0.0.1]}",
      "spec.hostnames[0]: must not be an IP address: leave the host out to match any host",
    ],
    [
      "{rules: [{static: {root: /s}}], hostnames: [a.b, a.b]}",
      "spec.hostnames[1]: is listed twice: remove one",
    ],
    ["{rules: [{static: {root: /s}}], tls: {}}", "spec.tls.secretName: is required: give a string"],
  ])("spec %s", (spec, problem) => {
    expect(
      problems(
        spec === ""
          ? read("{apiVersion: uwsgi-gateway.io/v1alpha1, kind: UwsgiRoute, metadata: {name: r}}")
          : route(spec),
      ),
    ).toEqual([problem]);
  });

  test.each([
    ["", ": must have exactly one of backendRefs and static"],
    [`${B}, static: {root: /s}`, ": must have exactly one of backendRefs and static"],
    [`${B}, match: []`, `.match: ${UNKNOWN}`],
    [`${B}, matches: []`, ".matches: must have at least 1 entry"],
    [
      `${B}, matches: [{path: {type: Prefix}}]`,
      '.matches[0].path.type: must be one of PathPrefix, Exact, not the string "Prefix"',
    ],
    [`${B}, matches: [{path: {value: main}}]`, '.matches[0].path.value: must begin with "/"'],
    [`${B}, matches: [{path: /main}]`, '.matches[0].path: must be a mapping, not the string "/main"'],
    ["backendRefs: []", ".backendRefs: must have at least 1 entry"],
    ["backendRefs: [{name: s}]", ".backendRefs[0]: must have name and port of a Service, or a socket"],
    ["backendRefs: [{port: 80}]", ".backendRefs[0]: must have name and port of a Service, or a socket"],
    ['backendRefs: [{name: s, port: "80"}]', '.backendRefs[0].port: must be a number, not the string "80"'],
    ["backendRefs: [{name: s, port: 65536}]", ".backendRefs[0].port: must be at most 65535"],
    ["backendRefs: [{name: s, port: 80, weight: -1}]", ".backendRefs[0].weight: must be at least 0"],
    [
      "backendRefs: [{name: s, port: 80, namespace: other}]",
      '.backendRefs[0].namespace: must be "web": a route reaches Services of its own namespace only',
    ],
    [
      "backendRefs: [{name: s, socket: 'unix:/a'}]",
      ".backendRefs[0]: must have either socket, or name and port",
    ],
    [
      "backendRefs: [{socket: 'app:1'}]",
      '.backendRefs[0].socket: must have an IP address or "localhost" as its host, not "app"',
    ],
    ["static: {}", ".static.root: is required: give a string"],
    ["static: {root: static}", '.static.root: must be an absolute path, beginning with "/"'],
    ["static: {root: /s, index: [a/b]}", '.static.index[0]: must be a file name without "/"'],
    [
      "static: {root: /s}, timeouts: {read: 1s}",
      ".timeouts: goes with backendRefs only: remove it from a static rule",
    ],
    [
      "static: {root: /s, stripPrefix: true}, matches: [{path: {type: Exact, value: /a}}]",
      ".static.stripPrefix: needs PathPrefix matches: an Exact match leaves nothing to look up",
    ],
    [`${B}, uwsgi: {modifier1: 256}`, ".uwsgi.modifier1: must be at most 255"],
    [`${B}, uwsgi: {bufferSize: 65536}`, ".uwsgi.bufferSize: must be at most 65535"],
    [
      `${B}, uwsgi: {scriptName: main}`,
      '.uwsgi.scriptName: must begin with "/" and not end with one, such as "/main"',
    ],
    [
      `${B}, uwsgi: {scriptName: /main/}`,
      '.uwsgi.scriptName: must begin with "/" and not end with one, such as "/main"',
    ],
    [`${B}, uwsgi: {documentRoot: "/a\\nb"}`, ".uwsgi.documentRoot: must not contain NUL, CR or LF"],
    [
      `${B}, uwsgi: {params: {A: 1}}`,
      ".uwsgi.params.A: must be a string (put quotes around a number), or a mapping of value and ifNotEmpty",
    ],
    [`${B}, uwsgi: {params: {A: "a\\rb"}}`, ".uwsgi.params.A: must not contain NUL, CR or LF"],
    [
      `${B}, uwsgi: {params: {CONTENT_LENGTH: "1"}}`,
      ".uwsgi.params.CONTENT_LENGTH: is set by the gateway from the body that it sends: remove it",
    ],
    [
      `${B}, uwsgi: {params: {"A B": x}}`,
      '.uwsgi.params.A B: must have a name of letters, digits, "_" and "-" that does not begin with a digit or "-"',
    ],
    [
      `${B}, request: {maxBodySize: 1m}`,
      '.request.maxBodySize: "m" stands for thousandths in Kubernetes: for mebibytes write "1Mi"',
    ],
    [`${B}, request: {maxBodySize: -1}`, ".request.maxBodySize: must be at least 0"],
    [`${B}, request: {buffering: "off"}`, '.request.buffering: must be true or false, not the string "off"'],
    [`${B}, timeouts: {read: 60}`, `.timeouts.read: ${DURATION}`],
    [`${B}, timeouts: {read: 60sec}`, `.timeouts.read: ${DURATION}`],
    [`${B}, timeouts: {read: 0s}`, ".timeouts.read: must be longer than 0: no timeout can be turned off"],
    [`${B}, timeouts: {read: 25h}`, ".timeouts.read: must be at most 24h"],
    [`${B}, retries: {attempts: 11}`, ".retries.attempts: must be at most 10"],
    [
      `${B}, retries: {statuses: [400]}`,
      ".retries.statuses[0]: must be one of 403, 404, 429, 500, 502, 503, 504, not the number 400",
    ],
    [
      `${B}, health: {failTimeout: 0s}`,
      ".health.failTimeout: must be longer than 0: no timeout can be turned off",
    ],
    [
      `${B}, loadBalancing: random`,
      '.loadBalancing: must be one of RoundRobin, LeastOutstanding, not the string "random"',
    ],
  ])("rule {%s}", (fields, problem) => {
    expect(problems(rule(fields))).toEqual([`spec.rules[0]${problem}`]);
  });

  test("params are bounded", () => {
    const params = Array.from({ length: 257 }, (_, i) => `P${i}: x`).join(", ");
    expect(problems(rule(`${B}, uwsgi: {params: {${params}}}`))).toEqual([
      "spec.rules[0].uwsgi.params: must have at most 256 entries",
    ]);
  });

  test("every mistake is told at once", () => {
    const result = rule(`${B}, timeouts: {read: 0s}, request: {maxBodySize: 1m}, uwsgi: {scriptName: a}`);
    expect(problems(result).length).toBe(3);
  });

  test("what one object can expand to is bounded", () => {
    const hostnames = Array.from({ length: 128 }, (_, i) => `h${i}.example.com`);
    const rules = Array.from({ length: 90 }, (_, i) => ({
      matches: [1, 2, 3, 4, 5, 6].map((j) => ({ path: { value: `/${i}/${j}` } })),
      static: { root: "/s" },
    }));
    const raw = {
      apiVersion: "uwsgi-gateway.io/v1alpha1",
      kind: "UwsgiRoute",
      metadata: { name: "r" },
      spec: { hostnames, rules },
    };
    expect(problems(parseObject(raw))).toEqual([
      "spec.rules: hostnames times matches must be at most 65536: split the object",
    ]);
  });
});

describe("Ingress", () => {
  function ingress(spec: string, annotations = "{}"): ParseResult {
    return read(
      `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i, annotations: ${annotations}}, spec: ${spec}}`,
    );
  }
  const S = "{service: {name: s, port: {number: 80}}}";

  test.each([
    ["{}", "spec: must have rules or a defaultBackend"],
    [
      "{rules: [{host: A.b}]}",
      'spec.rules[0].host: must be a lower-case host name such as "www.example.com" or "*.example.com", without port or trailing dot',
    ],
    [
      "{rules: [{host: 10.0.0.1}]}",
      "spec.rules[0].host: must not be an IP address: leave the host out to match any host",
    ],
    [
      `{rules: [{http: {paths: [{path: /, backend: ${S}}]}}]}`,
      "spec.rules[0].http.paths[0].pathType: is required: give one of Exact, Prefix, ImplementationSpecific",
    ],
    [
      `{rules: [{http: {paths: [{path: a, pathType: Exact, backend: ${S}}]}}]}`,
      'spec.rules[0].http.paths[0].path: must begin with "/"',
    ],
    [
      `{rules: [{http: {paths: [{pathType: Prefix, backend: ${S}}]}}]}`,
      'spec.rules[0].http.paths[0].path: must begin with "/"',
    ],
    ["{defaultBackend: {}}", "spec.defaultBackend: must have exactly one of service and resource"],
    [
      "{defaultBackend: {service: {name: s, port: {}}}}",
      "spec.defaultBackend.service.port: must have exactly one of number and name",
    ],
    [
      "{defaultBackend: {service: {name: s, port: {number: 1, name: a}}}}",
      "spec.defaultBackend.service.port: must have exactly one of number and name",
    ],
  ])("spec %s", (spec, problem) => {
    expect(problems(ingress(spec))).toEqual([problem]);
  });

  test.each([
    ["modifier1: x", 'modifier1]: must be a number, not the string "x"'],
    ['modifier1: "300"', "modifier1]: must be at most 255"],
    ["request-buffering: off", 'request-buffering]: must be true or false, not the string "off"'],
    ["read-timeout: '5'", `read-timeout]: ${DURATION}`],
    [
      "max-body-size: 1m",
      'max-body-size]: "m" stands for thousandths in Kubernetes: for mebibytes write "1Mi"',
    ],
    [
      "retry-statuses: '502,400'",
      "retry-statuses][1]: must be one of 403, 404, 429, 500, 502, 503, 504, not the number 400",
    ],
    [
      "params: '{A: 1}'",
      "params].A: must be a string (put quotes around a number), or a mapping of value and ifNotEmpty",
    ],
    ["params: '[a'", 'params]: must be a mapping, not the string "[a"'],
    [
      "params: '{\"A B\": x}'",
      'params].A B: must have a name of letters, digits, "_" and "-" that does not begin with a digit or "-"',
    ],
    [
      "load-balancing: random",
      'load-balancing]: must be one of RoundRobin, LeastOutstanding, not the string "random"',
    ],
  ])("annotation %s", (annotation, problem) => {
    const result = ingress(`{defaultBackend: ${S}}`, `{uwsgi-gateway.io/${annotation}}`);
    expect(problems(result)).toEqual([`metadata.annotations[uwsgi-gateway.io/${problem}`]);
  });

  test("an unknown annotation of ours is told, others are none of our business", () => {
    const [problem] = problems(
      ingress(`{defaultBackend: ${S}}`, "{uwsgi-gateway.io/timeout: 1s, other.io/x: y}"),
    );
    expect(problem).toStartWith(
      "metadata.annotations[uwsgi-gateway.io/timeout]: is not a known annotation: known are params,",
    );
    expect(ingress(`{defaultBackend: ${S}}`, "{other.io/x: y}").type).toBe("object");
  });
});

describe("what leads to endpoints", () => {
  test("addresses are checked, names are refused", () => {
    const slice = (type: string, address: string) =>
      read(
        `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: e}, addressType: ${type}, endpoints: [{addresses: [${address}]}]}`,
      );
    expect(problems(slice("IPv4", "10.0.0.256"))).toEqual([
      'endpoints[0].addresses[0]: must be an IP address, not "10.0.0.256"',
    ]);
    expect(problems(slice("FQDN", "10.0.0.1"))).toEqual([
      "addressType: must be IPv4 or IPv6: names are not looked up",
    ]);
    expect(slice("IPv4", "10.0.0.1").type).toBe("object");
  });

  test("a Service's ports are checked", () => {
    const service = read(
      "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: http}]}}",
    );
    expect(problems(service)).toEqual(['spec.ports[0].port: must be a number, not the string "http"']);
  });
});

describe("metadata", () => {
  test("an API server's generation is kept", () => {
    const service = (generation: string) =>
      read(`{apiVersion: v1, kind: Service, metadata: {name: s${generation}}, spec: {}}`);
    expect(service(", generation: 7")).toMatchObject({ object: { generation: 7 } });
    expect(service("")).not.toHaveProperty("object.generation");
  });
});

describe("Secret", () => {
  const text = "c2VjcmV0";
  const secret = (data: string) =>
    read(`{apiVersion: v1, kind: Secret, type: kubernetes.io/tls, metadata: {name: s}, ${data}}`);

  test("its data can be read, and is not shown", () => {
    const result = secret(`data: {tls.key: ${text}}, stringData: {tls.crt: plain}`);
    if (result.type !== "object" || result.object.kind !== "Secret") throw new Error("not read");
    expect(result.object.data.get("tls.key")?.toString()).toBe("secret");
    expect(result.object.data.get("tls.crt")?.toString()).toBe("plain");
    for (const shown of [
      JSON.stringify(result),
      inspect(result, { depth: 9, showHidden: true }),
      String(result.object.data),
    ]) {
      expect(shown).not.toContain(text);
      expect(shown).not.toContain('secret"');
      expect(shown).not.toContain("plain");
    }
  });

  test("its data is compared by value", () => {
    const data = (values: string) => {
      const result = secret(`data: {${values}}`);
      if (result.type !== "object" || result.object.kind !== "Secret") throw new Error("not read");
      return result.object.data;
    };
    const pair = data(`tls.key: ${text}, tls.crt: ${text}`);
    expect(pair.equals(data(`tls.crt: ${text}, tls.key: ${text}`))).toBe(true);
    expect(pair.equals(data(`tls.key: ${text}, tls.crt: AAAA`))).toBe(false);
    expect(pair.equals(data(`tls.key: ${text}, other: ${text}`))).toBe(false);
    expect(pair.equals(data(`tls.key: ${text}`))).toBe(false);
  });

  test("its mistakes are told without its data", () => {
    for (const data of ["data: {tls.key: 12345}", "data: s12345", "stringData: [12345]"]) {
      expect(problems(secret(data)).join()).not.toContain("12345");
    }
  });
});

describe("one mistake hides no other", () => {
  test("of a UwsgiRoute: structure, then meaning", () => {
    const result = route(
      `{rulez: 1, hostnames: [a.b, a.b], rules: [
        {${B}, uwsgi: {param: 1, params: {A: "$x", N: 5}}, matches: [{path: {value: main}}]},
        {static: {root: srv}}, {backendRefs: [{name: s, port: none}]}, {},
        {${B}, timeouts: {read: "0s"}, retry: {}}]}`,
    );
    const found = problems(result);
    expect(found.slice(0, 6).sort()).toEqual([
      "spec.rules[0].uwsgi.param: is not a known field: check its spelling and its place, or remove it",
      "spec.rules[0].uwsgi.params.N: must be a string (put quotes around a number), or a mapping of value and ifNotEmpty",
      'spec.rules[1].static.root: must be an absolute path, beginning with "/"',
      'spec.rules[2].backendRefs[0].port: must be a number, not the string "none"',
      `spec.rules[4].retry: ${UNKNOWN}`,
      `spec.rulez: ${UNKNOWN}`,
    ]);
    expect(found.slice(6).map((each) => each.split(": ")[0])).toEqual([
      "spec.hostnames[1]",
      "spec.rules[0].matches[0].path.value",
      "spec.rules[3]",
      "spec.rules[4].timeouts.read",
    ]);
    expect(result).toMatchObject({
      partial: { rules: [{ action: { forwarding: { params: [{ name: "A" }] } } }, {}, {}, {}, {}] },
    });
  });

  test("of an Ingress", () => {
    const found = problems(
      read(`{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i, annotations: {a: 1, uwsgi-gateway.io/modifier1: "x"}},
        spec: {rules: [{http: {paths: [{path: a, pathType: Prefix, backend: {}}, {path: /, pathType: Prefx, backend: {}}]}}]}}`),
    );
    expect(found.map((each) => each.split(": ")[0])).toEqual([
      "metadata.annotations.a",
      "spec.rules[0].http.paths[1].pathType",
      ...found.slice(2).map((each) => each.split(": ")[0]),
    ]);
    expect(found.join("\n")).toContain("uwsgi-gateway.io/modifier1");
  });

  test("but what only follows from one is not told", () => {
    expect(problems(route(`{rules: [{backendRefs: 5}]}`))).toEqual([
      "spec.rules[0].backendRefs: must be a list, not the number 5",
    ]);
    expect(problems(route("{rules: [{static: {}}]}"))).toEqual([
      "spec.rules[0].static.root: is required: give a string",
    ]);
    const elsewhere = read(
      "{apiVersion: uwsgi-gateway.io/v1alpha1, kind: UwsgiRoute, metadata: {name: r, namespace: 5}, spec: {rules: [{backendRefs: [{name: s, port: 1, namespace: x}]}]}}",
    );
    expect(problems(elsewhere)).toEqual(["metadata.namespace: must be a string, not the number 5"]);
  });
});
