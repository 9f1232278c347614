import { z } from "zod";
import { socketAddress } from "./address.ts";
import {
  DEFAULT_FORWARDING,
  FORWARDING_FIELDS,
  type Forwarding,
  forwardingShape,
  parseForwarding,
} from "./forwarding.ts";
import { HOSTNAME_MESSAGE, HOSTNAME_PATTERN, hostnameFault } from "./hostname.ts";
import { DNS_NAME, type Named, namespaced, type RawMetadata } from "./metadata.ts";
import { type PathMatch, parsePath } from "./path.ts";
import type { Problem } from "./problem.ts";

/** `UwsgiRoute` of `uwsgi-gateway.io/v1alpha1`. */
export interface UwsgiRoute extends Named {
  readonly kind: "UwsgiRoute";
  readonly className?: string;
  /** Empty: any host. */
  readonly hostnames: readonly string[];
  readonly tlsSecretName?: string;
  readonly rules: readonly UwsgiRouteRule[];
}

export interface UwsgiRouteRule {
  readonly matches: readonly PathMatch[];
  readonly action: RouteForward | RouteStatic;
}

export interface RouteForward {
  readonly type: "forward";
  readonly backends: readonly RouteBackend[];
  readonly forwarding: Forwarding;
}

export interface RouteStatic {
  readonly type: "static";
  readonly root: string;
  readonly stripPrefix: boolean;
  readonly index: readonly string[];
  readonly dotFiles: boolean;
}

export type RouteBackend =
  | { readonly type: "service"; readonly name: string; readonly port: number; readonly weight: number }
  /** `address` as in `Endpoint.address` of the snapshot. */
  | { readonly type: "socket"; readonly address: string; readonly weight: number };

/** One object may not expand to more host and path pairs than this. */
export const MAX_HOST_PATH_PAIRS = 65_536;
/** These bound what an API server must reckon with for the rules of the CustomResourceDefinition, too. */
const MAX_HOSTNAMES = 128;
const MAX_RULES = 100;
const MAX_MATCHES = 32;
/** `unix:` and the longest path that a socket's address can hold fit in. */
const MAX_SOCKET_CHARACTERS = 128;

export const NAME_TWICE_MESSAGE = "is listed twice: remove one";
export const ONE_ACTION_MESSAGE = "must have exactly one of backendRefs and static";
export const FORWARDING_ONLY_MESSAGE = "goes with backendRefs only: remove it from a static rule";
export const STRIP_EXACT_MESSAGE = "needs PathPrefix matches: an Exact match leaves nothing to look up";
export const SOCKET_OR_SERVICE_MESSAGE = "must have either socket, or name and port";
export const ROOT_MESSAGE = 'must be an absolute path, beginning with "/"';
export const ROOT_PATTERN = /^\/[^\0]*$/;
export const INDEX_PATTERN = /^[^/\0]+$/;
export const INDEX_MESSAGE = 'must be a file name without "/"';
export const SECRET_NAME_MESSAGE = "must be the name alone of a Secret in the route's own namespace";
export const PAIRS_MESSAGE = `hostnames times matches must be at most ${MAX_HOST_PATH_PAIRS}: split the object`;

const match = z.strictObject({
  path: z
    .strictObject({
      type: z
        .enum(["PathPrefix", "Exact"])
        .describe("PathPrefix matches whole path elements, Exact that path alone. Default PathPrefix.")
        .optional(),
      value: z
        .string()
        .min(1)
        .max(1024)
        .describe("Compared with the decoded path; begins with a slash. Default /.")
        .optional(),
    })
    .describe("The path of requests. Default: every path.")
    .optional(),
});

const backendRef = z.strictObject({
  name: z.string().min(1).max(253).describe("A Service of the route's namespace.").optional(),
  namespace: z.string().max(253).describe("The route's own namespace, if given.").optional(),
  port: z.int().min(1).max(65535).describe("The Service's port.").optional(),
  socket: z
    .string()
    .max(MAX_SOCKET_CHARACTERS)
    .describe(
      "unix:/absolute/path or host:port, instead of a Service. For the sidecar and standalone modes only.",
    )
    .optional(),
  weight: z.int().min(0).max(1_000_000).describe("Share of the rule's traffic. Default 1.").optional(),
});

const staticFiles = z.strictObject({
  root: z.string().max(4096).regex(ROOT_PATTERN, ROOT_MESSAGE).describe("The folder that holds the files."),
  stripPrefix: z
    .boolean()
    .describe("Take the match's path off before looking up, as NGINX's alias.")
    .optional(),
  index: z
    .array(z.string().max(255).regex(INDEX_PATTERN, INDEX_MESSAGE))
    .max(16)
    .describe("Names tried for a folder. Default index.html.")
    .optional(),
  dotFiles: z.boolean().describe("Serve names that begin with a dot. Default false.").optional(),
});

const rule = z.strictObject({
  matches: z
    .array(match.describe("What a request must be like."))
    .min(1)
    .max(MAX_MATCHES)
    .describe("The rule takes requests that fit any of these. Default: every path.")
    .optional(),
  backendRefs: z
    .array(backendRef.describe("A Service's port, or a socket."))
    .min(1)
    .max(16)
    .describe("Where requests go. Either this or static.")
    .optional(),
  static: staticFiles.describe("Files to serve. Either this or backendRefs.").optional(),
  ...forwardingShape,
});

