import type {
  RouteBackend,
  RouteForward,
  RouteStatic,
  UwsgiRoute,
  UwsgiRouteRule,
} from "../resources/uwsgiroute.ts";
import type { Rule } from "../snapshot/snapshot.ts";
import type { Claim } from "./hosts.ts";
import type { RouteTranslation } from "./translation.ts";
import type { WeightedUpstream } from "./upstreams.ts";

export function translateUwsgiRoute(route: UwsgiRoute, part: RouteTranslation): void {
  const hosts = route.hostnames.length === 0 ? [""] : route.hostnames;
  const serverName = exactHost(hosts[0]!);
  if (route.tlsSecretName !== undefined) {
    const { namespace, tlsSecretName: name, hostnames } = route;
    part.certificate({ namespace, name, hostnames }, "spec.tls.secretName");
  }
  route.rules.forEach((rule, i) => {
    const id = `UwsgiRoute/${route.namespace}/${route.name}/${i}`;
    translateRule(
      rule,
      { id, serverName, hosts, namespace: route.namespace, field: `spec.rules[${i}]` },
      part,
    );
  });
}

interface RuleContext {
  readonly id: string;
  readonly serverName: string;
  readonly hosts: readonly string[];
  readonly namespace: string;
  readonly field: string;
}

function translateRule(rule: UwsgiRouteRule, context: RuleContext, part: RouteTranslation): void {
  const { id, serverName, field } = context;
  const won = rule.matches.map((path, i) =>
    context.hosts
      .map((host): Claim => ({ host, path, wildcardDepth: "any", purpose: id }))
      .filter((claim) => part.claim(claim, `${field}.matches[${i}]`)),
  );
  if (rule.action.type === "static") {
    for (const claims of won) {
      if (claims.length === 0) continue;
      part.addRules(claims, { id, serverName, action: staticAction(rule.action, claims[0]!) });
    }
    return;
  }
  const upstreams = forwardUpstreams(rule.action, context, part);
  const claims = won.flat();
  if (claims.length === 0) return;
  const { settings, upstreams: table } = part.translation;
  const action: Rule["action"] = {
    type: "forward",
    settings: settings.intern(rule.action.forwarding),
    backends: table.backends(upstreams),
  };
  part.addRules(claims, { id, serverName, action });
}

function staticAction({ root, stripPrefix, index, dotFiles }: RouteStatic, { path }: Claim): Rule["action"] {
  return { type: "static", root, stripPrefix: stripPrefix ? path.value : "", index, dotFiles };
}

/** Backends that do not resolve are left out: their share goes to the others, or is 503 where there are none. */
function forwardUpstreams(
  action: RouteForward,
  context: RuleContext,
  part: RouteTranslation,
): WeightedUpstream[] {
  const upstreams: WeightedUpstream[] = [];
  action.backends.forEach((backend, i) => {
    const found = findUpstream(backend, context.namespace, `${context.field}.backendRefs[${i}]`, part);
    if (found !== undefined) upstreams.push(found);
  });
  return upstreams;
}

function findUpstream(backend: RouteBackend, namespace: string, field: string, part: RouteTranslation) {
  const { weight } = backend;
  if (backend.type === "service") {
    return part.service({ namespace, name: backend.name, port: backend.port }, weight, field);
  }
  const { address } = backend;
  return { upstream: { id: address, endpoints: [{ address }] }, weight };
}

/** A name that can stand in SERVER_NAME; a wildcard cannot, the request's own Host does then. */
export function exactHost(host: string): string {
  return host.startsWith("*.") ? "" : host;
}