/** The structure alone; what it cannot say is checked in `parseUwsgiRoute`. */
export const uwsgiRouteSpecSchema = z.strictObject({
  ingressClassName: z
    .string()
    .min(1)
    .max(253)
    .describe("The class of gateways that serve this route.")
    .optional(),
  hostnames: z
    .array(z.string().max(253).regex(HOSTNAME_PATTERN, HOSTNAME_MESSAGE))
    .max(MAX_HOSTNAMES)
    .describe("Exact, or with a leading *. for one label and more. Default: any host.")
    .optional(),
  tls: z
    .strictObject({
      secretName: z
        .string()
        .max(253)
        .regex(DNS_NAME, SECRET_NAME_MESSAGE)
        .describe("A Secret of type kubernetes.io/tls in the route's namespace."),
    })
    .describe("The certificate for the hostnames. Checked, and not served yet.")
    .optional(),
  rules: z
    .array(rule.describe("Paths, and what answers there."))
    .min(1)
    .max(MAX_RULES)
    .describe("For a request, the rule with the longest path is taken."),
});

type RawSpec = z.infer<typeof uwsgiRouteSpecSchema>;
type RawRule = RawSpec["rules"][number];
type RawBackend = NonNullable<RawRule["backendRefs"]>[number];

export function parseUwsgiRoute(metadata: RawMetadata, spec: RawSpec, problems: Problem[]): UwsgiRoute {
  const named = namespaced(metadata);
  const hostnames = spec.hostnames ?? [];
  checkHostnames(hostnames, problems);
  const pairs =
    spec.rules.reduce((sum, each) => sum + (each.matches?.length ?? 1), 0) * Math.max(1, hostnames.length);
  if (pairs > MAX_HOST_PATH_PAIRS) {
    problems.push({ field: "spec.rules", message: PAIRS_MESSAGE });
  }
  return {
    kind: "UwsgiRoute",
    ...named,
    ...(spec.ingressClassName === undefined ? {} : { className: spec.ingressClassName }),
    ...(spec.tls === undefined ? {} : { tlsSecretName: spec.tls.secretName }),
    hostnames,
    rules: spec.rules.map((each, i) => parseRule(each, named.namespace, `spec.rules[${i}]`, problems)),
  };
}

function checkHostnames(hostnames: readonly string[], problems: Problem[]): void {
  const seen = new Set<string>();
  hostnames.forEach((hostname, i) => {
    const message = seen.has(hostname) ? NAME_TWICE_MESSAGE : hostnameFault(hostname);
    if (message !== undefined) problems.push({ field: `spec.hostnames[${i}]`, message });
    seen.add(hostname);
  });
}

function parseRule(raw: RawRule, namespace: string, field: string, problems: Problem[]): UwsgiRouteRule {
  const matches = (raw.matches ?? [{}]).map((each, i) =>
    parseMatch(each, `${field}.matches[${i}].path.value`, problems),
  );
  if ((raw.backendRefs === undefined) === (raw.static === undefined)) {
    problems.push({ field, message: ONE_ACTION_MESSAGE });
    return { matches, action: { type: "forward", backends: [], forwarding: DEFAULT_FORWARDING } };
  }
  if (raw.static !== undefined) return { matches, action: parseStatic(raw, matches, field, problems) };
  const backends = raw.backendRefs!.map((each, i) =>
    parseBackend(each, namespace, `${field}.backendRefs[${i}]`, problems),
  );
  return {
    matches,
    action: { type: "forward", backends, forwarding: parseForwarding(raw, field, problems) },
  };
}

function parseMatch(raw: z.infer<typeof match>, field: string, problems: Problem[]): PathMatch {
  const type = raw.path?.type === "Exact" ? "exact" : "prefix";
  const parsed = parsePath(type, raw.path?.value ?? "/");
  if ("path" in parsed) return parsed.path;
  problems.push({ field, message: parsed.message });
  return { type, value: "" };
}

function parseStatic(
  raw: RawRule,
  matches: readonly PathMatch[],
  field: string,
  problems: Problem[],
): RouteStatic {
  const { root, stripPrefix = false, index = ["index.html"], dotFiles = false } = raw.static!;
  for (const name of FORWARDING_FIELDS) {
    if (raw[name] !== undefined) {
      problems.push({ field: `${field}.${name}`, message: FORWARDING_ONLY_MESSAGE });
    }
  }
  if (stripPrefix && matches.some((each) => each.type === "exact")) {
    problems.push({ field: `${field}.static.stripPrefix`, message: STRIP_EXACT_MESSAGE });
  }
  return { type: "static", root, stripPrefix, index, dotFiles };
}

function parseBackend(raw: RawBackend, namespace: string, field: string, problems: Problem[]): RouteBackend {
  const weight = raw.weight ?? 1;
  if (raw.namespace !== undefined && raw.namespace !== namespace) {
    const message = `must be "${namespace}": a route reaches Services of its own namespace only`;
    problems.push({ field: `${field}.namespace`, message });
  }
  if (raw.socket !== undefined) {
    if (raw.name !== undefined || raw.port !== undefined) {
      problems.push({ field, message: SOCKET_OR_SERVICE_MESSAGE });
    }
    const parsed = socketAddress(raw.socket);
    if ("address" in parsed) return { type: "socket", address: parsed.address, weight };
    problems.push({ field: `${field}.socket`, message: parsed.message });
  } else if (raw.name === undefined || raw.port === undefined) {
    problems.push({ field, message: "must have name and port of a Service, or a socket" });
  }
  return { type: "service", name: raw.name ?? "", port: raw.port ?? 0, weight };
}
